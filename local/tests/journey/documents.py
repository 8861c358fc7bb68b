"""Walks through the commands of the README."""

import json
import re
import shlex
import subprocess
from itertools import takewhile

from assertions import check, equal
from server import ROOT
from tokens import expect_tokens

BLOCK_BEGINS = "# What the lines below need"


def readme():
    return (ROOT / "README.md").read_text("utf-8")


def readme_commands():
    blocks = re.findall(r"^```sh\n(.*?)^```$", readme(), re.DOTALL | re.MULTILINE)
    blocks = [block for block in blocks if block.startswith(BLOCK_BEGINS)]
    equal(len(blocks), 1, f"blocks of the README that begin with {BLOCK_BEGINS!r}")
    lines = blocks[0].replace("\\\n", "").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def expect_json(expected):
    return lambda output: equal(json.loads(output), expected, "the response")


def expect_reset(output):
    response = json.loads(output)
    check(response.pop("device_token"), "no device token")
    equal(response, {"is_password_reset": True}, "the response")


def expect_nothing(output):
    equal(output, "", "the output")


def expect_error(error_code):
    return lambda output: equal(json.loads(output)["error_code"], error_code, "the error code")


def expect_jwks(output):
    [key] = json.loads(output)["keys"]
    equal(sorted(key), sorted("kty use alg kid n e".split()), "the members of the key")


PROFILE = {"name": "Kim Minji", "email": "minji@example.com", "phone": "+821012345678", "nickname": "minji"}

# For each command of the README, in order: a part of it, and the check of its output.
EXPECTATIONS = [
    ("API=", expect_nothing),
    ("field()", expect_nothing),
    ("outbox_code()", expect_nothing),
    ("/email/duplicate-check", expect_json({"is_duplicated": False})),
    ("/phone/duplicate-check", expect_json({"is_duplicated": False})),
    ("/sms-auth/send", expect_nothing),
    ("CODE=", expect_nothing),
    ("/sms-auth/verify", expect_json({"is_verified": True})),
    ("/signup", expect_tokens),
    ("TOKENS=", expect_nothing),
    ("ACCESS=", expect_nothing),
    ("/profile", expect_json(PROFILE)),
    ("REFRESH=", expect_nothing),
    ("/token/refresh", lambda output: expect_tokens(output, others=())),
    ("/.well-known/jwks.json", expect_jwks),
    ("/sms-auth/send", expect_nothing),
    ("CODE=", expect_nothing),
    ("/login/code", expect_tokens),
    ("/sms-auth/send", expect_nothing),
    ("CODE=", expect_nothing),
    ("/sms-auth/verify", expect_json({"is_verified": True})),
    ("/password", expect_reset),
    ("/profile", expect_error("TOKEN__REVOKED")),
    ("REFRESH=", expect_nothing),
    ("/logout", expect_nothing),
    ("/token/refresh", expect_error("TOKEN__REVOKED")),
]


def walk_readme(port, secrets):
    """Passes each command to the same bash, as if pasted."""
    commands = readme_commands()
    equal(len(commands), len(EXPECTATIONS), "the README's commands (each has its line in EXPECTATIONS)")
    end = "-- end of the command --"
    variables = sorted({name for line in commands for name in re.findall(r"^([A-Z]+)=", line)} - {"API"})
    with subprocess.Popen(
        ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    ) as bash:
        try:
            for command, (part, expect) in zip(commands, EXPECTATIONS):
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
                secrets.add_from(command)
                secrets.add_from(output)
                expect(output)
        finally:
            # A command may still wait for a response.
            bash.kill()
    seen = dict(zip(variables, now))
    check(re.fullmatch(r"\d{8}", seen["CODE"]), "no code of eight digits was found in the outbox")


def check_invoke(port):
    """Runs the README's command that invokes one function with its event."""
    [line] = re.findall(r"^target/tools/.* lambda invoke .*$", readme(), re.MULTILINE)
    print("$", line, flush=True)
    arguments = [*shlex.split(line), "--invoke-port", str(port)]
    response = json.loads(subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    equal(response["statusCode"], 401, "the status of a login with the event's password")
