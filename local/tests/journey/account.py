"""The life of an account: the sign-up, each change, the sessions, the deletion, and a second sign-up."""

import json
import re
import time
import uuid
from urllib.parse import quote

from assertions import check, equal
from client import API
from tokens import TOKENS, expect_tokens, parts_of, signed

USER = {"email": "sora@example.com", "name": "Han Sora", "nickname": "sora", "password": "amber window kettle"}
PHONE, NEW_PHONE = "+821089012345", "+821091234567"
NEW_EMAIL, NEW_PASSWORD = "sora@example.org", "copper window kettle"
# Another account, which stays as it is.
OTHER = {"email": "areum@example.com", "name": "Yoon Areum", "nickname": "areum", "password": "silver window kettle"}
OTHER_PHONE = "+821099012345"
CHALLENGE = 'Bearer error="insufficient_user_authentication", max_age="300"'


def check_account(client, keys):
    client.secrets.add(*USER.values(), *OTHER.values(), NEW_EMAIL, NEW_PASSWORD)
    sign_up(client, OTHER | {"phone": OTHER_PHONE})
    tokens = sign_up(client, USER | {"phone": PHONE})
    check_update(client, tokens)
    tokens = check_password_change(client, tokens)
    check_old_login(client, tokens, keys)
    tokens = check_email_change(client, tokens)
    tokens = check_phone_change(client, tokens)
    check_sessions(client, tokens)
    check_deletion(client, tokens)


