"""Every command but import, export and doctor, with what the operator sees."""

import time

from people import CREATED_AT, person, write
from program import ROOT, check, equal

MINJI = person(1, email="Minji@example.com", phone="+821012345678", name="Kim Minji", nickname="minji")
ID = MINJI["id"]
SETTINGS = (ROOT / "shared/src/config/settings.rs").read_text("utf-8")
KEYS = ("010-1234-5678", "minji@EXAMPLE.com", ID.upper())


def check_acts(deployment):
    write(deployment.folder / "one.jsonl", [MINJI])
    deployment.text("import", "one.jsonl")
    check_find(deployment)
    check_changes(deployment)
    check_claims(deployment)
    check_sms(deployment)
    check_limits(deployment)
    check_lost_audit(deployment)
    check_delete(deployment)
    check_usage(deployment)
    check_audit(deployment)


def check_find(deployment):
    shown = {name: value for name, value in MINJI.items() if name != "password_hash"}
    for key in KEYS:
        equal(deployment.json("find", key), shown, f"the user {key}")
    text = deployment.text("find", KEYS[0])
    for line in ("Kim Minji", "Minji@example.com", "+821012345678", "2023-11-14T22:13:21Z", ID):
        check(line in text, f"{line} is missing in {text}")
    check("$2" not in text, "find shows the hash")
    equal(deployment.error("find", "010-9999-9999"), "Error: no user has this key", "an unknown user")
    equal(deployment.json("find", "nobody@example.com", code=1), {"error": "no user has this key"}, "an unknown user")


def check_changes(deployment):
    equal(deployment.text("disable", KEYS[0]), f"The user {ID} is disabled.", "disable")
    check(deployment.json("find", ID)["is_disabled"] is True, "the user is not disabled")
    check("disabled        yes" in deployment.text("find", ID), "find does not show it")
    equal(deployment.json("enable", KEYS[1]), {"id": ID, "is_disabled": False}, "enable")
    deployment.start_session(ID, MINJI["token_version"])
    equal(deployment.text("end-sessions", ID), f"All sessions of the user {ID} are revoked.", "end-sessions")
    equal(deployment.sessions(ID), 0, "the sessions")
    user = deployment.json("find", ID)
    equal((user["is_disabled"], user["token_version"]), (False, MINJI["token_version"] + 1), "the user")
    check(user["updated_at"] > CREATED_AT + 1_000_000, "the change has no time")


def check_claims(deployment):
    equal(deployment.json("claims", ID)["claims"], {"role": "editor", "level": 1}, "the claims")
    changed = deployment.json("claims", ID, "level=2", "is_staff=true", "note=a b", "--unset", "role")
    expected = {"level": 2, "is_staff": True, "note": "a b"}
    equal(changed["claims"], expected, "the changed claims")
    equal(deployment.json("find", ID)["claims"], expected, "the claims of the user")
    for bad in ("sub=someone", "role", "level=1.5"):
        check("claim" in deployment.error("claims", ID, bad, code=2), f"{bad} is accepted")
    error = deployment.error("claims", ID, "level=2", "sub=someone", code=2)
    equal(error, "Error: the name sub is reserved: give the claim another name", "a reserved claim")
    equal(deployment.json("claims", ID)["claims"], expected, "the claims after a refused change")
    deployment.text("claims", ID, "--clear")
    equal(deployment.text("claims", ID), "The user has no claims.", "cleared claims")


