"""Signs up, logs in and reads the profile with the Python client that openapi-python-client generates.

    PYTHONPATH=... python3 client.py URL

PYTHONPATH contains the folder of the package `generated`. URL is that of a local run.
"""

import re
import sys

import httpx
from generated import AuthenticatedClient, Client
from generated.api.account import profile, signup
from generated.api.sessions import login, token_refresh
from generated.api.sms_verification import sms_auth_send, sms_auth_verify
from generated.models import (
    LoginRequestByEmail,
    LoginResponse,
    LoginResponse401,
    ProfileResponse,
    Purpose,
    RefreshRequest,
    RefreshResponse,
    SendRequest,
    SendResponse,
    SignupRequest,
    SignupResponse,
    VerifyRequest,
    VerifyResponse,
)

PHONE = "+821045670002"
EMAIL = "python@example.com"
PASSWORD = "correct horse battery"


def code(url: str) -> str:
    messages = httpx.get(f"{url}/local/outbox", params={"phone": PHONE}).json()["messages"]
    found = re.search(r"\d{6}", messages[0]["text"])
    assert found, "the outbox contains no code"
    return found.group()


def main(url: str) -> None:
    client = Client(base_url=url)
    sent = sms_auth_send.sync(client=client, body=SendRequest(phone=PHONE, purpose=Purpose.SIGNUP))
    assert isinstance(sent, SendResponse), sent
    verify = VerifyRequest(session_id=sent.session_id, phone=PHONE, auth_code=code(url))
    verified = sms_auth_verify.sync(client=client, body=verify)
    assert isinstance(verified, VerifyResponse) and verified.is_verified, verified
    user = SignupRequest(
        email=EMAIL, password=PASSWORD, name="Kim Minji", nickname="minji", phone=PHONE, session_id=sent.session_id
    )
    signed_up = signup.sync(client=client, body=user)
    assert isinstance(signed_up, SignupResponse), signed_up

    rejected = login.sync(client=client, body=LoginRequestByEmail(email=EMAIL, password="a wrong guess"))
    assert isinstance(rejected, LoginResponse401) and rejected.error_code == "USER__NOT_MATCHED", rejected

    logged_in = login.sync(client=client, body=LoginRequestByEmail(email=EMAIL, password=PASSWORD))
    assert isinstance(logged_in, LoginResponse), logged_in
    tokens = token_refresh.sync(client=client, body=RefreshRequest(refresh_token=logged_in.refresh_token))
    assert isinstance(tokens, RefreshResponse), tokens
    read = profile.sync(client=AuthenticatedClient(base_url=url, token=tokens.access_token))
    assert isinstance(read, ProfileResponse), read
    expected = {"email": EMAIL, "name": "Kim Minji", "nickname": "minji", "phone": PHONE}
    assert read.to_dict() == expected, read
    print("The Python client signed up, logged in, refreshed and read the profile")


main(sys.argv[1])
