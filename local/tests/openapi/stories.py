#!/usr/bin/env python3
"""Checks that Schemathesis walked from each operation to the next one, successfully.

    local/tests/openapi/stories.py REPORT

REPORT is Schemathesis's report in NDJSON. Without this check, a hook that no longer reads the codes would go
unnoticed: a rejected code is a documented response too.
"""

import json
import sys

API = "/api/v1/users"
# The operations that follow each other, with the status of the second one.
LINKS = [
    ("POST /sms-auth/send", "POST /sms-auth/verify", 200),
    ("POST /sms-auth/send", "POST /login/code", 200),
    ("POST /sms-auth/verify", "POST /signup", 201),
    ("POST /sms-auth/verify", "PUT /password", 200),
    ("POST /sms-auth/verify", "PUT /phone", 200),
    ("POST /signup", "POST /login", 200),
    ("POST /login", "POST /token/refresh", 200),
    ("POST /login/code", "GET /sessions", 200),
    ("POST /login/code", "DELETE /profile", 204),
    ("GET /sessions", "DELETE /sessions/{id}", 204),
    ("POST /token/refresh", "GET /profile", 200),
    ("POST /token/refresh", "POST /logout", 204),
]


def followed(lines):
    """Yields each link that a request followed, as in LINKS."""
    for line in lines:
        scenario = json.loads(line).get("ScenarioFinished")
        recorder = scenario["recorder"] if scenario else {}
        # A skipped scenario has no cases.
        for case, described in recorder.get("cases", {}).items():
            if not described.get("transition"):
                continue
            # As in "POST /login -> [200] refresh -> POST /token/refresh".
            first, _, second = described["transition"]["id"].replace(API, "").split(" -> ")
            response = recorder["interactions"].get(case, {}).get("response")
            yield first, second, response and response["status_code"]


def main():
    with open(sys.argv[1], encoding="utf-8") as report:
        found = set(followed(report))
    missing = [f"{first} -> {second}: {status}" for first, second, status in LINKS if (first, second, status) not in found]
    if missing:
        sys.exit("Schemathesis did not follow these links successfully:\n" + "\n".join(missing))
    print(f"Schemathesis followed {len(LINKS)} links successfully")


if __name__ == "__main__":
    main()
