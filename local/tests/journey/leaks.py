"""Searches the log for secrets."""

import json
import re

from assertions import check, equal


# The fields of requests and responses that contain credentials or personal data.
NAMES = "session_id access_token refresh_token device_token current_password password auth_code email name".split()


class Secrets:
    """The secrets of the journey. No log may contain them."""

    def __init__(self):
        self.values = set()
        # Without the prefixes of their spellings.
        self.phones = {"1012345678", "1023456789", "1034567890", "1045678901", "1056789012", "1067890123"}
        self.phones |= {"1078901234", "1089012345", "1091234567", "1099012345", "2025550123"}

    def add(self, *values):
        self.values.update(value for value in values if value)

    def add_from(self, text):
        """Adds the secrets in the text of a request or a response."""
        for name in NAMES:
            self.add(*re.findall(rf'\\?"{name}\\?": ?\\?"([^"$\\]+)', text))

    def find_in(self, line):
        """Returns the first secret in `line`."""
        # The six digits of its microseconds are not a code.
        line = re.sub(r'"timestamp":"[^"]*"', "", line).lower()
        for value in self.values:
            if re.search(rf"(?<![a-z0-9]){re.escape(value.lower())}(?![a-z0-9])", line):
                return value
        for phone in self.phones:
            if phone in re.sub(r"[^a-z0-9]", "", line):
                return phone
        # The beginning of any token, and of any password hash.
        found = re.search(r"eyj[a-z0-9_-]{10,}|\$2[abxy]\$\d\d\$", line)
        return found and found.group()


def check_log(lines, secrets, sends):
    sent = [line for line in lines if line.startswith("SMS to +82")]
    equal(len(sent), sends, "messages in the terminal")
    check(all(secrets.find_in(line) for line in sent), "the search does not find a secret where there is one")
    for line in lines:
        if line not in sent:
            check(not secrets.find_in(line), f"{secrets.find_in(line)!r} is in the log: {line}")
    logged = [json.loads(line) for line in lines if line.startswith("{")]
    events = {(line.get("event"), line.get("error_code")) for line in logged}
    for expected in [
        ("profile", "TOKEN__MISSING"),
        ("login", "USER__NOT_MATCHED"),
        ("password-change", "USER__NOT_MATCHED"),
        ("email-change", "TOKEN__LOGIN_TOO_OLD"),
        ("session-revoke", "SESSION__NOT_FOUND"),
        ("account-delete", "TOKEN__INVALID"),
        ("sms-auth-send", None),
        ("signup", None),
        ("login", None),
        ("account-delete", None),
    ]:
        check(expected in events, f"the log lacks the event {expected}")
    # The second address is that of the event in local/events.
    check({line["ip"] for line in logged if "event" in line} == {"127.0.0.1", "203.0.113.7"}, "the addresses of events")
    check(("profile", None) not in events, "a read of a profile is an event")
