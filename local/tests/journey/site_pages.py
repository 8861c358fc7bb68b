"""Runs the test of the pages in a browser."""

import itertools
import json
import re
import subprocess
from urllib.parse import quote

from assertions import equal
from endpoints import LOGIN
from server import ROOT

SHARED = {
    "password": "quiet river lantern",
    "new_password": "a newer river lantern",
    "last_password": "the last river lantern",
    "taken_email": LOGIN["email"],
}
USERS = [
    {
        "width": 1280,
        "phone": "+821045678901",
        "new_phone": "+821056789012",
        "email": "yuna@example.com",
        "new_email": "yuna@example.org",
        "name": "Park Yuna",
        "nickname": "yuna",
    },
    {
        "width": 375,
        "phone": "+821067890123",
        "new_phone": "+821078901234",
        "email": "hana@example.com",
        "new_email": "hana@example.org",
        "name": "Choi Hana",
        "nickname": "hana",
    },
]
# The codes in the messages to each phone number, newest first: none in those about a change and a reset.
CODES = {"phone": [0, 0, 1, 1, 1], "new_phone": [1]}


def check_site(client):
    """Returns the number of messages that were sent."""
    users = [user | SHARED for user in USERS]
    client.secrets.add(*(user[name] for user in users for name in user if name.endswith(("password", "email"))))
    command = ["node", ROOT / "local/tests/site/main.mjs", f"http://localhost:{client.port}"]
    print("$", *command, flush=True)
    subprocess.run([*command, json.dumps(users)], check=True)
    sends = 0
    for user, phone in itertools.product(users, CODES):
        messages = client.returns(200, "GET", f"/local/outbox?phone={quote(user[phone])}")["messages"]
        codes = [re.findall(r"\b(?:\d{6}|\d{8})\b", message["text"]) for message in messages]
        equal([len(found) for found in codes], CODES[phone], f"the codes in the messages to the {phone}")
        client.secrets.add(*(code for found in codes for code in found))
        sends += len(messages)
    return sends
