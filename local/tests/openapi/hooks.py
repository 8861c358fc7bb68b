"""Gives Schemathesis what a schema cannot describe: valid phone numbers and passwords, codes and access tokens.

schemathesis.toml names this file.
"""

import itertools
import re
import string
import time
from collections import deque

import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.generation.meta import TestPhase

API = "/api/v1/users"
# As local/test sets it.
SECONDS_BETWEEN_SENDS = 1
ACCOUNTS = 6
PURPOSES = ["signup", "signup", "login", "password_reset", "phone_change"]
# Those that send to a phone number without an account.
PURPOSES_OF_NEW_PHONES = ["signup", "phone_change"]
PASSWORD = "correct horse battery"

WORD = st.text(string.ascii_lowercase, min_size=3, max_size=12)
# UUIDs repeat less often than integers. All numbers of this range exist in South Korea.
NUMBER = st.uuids().map(lambda uuid: uuid.int % 10_000_000 + 20_000_000)

schemathesis.openapi.format("Phone", NUMBER.map("+8210{}".format))
schemathesis.openapi.format("Name", WORD)
schemathesis.openapi.format("Nickname", WORD)
schemathesis.openapi.format("Password", NUMBER.map("Zebra {} 7!?".format))
schemathesis.openapi.format("email", st.builds("{}{}@example.com".format, WORD, NUMBER))


@schemathesis.hook
def before_load_schema(context, raw_schema):
    schemas = raw_schema["components"]["schemas"]
    for name in ["Phone", "Name", "Nickname", "Password"]:
        schemas[name]["format"] = name
    # Any other value than a valid token means an unknown device, and is never an error.
    schemas["DeviceToken"] = {}


@schemathesis.hook
def filter_body(context, body):
    """Drops bytes that are not UTF-8: cargo lambda itself responds 500 to them. API Gateway encodes them."""
    if not isinstance(body, bytes):
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


class Clients:
    """Keeps what clients of the API keep: phone numbers, SMS sessions, and the latest access token and its password."""

    def __init__(self):
        self.url = None
        # Each run has numbers of its own, so that it can use the database of an earlier one.
        self.numbers = itertools.count(30_000_000 + int(time.time()) % 19_000 * 1_000)
        self.sent = set()
        self.phone_of_session = {}
        self.accounts = deque()
        self.access_token = None
        self.password = None

    def post(self, path, **body):
        response = requests.post(f"{self.url}{API}{path}", json=body, timeout=10)
        response.raise_for_status()
        return response.json()

    def unused_phone(self):
        return f"+8210{next(self.numbers)}"

    def unused_email(self):
        return f"minji{next(self.numbers)}@example.com"

    def phone_of_account(self):
        """Returns the phone number of one of a few accounts, as soon as it can get an SMS."""
        if len(self.accounts) < ACCOUNTS:
            self.sign_up()
        phone, sent_at = self.accounts.popleft()
        while not self.has_account(phone):
            # A story deleted the account, or changed its phone number.
            self.sign_up()
            phone, sent_at = self.accounts.popleft()
        time.sleep(max(0, sent_at + SECONDS_BETWEEN_SENDS - time.time()))
        self.accounts.append((phone, time.time()))
        return phone

    def has_account(self, phone):
        url = f"{self.url}{API}/phone/duplicate-check"
        return requests.get(url, {"phone": phone}, timeout=10).json()["is_duplicated"]

    def sign_up(self):
        phone = self.unused_phone()
        session_id = self.post("/sms-auth/send", phone=phone, purpose="signup")["session_id"]
        self.phone_of_session[session_id] = phone
        self.post("/sms-auth/verify", session_id=session_id, phone=phone, auth_code=self.code(session_id))
        user = {"email": self.unused_email(), "name": "Kim Minji", "nickname": "minji", "password": PASSWORD}
        self.access_token = self.post("/signup", **user, phone=phone, session_id=session_id)["access_token"]
        self.password = PASSWORD
        self.accounts.append((phone, time.time()))

    def valid_access_token(self):
        """Returns the latest access token, or that of a new account if its session is revoked."""
        headers = {"Authorization": f"Bearer {self.access_token}"}
        if not requests.get(f"{self.url}{API}/profile", headers=headers, timeout=10).ok:
            self.sign_up()
        return self.access_token

    def code(self, session_id):
        """Returns the code of an SMS session, as its user would read it."""
        phone = self.phone_of_session[session_id]
        messages = requests.get(f"{self.url}/local/outbox", {"phone": phone}, timeout=10).json()["messages"]
        codes = [re.search(r"\d{8}|\d{6}", message["text"]) for message in messages]
        return next(code.group() for code in codes if code)


clients = Clients()


@schemathesis.hook
def after_load_schema(context, schema):
    clients.url = schema.get_base_url()


@schemathesis.auth(refresh_interval=None).apply_to(lambda context: context.operation.definition.raw["security"])
class AccessToken:
    def get(self, case, context):
        return clients.valid_access_token()

    def set(self, case, access_token, context):
        case.headers["Authorization"] = f"Bearer {access_token}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Replaces values with which a valid request would fail."""
    if case.method == "GET":
        fields = case.query
    elif isinstance(case.body, dict):
        # A copy: Hypothesis may use the values again.
        fields = case.body = dict(case.body)
    else:
        return
    # The stories must repeat: Hypothesis stops when the same values get another response.
    is_story = case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL
    if case.path == f"{API}/sms-auth/send":
        number = digits(fields.get("phone"))
        if is_story:
            # Otherwise, hardly any SMS session would have the purpose that the next request requires.
            fields["purpose"] = PURPOSES[int(number) % len(PURPOSES)]
        if is_story and fields["purpose"] not in PURPOSES_OF_NEW_PHONES:
            fields["phone"] = clients.phone_of_account()
        elif is_story or number in clients.sent:
            # A phone number gets one SMS per second.
            fields["phone"] = clients.unused_phone()
        clients.sent.add(digits(fields.get("phone")))
    if case.path == f"{API}/signup" and is_story:
        fields["email"] = clients.unused_email()
    is_valid = case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
    if case.path == f"{API}/password/change" and is_valid and clients.password:
        fields["current_password"] = clients.password
        if fields.get("password") == clients.password:
            fields["password"] = f"Zebra {next(clients.numbers)} 7!?"
    # The code in the links.
    if fields.get("auth_code") == "00000000" and fields.get("session_id") in list(clients.phone_of_session):
        fields["auth_code"] = clients.code(fields["session_id"])


@schemathesis.hook
def after_call(context, case, response):
    if response.status_code not in (200, 201):
        return
    received = response.json()
    sent = case.query if case.method == "GET" else case.body
    if "session_id" in received:
        clients.phone_of_session[received["session_id"]] = sent["phone"]
    if "access_token" in received:
        clients.access_token = received["access_token"]
        # None after a login by code. A refresh, and a change of the phone number or the email, keep the password.
        if case.path not in [f"{API}/token/refresh", f"{API}/phone", f"{API}/email"]:
            clients.password = sent.get("password")


def digits(phone):
    """Returns the last eight digits of a valid phone number, in any spelling."""
    return re.sub(r"\D", "", phone)[-8:] if isinstance(phone, str) else None
