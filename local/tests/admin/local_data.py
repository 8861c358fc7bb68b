"""The users of local runs, in an empty LOCAL_DIR."""

import json
import sqlite3

from program import Program


class LocalData(Program):
    def __init__(self, folder):
        self.data = folder / "data"
        super().__init__(folder, environment={"LOCAL_DIR": str(self.data)})

    def set_counts(self, subject, numbers):
        with sqlite3.connect(self.data / "ably.db") as database:
            rows = [(subject, name, number) for name, number in numbers.items()]
            database.executemany("INSERT INTO limits VALUES (?, ?, ?, NULL)", rows)
        database.close()

    def set_sms_of_day(self, day, count):
        with sqlite3.connect(self.data / "ably.db") as database:
            database.execute("UPDATE sms_of_day SET day = ?, count = ?", (day, count))
        database.close()

    def start_session(self, user_id, token_version):
        with sqlite3.connect(self.data / "ably.db") as database:
            row = (user_id, "a", 0, 0, 0, "", token_version, 2**40)
            database.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        database.close()

    def sessions(self, user_id):
        database = sqlite3.connect(self.data / "ably.db")
        (count,) = database.execute("SELECT count(*) FROM sessions WHERE user_id = ?", (user_id,)).fetchone()
        database.close()
        return count

    def audit_lines(self):
        return [json.loads(line) for line in (self.data / "audit.jsonl").read_text("utf-8").splitlines()]

    def lose_audit_log(self):
        """Replaces the log by a folder, in which no line can be written. Returns what restores it."""
        log, kept = self.data / "audit.jsonl", self.data / "kept"
        log.rename(kept)
        log.mkdir()

        def restore():
            log.rmdir()
            kept.rename(log)

        return restore
