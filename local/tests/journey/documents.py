"""Walks through the commands of the documentation, and compares the responses that it shows."""

import json
import re
import shlex
import subprocess
from itertools import takewhile

from assertions import check, equal
from server import ROOT, SECONDS_BETWEEN_SENDS
from tokens import expect_tokens

API_DOCUMENT = "functions/README.md"
LOCAL_DOCUMENT = "local/README.md"
# The blocks of commands, which continue each other: the file, and how the block begins.
BLOCKS = [("README.md", "# Define the address of the API"), (LOCAL_DOCUMENT, "# Check whether the email")]


def text_of(file):
    return (ROOT / file).read_text("utf-8")


def commands_of(document, begins):
    """Returns the commands of a block, each with the response that the lines below it show, or None."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    blocks = [block for block in blocks if block.startswith(begins)]
    equal(len(blocks), 1, f"blocks that begin with {begins!r}")
    commands = []
    for line in blocks[0].replace("\\\n", "").splitlines():
        if line.startswith("# {"):
            command, shown = commands[-1]
            equal(shown, None, f"the response that is shown of {command!r}")
            commands[-1] = (command, line.removeprefix("# "))
        elif line and not line.startswith("#"):
            commands.append((line, None))
    return commands


def all_commands():
    return [command for file, begins in BLOCKS for command in commands_of(text_of(file), begins)]


def check_shown(shown, found, path="the response"):
    """Checks that a response has the members and values that are shown. `…` in a text stands for any characters."""
    if isinstance(shown, dict) and isinstance(found, dict):
        equal(list(found), list(shown), f"the members of {path}")
        for name, value in shown.items():
            check_shown(value, found[name], f"{path}: {name}")
    elif isinstance(shown, list) and isinstance(found, list):
        equal(len(found), len(shown), f"the length of {path}")
        for nth, value in enumerate(shown):
            check_shown(value, found[nth], f"{path}: {nth}")
    elif isinstance(shown, str) and isinstance(found, str):
        pattern = ".+".join(map(re.escape, shown.split("…")))
        check(re.fullmatch(pattern, found, re.DOTALL), f"{path}: shown as {shown!r}, found {found!r}")
    elif type(shown) is int and shown > 1_000_000_000 and type(found) is int:
        # A time: the documentation shows another one.
        check(found > 1_000_000_000, f"{path}: {found}")
    else:
        equal((type(found), found), (type(shown), shown), path)


def check_output(shown, output):
    """Checks that the documentation shows a response if there is one, and that it is this one."""
    check((shown is None) == (not output), f"the documentation shows {shown!r} for {output!r}")
    if shown is not None:
        # The journey waits for less time than the default.
        shown = shown.replace('"resend_after":60', f'"resend_after":{SECONDS_BETWEEN_SENDS}')
        check_shown(json.loads(shown), json.loads(output))


def expect_json(expected):
    return lambda output: equal(json.loads(output), expected, "the response")


def expect_sent(output):
    response = json.loads(output)
    check(response.pop("session_id"), "no id of the SMS session")
    expected = {"expires_in": 300, "resend_after": SECONDS_BETWEEN_SENDS, "code_length": 6}
    equal(response, expected, "the response")


def expect_reset(output):
    response = json.loads(output)
    check(response.pop("device_token"), "no device token")
    equal(response, {"is_password_reset": True}, "the response")


def expect_sessions(output):
    [session] = json.loads(output)["sessions"]
    equal(session["is_current"], True, "whether the session is the current one")


def expect_nothing(output):
    equal(output, "", "the output")


def expect_error(error_code):
    return lambda output: equal(json.loads(output)["error_code"], error_code, "the error code")


def expect_jwks(output):
    [key] = json.loads(output)["keys"]
    equal(sorted(key), sorted("kty use alg kid n e".split()), "the members of the key")


PROFILE = {"name": "Kim Minji", "email": "minji@example.com", "phone": "+821012345678", "nickname": "minji"}

# For each command of the documentation, in order: a part of it, and the check of its output.
EXPECTATIONS = [
    ("API=", expect_nothing),
    ("field()", expect_nothing),
    ("outbox_code()", expect_nothing),
    ("SENT=", expect_nothing),
    ("echo", expect_sent),
    ("SESSION=", expect_nothing),
    ("CODE=", expect_nothing),
    ("/sms-auth/verify", expect_json({"is_verified": True})),
    ("/signup", expect_tokens),
    ("TOKENS=", expect_nothing),
    ("ACCESS=", expect_nothing),
    ("/profile", expect_json(PROFILE)),
    ("REFRESH=", expect_nothing),
    ("/token/refresh", lambda output: expect_tokens(output, others=())),
    ("/email/duplicate-check", expect_json({"is_duplicated": True})),
    ("/phone/duplicate-check", expect_json({"is_duplicated": True})),
    ("/.well-known/jwks.json", expect_jwks),
    ("-X PATCH", expect_json(PROFILE | {"nickname": "mj"})),
    ("/password/change", expect_nothing),
    ("/sessions", expect_sessions),
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
    ("ACCESS=", expect_nothing),
    ("-X DELETE", expect_nothing),
    ("-X DELETE", expect_error("TOKEN__INVALID")),
]


def walk_documents(port, secrets):
    """Passes each command to the same bash, as if pasted."""
    commands = all_commands()
    equal(len(commands), len(EXPECTATIONS), "the documentation's commands (each has its line in EXPECTATIONS)")
    end = "-- end of the command --"
    variables = sorted({name for line, _ in commands for name in re.findall(r"^([A-Z]+)=", line)} - {"API"})
    with subprocess.Popen(
        ["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    ) as bash:
        try:
            for (command, shown), (part, expect) in zip(commands, EXPECTATIONS):
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
                check_output(shown, output)
        finally:
            # A command may still wait for a response.
            bash.kill()
    seen = dict(zip(variables, now))
    check(re.fullmatch(r"\d{8}", seen["CODE"]), "no code of eight digits was found in the outbox")


def check_invoke(port):
    """Runs the documentation's command that invokes one function with its event."""
    [line] = re.findall(r"^target/tools/.* lambda invoke .*$", text_of(LOCAL_DOCUMENT), re.MULTILINE)
    print("$", line, flush=True)
    arguments = [*shlex.split(line), "--invoke-port", str(port)]
    response = json.loads(subprocess.run(arguments, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    equal(response["statusCode"], 401, "the status of a login with the event's password")
