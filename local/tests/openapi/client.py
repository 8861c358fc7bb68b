"""Uses an account, from the sign-up to the deletion, with the Python client that openapi-python-client generates.

    PYTHONPATH=... python3 client.py URL

PYTHONPATH contains the folder of the package `generated`. URL is that of a local run.
"""

import re
import sys
from http import HTTPStatus

import httpx
from generated import AuthenticatedClient, Client
from generated.api.account import (
    account_delete,
    email_change,
    password_change,
    phone_change,
    profile,
    profile_update,
    signup,
)
from generated.api.sessions import login, session_revoke, sessions, token_refresh
from generated.api.sms_verification import sms_auth_send, sms_auth_verify
from generated.models import (
    EmailChangeRequest,
    LoginRequestByEmail,
    LoginResponse,
    LoginResponse401,
    PasswordChangeRequest,
    PhoneChangeRequest,
    ProfileResponse,
    ProfileUpdateRequestByNickname,
    Purpose,
    RefreshRequest,
    SendRequest,
    SendResponse,
    SessionsResponse,
    SignupRequest,
    SignupResponse,
    TokenPair,
    VerifyRequest,
    VerifyResponse,
)

PHONE, NEW_PHONE = "+821045670002", "+821045670004"
EMAIL, NEW_EMAIL = "python@example.com", "python@example.org"
PASSWORD, NEW_PASSWORD = "correct horse battery", "a newer horse battery"


def code(url: str, phone: str) -> str:
    messages = httpx.get(f"{url}/local/outbox", params={"phone": phone}).json()["messages"]
    found = re.search(r"\d{6}", messages[0]["text"])
    assert found, "the outbox contains no code"
    return found.group()


def pair(response: object) -> TokenPair:
    assert isinstance(response, TokenPair), response
    return response


def verified_session(client: Client, url: str, phone: str, purpose: Purpose) -> str:
    sent = sms_auth_send.sync(client=client, body=SendRequest(phone=phone, purpose=purpose))
    assert isinstance(sent, SendResponse), sent
    verify = VerifyRequest(session_id=sent.session_id, phone=phone, auth_code=code(url, phone))
    verified = sms_auth_verify.sync(client=client, body=verify)
    assert isinstance(verified, VerifyResponse) and verified.is_verified, verified
    return sent.session_id


def main(url: str) -> None:
    client = Client(base_url=url)

    def caller(tokens: TokenPair | LoginResponse) -> AuthenticatedClient:
        return AuthenticatedClient(base_url=url, token=tokens.access_token)

    session = verified_session(client, url, PHONE, Purpose.SIGNUP)
    user = SignupRequest(
        email=EMAIL, password=PASSWORD, name="Kim Minji", nickname="minji", phone=PHONE, session_id=session
    )
    signed_up = signup.sync(client=client, body=user)
    assert isinstance(signed_up, SignupResponse), signed_up

    rejected = login.sync(client=client, body=LoginRequestByEmail(email=EMAIL, password="a wrong guess"))
    assert isinstance(rejected, LoginResponse401) and rejected.error_code == "USER__NOT_MATCHED", rejected

    logged_in = login.sync(client=client, body=LoginRequestByEmail(email=EMAIL, password=PASSWORD))
    assert isinstance(logged_in, LoginResponse), logged_in
    tokens = pair(token_refresh.sync(client=client, body=RefreshRequest(refresh_token=logged_in.refresh_token)))

    updated = profile_update.sync(client=caller(tokens), body=ProfileUpdateRequestByNickname(nickname="sky"))
    assert isinstance(updated, ProfileResponse) and updated.nickname == "sky", updated
    change = PasswordChangeRequest(current_password=PASSWORD, password=NEW_PASSWORD)
    tokens = pair(password_change.sync(client=caller(tokens), body=change))
    tokens = pair(email_change.sync(client=caller(tokens), body=EmailChangeRequest(email=NEW_EMAIL)))
    session = verified_session(client, url, NEW_PHONE, Purpose.PHONE_CHANGE)
    tokens = pair(phone_change.sync(client=caller(tokens), body=PhoneChangeRequest(session_id=session)))
    read = profile.sync(client=caller(tokens))
    assert isinstance(read, ProfileResponse), read
    expected = {"email": NEW_EMAIL, "name": "Kim Minji", "nickname": "sky", "phone": NEW_PHONE}
    assert read.to_dict() == expected, read

    other = login.sync(client=client, body=LoginRequestByEmail(email=NEW_EMAIL, password=NEW_PASSWORD))
    assert isinstance(other, LoginResponse), other
    listed = sessions.sync(client=caller(other))
    assert isinstance(listed, SessionsResponse), listed
    assert [session.is_current for session in listed.sessions] == [True, False], listed
    revoked = session_revoke.sync_detailed(listed.sessions[1].id, client=caller(other))
    assert revoked.status_code == HTTPStatus.NO_CONTENT, revoked
    deleted = account_delete.sync_detailed(client=caller(other))
    assert deleted.status_code == HTTPStatus.NO_CONTENT, deleted
    print("The Python client signed up, changed everything, and deleted the account")


main(sys.argv[1])
