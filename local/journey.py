#!/usr/bin/env python3
"""The journeys: the real programs under local/run, walked by the README's own lines.

    JOSE=... local/journey.py PORT

JOSE is that npm package, unpacked; PyJWT must be there to import. local/test sees to both.

Starts local/run on that port, with accounts of its own; walks the README; looks at what only real
HTTP shows; runs the README's verifiers; stops and starts it again; and searches all that it printed
for secrets.
"""

import base64
import http.client
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK_BEGINS = "# What the lines below need"
API = "/api/v1/users"
SECONDS_TO_COMPILE = 900
SECONDS_TO_WALK = 300
# curl has to wait for it, but not for the minute that is the default.
SECONDS_BETWEEN_SENDS = 5
TOKENS = ["access_token", "refresh_token"]


def check(truth, what):
    if not truth:
        raise AssertionError(what)


def equal(found, expected, what):
    check(found == expected, f"{what}: expected {expected!r}, found {found!r}")


class Server:
    """local/run, and all that it prints."""

    def __init__(self, port, folder):
        self.port = port
        self.lines = []
        settings = {
            "LOCAL_DIR": str(folder),
            "SECONDS_BETWEEN_SENDS": str(SECONDS_BETWEEN_SENDS),
            # The functions tell all that they ever would. RUST_LOG is for them alone: at that level
            # cargo lambda prints requests.
            "AWS_LAMBDA_LOG_LEVEL": "TRACE",
        }
        self.process = subprocess.Popen(
            [ROOT / "local/run", "--invoke-port", str(port), "--ignore-changes", "--env-var", "RUST_LOG=trace"],
            cwd=folder,  # it works from anywhere
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()

    def wait(self):
        deadline = time.monotonic() + SECONDS_TO_COMPILE
        while time.monotonic() < deadline:
            check(self.process.poll() is None, "local/run ended by itself")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"local/run did not serve within {SECONDS_TO_COMPILE} s")

    def stop(self):
        """As Ctrl-C does it."""
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(timeout=20)
        # The functions hold the same pipe: it ends when the last of them is gone.
        self.reader.join(timeout=20)
        check(not self.reader.is_alive(), "a function outlived local/run")

    def kill(self):
        """If anything went wrong before `stop`."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)


class Secrets:
    """What was seen in the journey, and must be in no log."""

    def __init__(self):
        self.values = set()
        self.phones = {"1012345678", "1023456789"}  # in Korea, in whatever spelling

    def add(self, *values):
        self.values.update(value for value in values if value)

    def add_answer(self, text):
        """Those in an answer, or in a request."""
        for name in ["session_id", "access_token", "refresh_token", "password", "email", "auth_code"]:
            self.add(*re.findall(rf'\\?"{name}\\?": ?\\?"([^"$\\]+)', text))

    def leak(self, line):
        """The first one in `line`."""
        # Its six digits are no code.
        line = re.sub(r'"timestamp":"[^"]*"', "", line).lower()
        for value in self.values:
            if re.search(rf"(?<![a-z0-9]){re.escape(value.lower())}(?![a-z0-9])", line):
                return value
        for phone in self.phones:
            if phone in re.sub(r"[^a-z0-9]", "", line):
                return phone
        # Of any token, and of any password's hash.
        found = re.search(r"eyj[a-z0-9_-]{10,}|\$2[abxy]\$\d\d\$", line)
        return found and found.group()


# ---- The README ----


def readme():
    return (ROOT / "README.md").read_text("utf-8")


def readme_commands():
    blocks = re.findall(r"^```sh\n(.*?)^```$", readme(), re.DOTALL | re.MULTILINE)
    blocks = [block for block in blocks if block.startswith(BLOCK_BEGINS)]
    equal(len(blocks), 1, f"blocks of the README that begin with {BLOCK_BEGINS!r}")
    lines = blocks[0].replace("\\\n", "").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def is_answer(expected):
    return lambda output: equal(json.loads(output), expected, "the answer")


def is_nothing(output):
    equal(output, "", "the output")


def is_refused(error_code):
    return lambda output: equal(json.loads(output)["error_code"], error_code, "the error code")


def parts_of(token):
    """The header and the claims."""
    parts = token.split(".")
    equal(len(parts), 3, "the parts of a token")
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts[:2]]


def is_tokens(output):
    answer = json.loads(output)
    equal(sorted(answer), TOKENS, "the answer's fields")
    names = "user_id sub iss aud iat exp jti token_use epoch".split()
    for name, seconds, more in zip(TOKENS, [900, 30 * 24 * 60 * 60], [[], ["family", "generation", "auth_time"]]):
        header, claims = parts_of(answer[name])
        equal(header["alg"], "RS256", "the algorithm")
        equal(sorted(claims), sorted(names + more), "the claims")
        equal(claims["exp"] - claims["iat"], seconds, f"the seconds of the {name}")
        equal(claims["token_use"], name.partition("_")[0], "token_use")


def is_jwks(output):
    [key] = json.loads(output)["keys"]
    equal(sorted(key), sorted("kty use alg kid n e".split()), "the members of the key")


PROFILE = {"name": "Kim Minji", "email": "minji@example.com", "phone": "+821012345678", "nickname": "minji"}

# Of each command of the README, in order: what it has in it, and what a reader sees.
EXPECTATIONS = [
    ("API=", is_nothing),
    ("field()", is_nothing),
    ("outbox_code()", is_nothing),
    ("/email/duplicate-check", is_answer({"is_duplicated": False})),
    ("/phone/duplicate-check", is_answer({"is_duplicated": False})),
    ("/sms-auth/send", is_nothing),
    ("CODE=", is_nothing),
    ("/sms-auth/verify", is_answer({"is_verified": True})),
    ("/signup", is_tokens),
    ("TOKENS=", is_nothing),
    ("ACCESS=", is_nothing),
    ("/profile", is_answer(PROFILE)),
    ("REFRESH=", is_nothing),
    ("/token/refresh", is_tokens),
    ("/.well-known/jwks.json", is_jwks),
    ("/sms-auth/send", is_nothing),
    ("CODE=", is_nothing),
    ("/sms-auth/verify", is_answer({"is_verified": True})),
    ("/password", is_answer({"is_password_reset": True})),
    ("/profile", is_refused("TOKEN__REVOKED")),
    ("REFRESH=", is_nothing),
    ("/logout", is_nothing),
    ("/token/refresh", is_refused("TOKEN__REVOKED")),
]


def walk_readme(port, secrets):
    """Gives each command to one bash, as if pasted."""
    commands = readme_commands()
    equal(len(commands), len(EXPECTATIONS), "the README's commands (each has its line in EXPECTATIONS)")
    end = "-- end of the command --"
    variables = sorted({name for line in commands for name in re.findall(r"^([A-Z]+)=", line)} - {"API"})
    with subprocess.Popen(
        ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    ) as bash:
        try:
            for command, (part, sees) in zip(commands, EXPECTATIONS):
                print("$", command, flush=True)
                check(part in command, f"expected a command with {part!r}")
                values = " ".join(f'"${name}"' for name in variables)
                print(command.replace("localhost:9000", f"localhost:{port}"), file=bash.stdin)
                print(f"printf '%s\\n' '' $? {values} '{end}'", file=bash.stdin, flush=True)
                lines = [line.rstrip("\n") for line in takewhile(lambda line: line != f"{end}\n", bash.stdout)]
                output, (status, *now) = "\n".join(lines[: -len(variables) - 1]).strip(), lines[-len(variables) - 1 :]
                if output:
                    print(output, flush=True)
                equal(status, "0", "the exit status")
                secrets.add(*now)
                secrets.add_answer(command)
                secrets.add_answer(output)
                sees(output)
        finally:
            # It may be waiting for an answer.
            bash.kill()
    seen = dict(zip(variables, now))
    check(re.fullmatch(r"\d{6}", seen["CODE"]), "no code of six digits was found in the outbox")


def check_invoke(port):
    """The README's line that gives one function its event."""
    [line] = re.findall(r"^target/tools/.* lambda invoke .*$", readme(), re.MULTILINE)
    print("$", line, flush=True)
    arguments = [*shlex.split(line), "--invoke-port", str(port)]
    answer = json.loads(subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    equal(answer["statusCode"], 401, "the status of a login with the event's password")


# ---- What only real HTTP shows ----


class Client:
    def __init__(self, port, secrets):
        self.port = port
        self.secrets = secrets

    def call(self, method, path, body=None, **headers):
        """The status, the headers and the JSON of the answer; a body that is no text is sent as JSON."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=120)
        body = body if body is None or isinstance(body, str) else json.dumps(body)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        self.secrets.add_answer(text)
        return answer.status, answer.headers, json.loads(text) if text else None

    def answers(self, status, method, path, body=None, **headers):
        """The JSON of an answer that has what every answer of ours has."""
        found, head, answer = self.call(method, path, body, **headers)
        equal(found, status, f"{method} {path}")
        is_error = status >= 400
        if status == 204:
            equal(answer, None, "the body")
        else:
            equal(head["content-type"], "application/problem+json" if is_error else "application/json", "content-type")
        is_public = path.startswith("/.well-known/")
        equal(head["cache-control"], "public, max-age=300" if is_public else "no-store", "cache-control")
        if is_error:
            equal(answer["status"], status, "the error's status")
            check({"type", "title", "detail", "error_code"} <= set(answer), f"fields of {answer}")
        if status == 401 and answer["error_code"].startswith("TOKEN__"):
            equal(head["www-authenticate"].split()[0], "Bearer", "www-authenticate")
        if status in (429, 503):
            check(int(head["retry-after"]) > 0, "retry-after")
        return answer

    def refuses(self, status, error_code, method, path, body=None, **headers):
        answer = self.answers(status, method, path, body, **headers)
        equal(answer["error_code"], error_code, f"{method} {path}")


def check_http(client):
    secrets = client.secrets
    user = {"email": "Jiho@example.com", "nickname": "jiho", "name": "Lee Jiho", "password": "staple battery horse"}
    secrets.add(user["email"], user["password"], "a wrong guess")

    # The specification's way: GET, with a plus that nobody escaped, and its spelling of sign-up.
    sent = client.answers(200, "GET", f"{API}/sms-auth/send?phone=+821023456789")
    session = sent["session_id"]
    equal(sent, {"session_id": session, "expires_in": 300, "resend_after": SECONDS_BETWEEN_SENDS}, "the session")
    client.refuses(429, "SMS__TOO_MANY_REQUESTS", "POST", f"{API}/sms-auth/send", {"phone": "010 2345 6789"})
    messages = client.answers(200, "GET", "/local/outbox?phone=+821023456789")["messages"]
    equal([sorted(message) for message in messages], [["phone", "sent_at", "text"]], "the outbox")
    code = re.search(r"\d{6}", messages[0]["text"]).group()
    wrong = "000000" if code != "000000" else "000001"
    secrets.add(code)
    verify = {"session_id": session, "phone": "010-2345-6789", "auth_code": wrong}
    client.refuses(401, "SMS__AUTH_CODE_NOT_MATCHED", "POST", f"{API}/sms-auth/verify", verify)
    user |= {"phone": "82-10-2345-6789", "session_id": session}
    client.refuses(401, "USER__PHONE_NOT_VERIFIED", "POST", f"{API}/singup", user)
    answer = client.answers(200, "POST", f"{API}/sms-auth/verify", verify | {"auth_code": code})
    equal(answer, {"is_verified": True}, "the answer")
    taken = user | {"email": "MINJI@example.com"}
    client.refuses(409, "USER__ALREADY_EXIST", "POST", f"{API}/signup", taken, **{"Content-Type": "application/json"})
    is_tokens(json.dumps(client.answers(201, "POST", f"{API}/singup", user)))
    client.refuses(401, "USER__PHONE_NOT_VERIFIED", "POST", f"{API}/signup", user | {"email": "other@example.com"})

    tokens = client.answers(200, "POST", f"{API}/login", {"email": "JIHO@example.com", "password": user["password"]})
    access, refresh = (tokens[name] for name in TOKENS)
    profile = client.answers(200, "GET", f"{API}/profile", Authorization=f"Bearer {access}")
    expected = {"name": "Lee Jiho", "email": "Jiho@example.com", "phone": "+821023456789", "nickname": "jiho"}
    equal(profile, expected, "the profile")
    for taken in ["email/duplicate-check?email=jiho@EXAMPLE.com", "phone/duplicate-check?phone=%2B82%2010-2345-6789"]:
        equal(client.answers(200, "GET", f"{API}/{taken}"), {"is_duplicated": True}, taken)

    client.refuses(401, "TOKEN__MISSING", "GET", f"{API}/profile")
    client.refuses(401, "TOKEN__INVALID", "GET", f"{API}/profile", Authorization=f"Bearer {refresh}")
    wrong = {"email": "jiho@example.com", "password": "a wrong guess"}
    client.refuses(401, "USER__NOT_MATCHED", "POST", f"{API}/login", wrong)
    reset = {"email": "minji@example.com", "password": "correct horse battery"}
    client.refuses(401, "USER__NOT_MATCHED", "POST", f"{API}/login", reset)
    client.refuses(400, "REQUEST__MALFORMED", "POST", f"{API}/login", '{"email": "jiho@example.com", "password"')
    client.refuses(413, "REQUEST__TOO_LARGE", "POST", f"{API}/login", {"password": "x" * 17000})
    client.refuses(422, "REQUEST__INVALID", "PUT", f"{API}/password", {})

    check_logins(client, tokens)

    # No route of ours: cargo lambda itself answers.
    for method, path in [("GET", f"{API}/nothing"), ("POST", f"{API}/profile"), ("GET", f"{API}/profile/")]:
        status, _, answer = client.call(method, path)
        equal((status, "error_code" in answer), (404, False), f"{method} {path}")


def check_logins(client, tokens):
    refresh = {"refresh_token": tokens["refresh_token"]}
    with ThreadPoolExecutor(50) as clients:
        at_once = [clients.submit(client.answers, 200, "POST", f"{API}/token/refresh", refresh) for _ in range(50)]
        pairs = [pair.result() for pair in at_once]
    generations = {parts_of(pair["refresh_token"])[1]["generation"] for pair in pairs}
    equal(generations, {1}, "the generations that 50 refreshes at once got")
    for pair in pairs[::10]:
        client.answers(200, "GET", f"{API}/profile", Authorization=f"Bearer {pair['access_token']}")
    latest = {"refresh_token": pairs[-1]["refresh_token"]}
    client.answers(200, "POST", f"{API}/token/refresh", latest)
    client.refuses(401, "TOKEN__REUSED", "POST", f"{API}/token/refresh", refresh)
    client.refuses(401, "TOKEN__REVOKED", "POST", f"{API}/token/refresh", latest)

    access = {"refresh_token": tokens["access_token"]}
    client.refuses(401, "TOKEN__INVALID", "POST", f"{API}/token/refresh", access)
    client.refuses(401, "TOKEN__INVALID", "POST", f"{API}/logout", access)
    client.refuses(422, "REQUEST__INVALID", "POST", f"{API}/logout", refresh | {"everywhere": "yes"})
    login = {"email": "jiho@example.com", "password": "staple battery horse"}
    one, other = (client.answers(200, "POST", f"{API}/login", login) for _ in range(2))
    for everywhere in [False, True, True, False]:
        ends = {"refresh_token": one["refresh_token"], "everywhere": everywhere}
        client.answers(204, "POST", f"{API}/logout", ends)
    for pair in [one, other]:
        client.refuses(401, "TOKEN__REVOKED", "POST", f"{API}/token/refresh", {"refresh_token": pair["refresh_token"]})
        client.refuses(401, "TOKEN__REVOKED", "GET", f"{API}/profile", Authorization=f"Bearer {pair['access_token']}")


# ---- What other services see ----


PYTHON_DRIVER = """
import sys
for token in sys.argv[1:]:
    try:
        print(user_of(token))
    except jwt.PyJWTError:
        print("refused")
"""
NODE_DRIVER = """
import { errors } from "jose";
import { userOf } from "./verifier.mjs";
for (const token of process.argv.slice(2)) {
  console.log(await userOf(token).catch((error) => {
    if (error instanceof errors.JOSEError) return "refused";
    throw error;
  }));
}
"""


def forged(access, keys):
    """Tokens that no verifier may accept, and what is wrong with each."""
    # Here, so that this file can be read without it.
    import jwt

    header, claims = parts_of(access)
    [key] = [key for key in keys["keys"] if key["kid"] == header["kid"]]
    pem = f"-----BEGIN PRIVATE KEY-----\n{key['private_key']}\n-----END PRIVATE KEY-----\n"

    def sign(secret=pem, algorithm="RS256", **changed):
        return jwt.encode(claims | changed, secret, algorithm, {"kid": header["kid"]})

    head, body, signature = access.split(".")
    return {
        "another issuer": sign(iss="https://accounts.example.org"),
        "another audience": sign(aud="somebody else"),
        "expired": sign(exp=claims["iat"] - 1000),
        "another algorithm of the key": sign(algorithm="RS512"),
        "the public key as a shared secret": sign(key["n"], "HS256"),
        "no algorithm": sign(None, "none"),
        "another signature": ".".join([head, body, signature[1:] + signature[0]]),
    }


def check_verifiers(client, folder, keys):
    """The README's verifiers, word by word but for the address."""
    issuer = f"http://localhost:{client.port}"
    discovered = client.answers(200, "GET", "/.well-known/openid-configuration")
    equal((discovered["issuer"], discovered["jwks_uri"]), (issuer, f"{issuer}/.well-known/jwks.json"), "the discovery")
    published = client.answers(200, "GET", "/.well-known/jwks.json")

    login = {"email": "jiho@example.com", "password": "staple battery horse"}
    tokens = client.answers(200, "POST", f"{API}/login", login)
    access, refresh = (tokens[name] for name in TOKENS)
    header, claims = parts_of(access)
    check(header["kid"] in [key["kid"] for key in published["keys"]], "the token's key is not published")
    bad = {"a refresh token": refresh} | forged(access, keys)
    [python] = re.findall(r"^```python\n(.*?)^```$", readme(), re.DOTALL | re.MULTILINE)
    [node] = re.findall(r"^```js\n(.*?)^```$", readme(), re.DOTALL | re.MULTILINE)
    python, node = (code.replace("https://accounts.example.com", issuer) for code in [python, node])
    check(issuer in python and issuer in node, "the README's verifiers have another address")
    (folder / "verifier.py").write_text(python + PYTHON_DRIVER, "utf-8")
    (folder / "verifier.mjs").write_text(node, "utf-8")
    (folder / "main.mjs").write_text(NODE_DRIVER, "utf-8")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "jose").symlink_to(os.environ["JOSE"])
    for command in [[sys.executable, "verifier.py"], ["node", "main.mjs"]]:
        print("$", *command, flush=True)
        arguments = [*command, access, *bad.values()]
        verified = subprocess.run(arguments, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        answers = dict(zip(["an access token", *bad], verified.stdout.splitlines(), strict=True))
        equal(answers, {"an access token": claims["sub"]} | dict.fromkeys(bad, "refused"), "what a verifier says")
    return tokens


def check_restarted(client, tokens):
    answer = client.answers(200, "GET", f"{API}/profile", Authorization=f"Bearer {tokens['access_token']}")
    equal(answer["nickname"], "jiho", "the profile, with a token of before")
    refresh = {"refresh_token": tokens["refresh_token"]}
    is_tokens(json.dumps(client.answers(200, "POST", f"{API}/token/refresh", refresh)))
    login = {"phone": "+82 10-1234-5678", "password": "a newer horse battery"}
    is_tokens(json.dumps(client.answers(200, "POST", f"{API}/login", login)))


# ---- The log ----


def check_log(lines, secrets, sends):
    of_sender = [line for line in lines if line.startswith("SMS to +82")]
    equal(len(of_sender), sends, "messages in the terminal")
    check(all(secrets.leak(line) for line in of_sender), "the search does not find what it must")
    for line in lines:
        if line not in of_sender:
            check(not secrets.leak(line), f"{secrets.leak(line)!r} is in the log: {line}")
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    refused = {(line.get("function"), line.get("error_code")) for line in logged if line["message"] == "refused"}
    for expected in [("profile", "TOKEN__MISSING"), ("login", "USER__NOT_MATCHED")]:
        check(expected in refused, f"the log lacks the line of {expected}")


def main():
    port = int(sys.argv[1])
    # So that what is started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    # A request to a function that can't start is never answered.
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"No end within {SECONDS_TO_WALK} s"))
    secrets = Secrets()
    client = Client(port, secrets)
    servers = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            servers.append(Server(port, Path(folder)))
            servers[0].wait()
            signal.alarm(SECONDS_TO_WALK)
            walk_readme(port, secrets)
            check_invoke(port)
            check_http(client)
            with tempfile.TemporaryDirectory() as beside:
                keys = json.loads((Path(folder) / "keys.json").read_text("utf-8"))
                tokens = check_verifiers(client, Path(beside), keys)
            servers[0].stop()

            servers.append(Server(port, Path(folder)))
            servers[1].wait()
            check_restarted(client, tokens)
            servers[1].stop()

            check_log(servers[0].lines + servers[1].lines, secrets, sends=3)
        except BaseException:
            print("What local/run printed:\n", *[line for server in servers for line in server.lines], sep="| ")
            raise
        finally:
            for server in servers:
                server.kill()
    print(f"{len(EXPECTATIONS)} commands of the README, real HTTP, its verifiers, a restart and the log: passed")


if __name__ == "__main__":
    main()
