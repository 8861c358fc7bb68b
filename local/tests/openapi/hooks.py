"""Gives Schemathesis what a schema cannot describe: valid phone numbers and passwords, codes and access tokens.

schemathesis.toml names this file.
"""

import itertools
import re
import string
import time
from collections import deque
from collections.abc import Mapping

import requests
import schemathesis
from hypothesis import strategies as st
from hypothesis.control import current_build_context
from schemathesis import GenerationMode
from schemathesis.generation.meta import TestPhase

API = "/api/v1/users"
# As local/test sets it.
SECONDS_BETWEEN_SENDS = 1
ACCOUNTS = 6
PASSWORD = "correct horse battery"
# The requests that follow an SMS session of another purpose than `signup`.
PURPOSES = {f"{API}/login/code": "login", f"{API}/password": "password_reset", f"{API}/phone": "phone_change"}

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
        self.story = None

    def post(self, path, **body):
        response = requests.post(f"{self.url}{API}{path}", json=body, timeout=10)
        response.raise_for_status()
        return response.json()

    def begin_story(self):
        """Forgets the account of the story before, because the same steps must get the same responses."""
        story = current_build_context()
        if self.story is not story:
            self.story = story
            self.access_token = None

    def unused_phone(self):
        return f"+8210{next(self.numbers)}"

    def unused_email(self):
        return f"minji{next(self.numbers)}@example.com"

    def phone_of_account(self):
        """Returns the phone number of an account that no request has used, as soon as it can get an SMS."""
        while len(self.accounts) < ACCOUNTS:
            phone, _ = self.sign_up()
            self.accounts.append((phone, time.time()))
        phone, sent_at = self.accounts.popleft()
        time.sleep(max(0, sent_at + SECONDS_BETWEEN_SENDS - time.time()))
        return phone

    def send(self, purpose):
        """Returns a phone number, and the id of an SMS session for it."""
        is_new = purpose in ["signup", "phone_change"]
        phone = self.unused_phone() if is_new else self.phone_of_account()
        session_id = self.post("/sms-auth/send", phone=phone, purpose=purpose)["session_id"]
        self.phone_of_session[session_id] = phone
        return phone, session_id

    def verify(self, phone, session_id):
        self.post("/sms-auth/verify", session_id=session_id, phone=phone, auth_code=self.code(session_id))

    def sign_up(self):
        """Returns the phone number and the access token of a new account."""
        phone, session_id = self.send("signup")
        self.verify(phone, session_id)
        user = {"email": self.unused_email(), "name": "Kim Minji", "nickname": "minji", "password": PASSWORD}
        return phone, self.post("/signup", **user, phone=phone, session_id=session_id)["access_token"]

    def valid_access_token(self):
        """Returns the latest access token, or that of a new account if its session is revoked."""
        headers = {"Authorization": f"Bearer {self.access_token}"}
        if not requests.get(f"{self.url}{API}/profile", headers=headers, timeout=10).ok:
            _, self.access_token = self.sign_up()
            self.password = PASSWORD
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
        if is_of_story(case):
            clients.begin_story()
        return clients.valid_access_token()

    def set(self, case, access_token, context):
        case.headers["Authorization"] = f"Bearer {access_token}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Replaces values with which a valid request would fail."""
    container = "query" if case.method == "GET" else "body"
    sent = getattr(case, container)
    if not isinstance(sent, Mapping):
        return
    # A copy: Hypothesis may use the values again.
    fields = dict(sent)
    if is_of_story(case):
        clients.begin_story()
        replace_in_story(case.path, fields)
    is_valid = case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE
    if case.path == f"{API}/sms-auth/send":
        number = digits(fields.get("phone"))
        if number in clients.sent:
            # A phone number gets one SMS per second.
            fields["phone"] = clients.unused_phone()
        elif number:
            clients.sent.add(number)
    if case.path == f"{API}/password/change" and is_valid and clients.password:
        fields["current_password"] = clients.password
        if fields.get("password") == clients.password:
            fields["password"] = f"Zebra {next(clients.numbers)} 7!?"
    # The code in the links.
    if fields.get("auth_code") == "00000000" and fields.get("session_id") in list(clients.phone_of_session):
        fields["auth_code"] = clients.code(fields["session_id"])
    # An assignment makes Schemathesis classify the request again, without the formats above.
    if fields != sent:
        setattr(case, container, fields)


def is_of_story(case):
    return case.meta is not None and case.meta.phase.name == TestPhase.STATEFUL


def replace_in_story(path, fields):
    """Replaces values that earlier stories used, and SMS sessions of another purpose.

    Hypothesis stops when the same steps get another response. It chooses the purpose before it chooses the request
    that requires one.
    """
    if path == f"{API}/sms-auth/send":
        fields["phone"] = clients.unused_phone()
        fields["purpose"] = "signup"
    if path == f"{API}/signup":
        fields["email"] = clients.unused_email()
    if path == f"{API}/login" and fields.get("email"):
        # The link adds an email to a request with a phone number too.
        fields["phone"] = None
    # Only a link can name an SMS session that exists.
    if path in PURPOSES and fields["session_id"] in clients.phone_of_session:
        linked_phone = clients.phone_of_session[fields["session_id"]]
        phone, fields["session_id"] = clients.send(PURPOSES[path])
        if fields.get("phone") == linked_phone:
            fields["phone"] = phone
        if path != f"{API}/login/code":
            clients.verify(phone, fields["session_id"])


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
        # A refresh, and a change of the phone number or the email, keep the password.
        if case.path == f"{API}/login/code":
            clients.password = PASSWORD
        elif "password" in sent:
            clients.password = sent["password"]


def digits(phone):
    """Returns the last eight digits of a valid phone number, in any spelling, and None for any other value."""
    found = re.sub(r"\D", "", phone) if isinstance(phone, str) else ""
    return found[-8:] if len(found) >= 8 else None
