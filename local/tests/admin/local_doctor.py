"""doctor on the users of local runs."""

import sqlite3

from program import Program, check, equal


def check_local_doctor(deployment):
    def findings(code=0, program=deployment):
        return {one["check"]: one for one in program.json("doctor", code=code)["findings"]}

    equal(list(findings()), ["settings", "folder", "keys", "database"], "the findings without data")
    deployment.text("limits")
    equal({one["status"] for one in findings().values()}, {"ok"}, "the findings about new data")
    check(deployment.text("doctor").endswith("Problems: 0, unchecked: 0, warnings: 0"), "doctor in text")

    deployment.text("pause-sms")
    equal(findings()["pause"]["status"], "warning", "paused SMS")
    invalid = Program(deployment.folder, environment={**deployment.environment, "SMS_PER_PHONE": "many"})
    equal(findings(1, invalid)["settings"]["status"], "problem", "an invalid setting")
    check("SMS_PER_PHONE" in invalid.error("limits"), "an invalid setting")
    deployment.data.chmod(0o755)
    folder = findings(1)["folder"]
    equal((folder["status"], folder["action"]), ("problem", f"Run: chmod 700 {deployment.data}"), "an open folder")
    deployment.data.chmod(0o700)
    with sqlite3.connect(deployment.data / "ably.db") as database:
        database.execute("PRAGMA user_version = 999")
    database.close()
    text = deployment.text("doctor", code=1)
    check(text.startswith("PROBLEM   database") and "another version" in text, text)
    check("another version" in deployment.error("limits"), "a database of another version")