def bearer(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def log_in(client, email, password, **headers):
    return client.returns(200, "POST", f"{API}/login", {"email": email, "password": password}, **headers)


def messages_to(client, phone):
    return client.returns(200, "GET", f"/local/outbox?phone={quote(phone)}")["messages"]


def verify(client, phone, purpose):
    """Returns the id of a verified SMS session. Waits if the phone number got a code recently."""
    send = {"phone": phone, "purpose": purpose}
    while (sent := client.call("POST", f"{API}/sms-auth/send", send))[0] == 429:
        time.sleep(int(sent[1]["retry-after"]))
    session = sent[2]["session_id"]
    code = re.search(r"\d{8}|\d{6}", messages_to(client, phone)[0]["text"]).group()
    client.secrets.add(code)
    verified = {"session_id": session, "phone": phone, "auth_code": code}
    client.returns(200, "POST", f"{API}/sms-auth/verify", verified)
    return session


def sign_up(client, user):
    session = verify(client, user["phone"], "signup")
    tokens = client.returns(201, "POST", f"{API}/signup", user | {"session_id": session})
    expect_tokens(json.dumps(tokens))
    return tokens


def check_replaced(client, old, new):
    """Checks that the new pair is valid and of another session, and that the old one is revoked."""
    expect_tokens(json.dumps(new), others=())
    sessions = {parts_of(pair[name])[1]["sid"] for pair in (old, new) for name in TOKENS}
    equal(len(sessions), 2, "the sessions before and after the change")
    client.rejects(401, "TOKEN__REVOKED", "GET", f"{API}/profile", **bearer(old))
    client.rejects(401, "TOKEN__REVOKED", "POST", f"{API}/token/refresh", {"refresh_token": old["refresh_token"]})
    client.returns(200, "GET", f"{API}/profile", **bearer(new))
    return new


def check_update(client, tokens):
    path, profile = f"{API}/profile", {"name": "Han Sora", "email": USER["email"], "phone": PHONE, "nickname": "sora"}
    client.rejects(422, "REQUEST__INVALID", "PATCH", path, {}, **bearer(tokens))
    client.rejects(422, "REQUEST__INVALID", "PATCH", path, {"email": NEW_EMAIL}, **bearer(tokens))
    client.rejects(401, "TOKEN__MISSING", "PATCH", path, {"name": "Han Sora"})
    for change in [{"nickname": "sky"}, {"name": "Han So-ra", "nickname": "sora"}]:
        profile |= change
        equal(client.returns(200, "PATCH", path, change, **bearer(tokens)), profile, "the updated profile")
    equal(client.returns(200, "GET", path, **bearer(tokens)), profile, "the profile")


def check_password_change(client, tokens):
    path, change = f"{API}/password/change", {"current_password": USER["password"], "password": NEW_PASSWORD}
    other = log_in(client, USER["email"], USER["password"])
    wrong = change | {"current_password": "a wrong guess"}
    client.rejects(401, "USER__NOT_MATCHED", "POST", path, wrong, **bearer(tokens))
    client.rejects(422, "REQUEST__INVALID", "POST", path, change | {"password": USER["password"]}, **bearer(tokens))
    client.rejects(422, "REQUEST__INVALID", "POST", path, change | {"password": USER["email"]}, **bearer(tokens))
    changed = client.returns(200, "POST", path, change, **bearer(tokens))
    check_replaced(client, other, changed)
    login = {"email": USER["email"], "password": USER["password"]}
    client.rejects(401, "USER__NOT_MATCHED", "POST", f"{API}/login", login)
    return check_replaced(client, tokens, changed)


def check_old_login(client, tokens, keys):
    """Uses an access token that differs from a real one in the time of its login only."""
    _, claims = parts_of(tokens["access_token"])
    old = {"access_token": signed(tokens["access_token"], keys, auth_time=claims["auth_time"] - 301)}
    client.returns(200, "GET", f"{API}/sessions", **bearer(old))
    for method, path, body in [
        ("PUT", "phone", {"session_id": str(uuid.uuid4())}),
        ("PUT", "email", {"email": NEW_EMAIL}),
        ("DELETE", "profile", None),
        ("DELETE", f"sessions/{claims['sid']}", None),
    ]:
        client.rejects(401, "TOKEN__LOGIN_TOO_OLD", method, f"{API}/{path}", body, **bearer(old))
        _, headers, _ = client.call(method, f"{API}/{path}", body, **bearer(old))
        equal(headers["www-authenticate"], CHALLENGE, f"the challenge of {method} {path}")


def check_email_change(client, tokens):
    path = f"{API}/email"
    client.rejects(409, "USER__ALREADY_EXIST", "PUT", path, {"email": "AREUM@example.com"}, **bearer(tokens))
    client.rejects(422, "REQUEST__INVALID", "PUT", path, {"email": "nobody"}, **bearer(tokens))
    changed = check_replaced(client, tokens, client.returns(200, "PUT", path, {"email": NEW_EMAIL}, **bearer(tokens)))
    equal(client.returns(200, "GET", f"{API}/profile", **bearer(changed))["email"], NEW_EMAIL, "the email")
    login = {"email": USER["email"], "password": NEW_PASSWORD}
    client.rejects(401, "USER__NOT_MATCHED", "POST", f"{API}/login", login)
    free = client.returns(200, "GET", f"{API}/email/duplicate-check?email={USER['email']}")
    equal(free, {"is_duplicated": False}, "the previous email")
    return changed


def check_phone_change(client, tokens):
    path = f"{API}/phone"
    unknown = {"session_id": str(uuid.uuid4())}
    client.rejects(401, "USER__PHONE_NOT_VERIFIED", "PUT", path, unknown, **bearer(tokens))
    change = {"session_id": verify(client, NEW_PHONE, "phone_change")}
    client.rejects(401, "TOKEN__MISSING", "PUT", path, change)
    changed = check_replaced(client, tokens, client.returns(200, "PUT", path, change, **bearer(tokens)))
    equal(client.returns(200, "GET", f"{API}/profile", **bearer(changed))["phone"], NEW_PHONE, "the phone number")
    client.rejects(401, "USER__PHONE_NOT_VERIFIED", "PUT", path, change, **bearer(changed))
    # In the language of the previous phone's country, and without the new number.
    expected = "[Ably] 계정의 전화번호가 변경되었습니다. 본인이 하지 않았다면 즉시 고객센터에 문의하세요."
    equal(messages_to(client, PHONE)[0]["text"], expected, "the SMS to the previous number")
    return changed


def check_sessions(client, tokens):
    path = f"{API}/sessions"
    other = log_in(client, NEW_EMAIL, NEW_PASSWORD, **{"User-Agent": "The other device"})
    listed = client.returns(200, "GET", path, **bearer(tokens))["sessions"]
    found = [(session["id"], session["is_current"], session["user_agent"]) for session in listed]
    current, another = (parts_of(pair["access_token"])[1] for pair in (tokens, other))
    equal(found, [(current["sid"], True, ""), (another["sid"], False, "The other device")], "the sessions")
    for session in listed:
        check(session["created_at"] <= session["last_used_at"] <= time.time(), "the times of a session")

    for unknown in [uuid.uuid4(), "nothing"]:
        client.rejects(404, "SESSION__NOT_FOUND", "DELETE", f"{path}/{unknown}", **bearer(tokens))
    client.returns(204, "DELETE", f"{path}/{another['sid']}", **bearer(tokens))
    client.rejects(404, "SESSION__NOT_FOUND", "DELETE", f"{path}/{another['sid']}", **bearer(tokens))
    client.rejects(401, "TOKEN__REVOKED", "GET", path, **bearer(other))
    client.rejects(401, "TOKEN__REVOKED", "POST", f"{API}/token/refresh", {"refresh_token": other["refresh_token"]})
    equal(len(client.returns(200, "GET", path, **bearer(tokens))["sessions"]), 1, "the sessions that remain")


def check_deletion(client, tokens):
    client.rejects(401, "TOKEN__MISSING", "DELETE", f"{API}/profile")
    client.returns(204, "DELETE", f"{API}/profile", **bearer(tokens))
    for method, path in [("DELETE", "profile"), ("GET", "profile"), ("GET", "sessions")]:
        client.rejects(401, "TOKEN__INVALID", method, f"{API}/{path}", **bearer(tokens))
    client.rejects(401, "TOKEN__REVOKED", "POST", f"{API}/token/refresh", {"refresh_token": tokens["refresh_token"]})
    login = {"phone": NEW_PHONE, "password": NEW_PASSWORD}
    client.rejects(401, "USER__NOT_MATCHED", "POST", f"{API}/login", login)
    again = USER | {"email": NEW_EMAIL, "phone": NEW_PHONE}
    first, second = parts_of(tokens["access_token"])[1], parts_of(sign_up(client, again)["access_token"])[1]
    check(first["sub"] != second["sub"], "the second account has the id of the first one")