def check_sms(deployment):
    check("SMS are paused" in deployment.text("pause-sms"), "pause-sms")
    check("SMS are paused" in deployment.text("limits"), "limits after a pause")
    deployment.set_sms_of_day(int(time.time()) // 86400, 12)
    day = deployment.json("limits")["sms_of_day"]
    equal((day["count"], day["is_paused"]), (12, True), "the SMS of the day")
    equal(deployment.json("resume-sms"), {"is_paused": False}, "resume-sms")
    text = deployment.text("limits")
    check(text.startswith("12 of ") and "SMS are not paused." in text, text)
    day = deployment.json("limits")["sms_of_day"]
    equal((day["count"], day["is_paused"]), (12, False), "the SMS of the day after a pause")


def check_limits(deployment):
    def left(*arguments):
        limits = deployment.json("limits", *arguments)["limits"]
        for one in limits:
            check(f'"{one["limit"]}"' in SETTINGS, f"{one} is not named by its setting")
        return {one["limit"]: one for one in limits}

    later = int(time.time()) + 5 * 3600 - 60
    deployment.set_counts("SMS#PHONE#+821012345678", {"idle_at": later, "idle_at_interval": later})
    deployment.set_counts(f"PASSWORD#USER#{ID}", {"in_a_row": 100})
    deployment.set_counts("CHECK#IP#203.0.113.7", {"idle_at": 1})
    limits = left("010-1234-5678")
    phone = limits["SMS_PER_PHONE"]
    equal((phone["remaining"], phone["of"]), (0, 5), "the SMS to the phone")
    check(0 < phone["retry_after"] <= 3600, phone)
    equal(limits["SMS_PER_PHONE_FOR_UNNAMED_RESET"]["remaining"], 2, "resets without a purpose")
    equal(limits["PASSWORDS_PER_ACCOUNT"]["remaining"], 10, "passwords")
    equal(limits["PASSWORDS_IN_A_ROW"]["remaining"], 0, "passwords in a row")
    text = deployment.text("limits", ID)
    check("the next one in" in text and "a login by code or a reset allows" in text, text)
    address = left("--ip", "203.0.113.7")
    checks = address["CHECKS_PER_IP"]
    equal(checks["remaining"], checks["of"], "the checks of the address")
    equal(len(address), 3, "the limits of the address")
    equal(len(left("nobody@example.com")), 2, "the limits of an email without an account")
    equal(deployment.error("limits", person(9)["id"]), "Error: no user has this key", "limits of an unknown id")


def check_lost_audit(deployment):
    """Without its audit line, an act does not happen."""
    restore = deployment.lose_audit_log()
    try:
        for act in (["disable", ID], ["delete", ID, "--yes"], ["import", "two.jsonl"], ["export", "all.jsonl"]):
            write(deployment.folder / "two.jsonl", [person(2)])
            check("nothing was done" in deployment.error(*act), f"{act} happens without an audit line")
    finally:
        restore()
    check(deployment.json("find", ID)["is_disabled"] is False, "the user was changed")
    deployment.error("find", person(2)["id"])
    check(not (deployment.folder / "all.jsonl").exists(), "the users were exported")


def check_delete(deployment):
    equal(deployment.error("delete", ID, code=2), "Error: delete requires --yes without a terminal", "delete")
    shown = deployment.type("no", "delete", ID, code=1)
    check("Type yes:" in shown and "nothing was deleted" in shown, shown)
    deployment.text("find", ID)
    equal(deployment.text("delete", ID, "--yes"), f"The user {ID} is deleted.", "delete")
    for key in KEYS:
        deployment.error("find", key)
    # Email and phone number are free.
    write(deployment.folder / "again.jsonl", [{**MINJI, "id": person(3)["id"]}])
    equal(deployment.json("import", "again.jsonl")["created"], 1, "the second user")
    deployment.type("yes", "delete", KEYS[0])
    deployment.error("find", KEYS[0])


def check_usage(deployment):
    for arguments in (["find"], ["find", "not a key"], ["limits", "--ip", "x"], ["unknown"], ["import", "x", "--rate", "0"]):
        deployment.error(*arguments, code=2)
    error = deployment.error("find", "not a key", code=2)
    check("phone number" in error and "email" in error and "id" in error, error)
    for command in ("find", "disable", "claims", "limits", "import", "export", "doctor", "delete", "pause-sms"):
        help_text = deployment.text(command, "--help")
        check("Example" in help_text, f"the help of {command} has no example")


def check_audit(deployment):
    lines = deployment.audit_lines()
    acts = {}
    for line in lines:
        equal((line["event"], line["level"]), ("operator", "INFO"), "an audit line")
        check(line["who"] and line["timestamp"].endswith("Z"), line)
        acts.setdefault(line["act_id"], []).append(line)
    outcomes = [tuple(line["outcome"] for line in act) for act in acts.values()]
    equal(set(outcomes), {("started", "done")}, "the lines of each act")
    commands = [act[0]["command"] for act in acts.values()]
    for command in ("disable", "enable", "end-sessions", "delete", "claims", "pause-sms", "resume-sms", "import"):
        check(command in commands, f"no audit line of {command}")
    of_user = [act[0] for act in acts.values() if act[0]["command"] == "disable"]
    equal([line["user_id"] for line in of_user], [ID], "the user of disable")
    printed = str(lines)
    for personal in ("1012345678", "minji@example.com", "Minji@", "editor", "$2"):
        check(personal not in printed, f"the audit log contains {personal}")
