"""Runs the test of the pages in a browser."""

import json
import re
import subprocess
from urllib.parse import quote

from assertions import equal
from server import ROOT

PASSWORDS = {"password": "quiet river lantern", "new_password": "a newer river lantern"}
USERS = [
    {"width": 1280, "phone": "+821045678901", "email": "yuna@example.com", "name": "Park Yuna", "nickname": "yuna"},
    {"width": 375, "phone": "+821067890123", "email": "hana@example.com", "name": "Choi Hana", "nickname": "hana"},
]


def check_site(client):
    """Returns the number of messages that were sent."""
    users = [user | PASSWORDS for user in USERS]
    client.secrets.add(*PASSWORDS.values(), *(user["email"] for user in users))
    command = ["node", ROOT / "local/tests/site/main.mjs", f"http://localhost:{client.port}"]
    print("$", *command, flush=True)
    subprocess.run([*command, json.dumps(users)], check=True)
    sends = 0
    for user in users:
        messages = client.returns(200, "GET", f"/local/outbox?phone={quote(user['phone'])}")["messages"]
        codes = [re.findall(r"\b(?:\d{6}|\d{8})\b", message["text"]) for message in messages]
        equal([len(found) for found in codes], [0, 1, 1, 1], "the codes in the latest message, and in earlier ones")
        client.secrets.add(*(code for found in codes for code in found))
        sends += len(messages)
    return sends
