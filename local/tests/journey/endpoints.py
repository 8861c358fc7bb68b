"""Checks that require real HTTP, without the documentation."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from account import OTHER
from assertions import equal
from client import API
from server import SECONDS_BETWEEN_SENDS, TEST_CODE, TEST_PHONE
from tokens import TOKENS, expect_tokens, parts_of

LOGIN = {"email": "jiho@example.com", "password": "staple battery horse"}


def check_endpoints(client):
    user = {"email": "Jiho@example.com", "nickname": "jiho", "name": "Lee Jiho", "password": LOGIN["password"]}
    client.secrets.add(user["email"], user["password"], "a wrong guess")
    check_sign_up(client, user)
    tokens = client.returns(200, "POST", f"{API}/login", {"email": "JIHO@example.com", "password": user["password"]})
    check_account(client, tokens)
    check_login_by_code(client)
    check_sms_after_reset(client)
    check_test_phone(client)
    check_local_outbox(client)
    check_errors(client)
    check_sessions(client, tokens)
    check_unknown_routes(client)


def check_sign_up(client, user):
    # As the specification spells them: GET, with an unescaped plus, and the path /singup.
    sent = client.returns(200, "GET", f"{API}/sms-auth/send?phone=+821023456789")
    session = sent["session_id"]
    stated = {"expires_in": 300, "resend_after": SECONDS_BETWEEN_SENDS, "code_length": 6}
    equal(sent, {"session_id": session} | stated, "the session")
    client.rejects(429, "SMS__TOO_MANY_REQUESTS", "POST", f"{API}/sms-auth/send", {"phone": "010 2345 6789"})
    messages = client.returns(200, "GET", "/local/outbox?phone=+821023456789")["messages"]
    equal([sorted(message) for message in messages], [["phone", "sent_at", "text"]], "the outbox")
    code = re.search(r"\d{6}", messages[0]["text"]).group()
    wrong = "000000" if code != "000000" else "000001"
    client.secrets.add(code)
    verify = {"session_id": session, "phone": "010-2345-6789", "auth_code": wrong}
    client.rejects(401, "SMS__AUTH_CODE_NOT_MATCHED", "POST", f"{API}/sms-auth/verify", verify)
    user = user | {"phone": "82-10-2345-6789", "session_id": session}
    client.rejects(401, "USER__PHONE_NOT_VERIFIED", "POST", f"{API}/singup", user)
    response = client.returns(200, "POST", f"{API}/sms-auth/verify", verify | {"auth_code": code})
    equal(response, {"is_verified": True}, "the response")
    taken = user | {"email": OTHER["email"].upper()}
    client.rejects(409, "USER__ALREADY_EXIST", "POST", f"{API}/signup", taken, **{"Content-Type": "application/json"})
    expect_tokens(json.dumps(client.returns(201, "POST", f"{API}/singup", user)))
    client.rejects(401, "USER__PHONE_NOT_VERIFIED", "POST", f"{API}/signup", user | {"email": "other@example.com"})


def check_account(client, tokens):
    access, refresh = (tokens[name] for name in TOKENS)
    profile = client.returns(200, "GET", f"{API}/profile", Authorization=f"Bearer {access}")
    expected = {"name": "Lee Jiho", "email": "Jiho@example.com", "phone": "+821023456789", "nickname": "jiho"}
    equal(profile, expected, "the profile")
    for taken in ["email/duplicate-check?email=jiho@EXAMPLE.com", "phone/duplicate-check?phone=%2B82%2010-2345-6789"]:
        equal(client.returns(200, "GET", f"{API}/{taken}"), {"is_duplicated": True}, taken)
    client.rejects(401, "TOKEN__MISSING", "GET", f"{API}/profile")
    client.rejects(401, "TOKEN__INVALID", "GET", f"{API}/profile", Authorization=f"Bearer {refresh}")


def check_login_by_code(client):
    phone = "+821034567890"
    send = {"phone": phone, "purpose": "login"}
    # In the language of the client, with a code of eight digits.
    sent = client.returns(200, "POST", f"{API}/sms-auth/send", send, **{"Accept-Language": "ja-JP, en;q=0.5"})
    equal(sent["code_length"], 8, "the digits of the code")
    [message] = client.returns(200, "GET", f"/local/outbox?phone={quote(phone)}")["messages"]
    code = re.fullmatch(r"\[Ably\] ログインの認証コード: (\d{8}) \(5分間有効\) 他人に教えないでください", message["text"]).group(1)
    client.secrets.add(code)
    log_in = {"session_id": sent["session_id"], "phone": phone, "auth_code": code}
    client.rejects(404, "SMS__SESSION_NOT_FOUND", "POST", f"{API}/sms-auth/verify", log_in)
    wrong = log_in | {"auth_code": "00000000" if code != "00000000" else "00000001"}
    client.rejects(401, "SMS__AUTH_CODE_NOT_MATCHED", "POST", f"{API}/login/code", wrong)
    client.rejects(404, "USER__NOT_FOUND", "POST", f"{API}/login/code", log_in)


def check_sms_after_reset(client):
    # The walk through the documentation reset this user's password.
    messages = client.returns(200, "GET", "/local/outbox?phone=%2B821012345678")["messages"]
    expected = "[Ably] 비밀번호가 재설정되었습니다. 본인이 하지 않았다면 즉시 비밀번호를 다시 설정하세요."
    equal(messages[0]["text"], expected, "the SMS after the reset")


def check_test_phone(client):
    client.secrets.add(TEST_CODE)
    sent = client.returns(200, "POST", f"{API}/sms-auth/send", {"phone": TEST_PHONE, "purpose": "signup"})
    equal(sent["code_length"], 8, "the digits of the code")
    equal(client.returns(200, "GET", f"/local/outbox?phone={quote(TEST_PHONE)}")["messages"], [], "the outbox")
    verify = {"session_id": sent["session_id"], "phone": TEST_PHONE, "auth_code": TEST_CODE}
    equal(client.returns(200, "POST", f"{API}/sms-auth/verify", verify), {"is_verified": True}, "the response")


def check_local_outbox(client):
    path = "/local/outbox?phone=%2B821034567890"
    client.rejects(403, "REQUEST__CROSS_SITE", "GET", path, Host="evil.example:9000")
    client.returns(200, "GET", path, Host=f"127.0.0.1:{client.port}")


def check_errors(client):
    wrong = {"email": "jiho@example.com", "password": "a wrong guess"}
    client.rejects(401, "USER__NOT_MATCHED", "POST", f"{API}/login", wrong)
    reset = {"email": "minji@example.com", "password": "correct horse battery"}
    client.rejects(401, "USER__NOT_MATCHED", "POST", f"{API}/login", reset)
    client.rejects(400, "REQUEST__MALFORMED", "POST", f"{API}/login", '{"email": "jiho@example.com", "password"')
    client.rejects(413, "REQUEST__TOO_LARGE", "POST", f"{API}/login", {"password": "x" * 17000})
    client.rejects(422, "REQUEST__INVALID", "PUT", f"{API}/password", {})


def check_sessions(client, tokens):
    refresh = {"refresh_token": tokens["refresh_token"]}
    with ThreadPoolExecutor(50) as clients:
        calls = [clients.submit(client.returns, 200, "POST", f"{API}/token/refresh", refresh) for _ in range(50)]
        pairs = [call.result() for call in calls]
    generations = {parts_of(pair["refresh_token"])[1]["generation"] for pair in pairs}
    equal(generations, {1}, "the generations returned by 50 concurrent refreshes")
    for pair in pairs[::10]:
        client.returns(200, "GET", f"{API}/profile", Authorization=f"Bearer {pair['access_token']}")
    latest = {"refresh_token": pairs[-1]["refresh_token"]}
    client.returns(200, "POST", f"{API}/token/refresh", latest)
    client.rejects(401, "TOKEN__REUSED", "POST", f"{API}/token/refresh", refresh)
    client.rejects(401, "TOKEN__REVOKED", "POST", f"{API}/token/refresh", latest)

    access = {"refresh_token": tokens["access_token"]}
    client.rejects(401, "TOKEN__INVALID", "POST", f"{API}/token/refresh", access)
    client.rejects(401, "TOKEN__INVALID", "POST", f"{API}/logout", access)
    client.rejects(422, "REQUEST__INVALID", "POST", f"{API}/logout", refresh | {"everywhere": "yes"})
    one, other = (client.returns(200, "POST", f"{API}/login", LOGIN) for _ in range(2))
    for everywhere in [False, True, True, False]:
        logout = {"refresh_token": one["refresh_token"], "everywhere": everywhere}
        client.returns(204, "POST", f"{API}/logout", logout)
    for pair in [one, other]:
        client.rejects(401, "TOKEN__REVOKED", "POST", f"{API}/token/refresh", {"refresh_token": pair["refresh_token"]})
        client.rejects(401, "TOKEN__REVOKED", "GET", f"{API}/profile", Authorization=f"Bearer {pair['access_token']}")


def check_unknown_routes(client):
    # Cargo lambda itself responds.
    for method, path in [("GET", f"{API}/nothing"), ("POST", f"{API}/profile"), ("GET", f"{API}/profile/")]:
        status, _, response = client.call(method, path)
        equal((status, "error_code" in response), (404, False), f"{method} {path}")


def check_restarted(client, tokens):
    response = client.returns(200, "GET", f"{API}/profile", Authorization=f"Bearer {tokens['access_token']}")
    equal(response["nickname"], "jiho", "the profile, with a token from before the restart")
    refresh = {"refresh_token": tokens["refresh_token"]}
    expect_tokens(json.dumps(client.returns(200, "POST", f"{API}/token/refresh", refresh)), others=())
    login = {"phone": "+82 10-9901-2345", "password": OTHER["password"]}
    expect_tokens(json.dumps(client.returns(200, "POST", f"{API}/login", login)))
