#!/usr/bin/env python3
"""Follows each link of functions/openapi.json, from one request to the next, in stories of clients.

    local/tests/openapi/stories.py URL

URL is that of a local run. Schemathesis follows links too, but chooses them at random, and accepts documented errors.
Here, each link must lead to a successful request.
"""

import itertools
import json
import re
import sys
import time
from pathlib import Path

import requests

DOCUMENT = Path(__file__).resolve().parent.parent.parent.parent / "functions/openapi.json"
# The purpose of the SMS session, and the operations after the send.
STORIES = [
    ("signup", "sms-auth-verify signup profile"),
    ("signup", "sms-auth-verify signup login profile"),
    ("signup", "sms-auth-verify signup login logout"),
    ("signup", "sms-auth-verify signup login token-refresh token-refresh profile"),
    ("signup", "sms-auth-verify signup token-refresh logout"),
    ("signup", "sms-auth-verify signup-1 profile"),
    ("signup", "sms-auth-verify signup-1 login"),
    ("signup", "sms-auth-verify signup-1 token-refresh"),
    ("login", "login-code profile"),
    ("login", "login-code token-refresh"),
    ("login", "login-code sessions session-revoke"),
    ("login", "login-code account-delete"),
    ("password_reset", "sms-auth-verify password"),
    ("phone_change", "sms-auth-verify phone-change"),
]
# Two paths of one function. The links name the first.
SYNONYMS = {"signup-1": "signup"}
# As local/test sets it.
SECONDS_BETWEEN_SENDS = 1
# Each run has numbers of its own, so that it can use the database of an earlier one. All numbers from 010-6000-0000 on
# exist; those from 010-5970-0000 to 010-5999-9999 do not.
NUMBERS = itertools.count(60_000_000 + int(time.time()) % 39_000 * 1_000)


class Failed(Exception):
    """A request failed, or has no link. The message names it."""


class Document:
    """The operations of the document by their ids, and the links that no story has followed."""

    def __init__(self):
        paths = json.loads(DOCUMENT.read_text("utf-8"))["paths"]
        self.operations = {
            operation["operationId"]: {"method": method, "path": path, **operation}
            for path, operations in paths.items()
            for method, operation in operations.items()
        }
        self.remaining = {(name, link["operationId"]) for name in self.operations for link in self.links(name)}

    def links(self, name):
        responses = self.operations[name]["responses"].values()
        return [link for response in responses for link in response.get("links", {}).values()]

    def link(self, source, target):
        target = SYNONYMS.get(target, target)
        for link in self.links(source):
            if link["operationId"] == target:
                return link
        raise Failed(f"no link from {source} to {target}")


class Client:
    """Sends the requests of one story."""

    def __init__(self, url, document):
        self.url = url
        self.document = document
        self.phone = f"+8210{next(NUMBERS)}"
        self.access_token = None

    def walk(self, purpose, names):
        """Sends an SMS, and follows the links from there to each of the operations."""
        source = "sms-auth-send"
        sent, received = self.request(source, {"phone": self.phone, "purpose": purpose}, {})
        for target in names.split():
            link = self.document.link(source, target)
            body, parameters = (
                {name: resolve(value, sent, received) for name, value in link.get(values, {}).items()}
                for values in ["requestBody", "parameters"]
            )
            sent, received = self.request(target, body, parameters, f"{source} -> ")
            self.document.remaining.discard((source, target))
            source = target

    def request(self, name, body, parameters, after=""):
        """Sends the example of the operation with the given values. Returns the bodies of request and response."""
        operation = self.document.operations[name]
        headers = {"Authorization": f"Bearer {self.access_token}"} if operation["security"] else {}
        if "requestBody" in operation:
            body = operation["requestBody"]["content"]["application/json"]["example"] | body
        if SYNONYMS.get(name, name) == "signup":
            body["email"] = f"minji{next(NUMBERS)}@example.com"
        if body.get("auth_code") == "00000000":
            body["auth_code"] = self.code()
        url = self.url + operation["path"].format(**parameters)
        response = requests.request(operation["method"], url, json=body or None, headers=headers, timeout=10)
        if not response.ok:
            raise Failed(f"{after}{name}: {response.status_code} {response.json().get('error_code')}")
        received = response.json() if response.content else {}
        self.access_token = received.get("access_token", self.access_token)
        return body, received

    def code(self):
        messages = requests.get(f"{self.url}/local/outbox", {"phone": self.phone}, timeout=10).json()["messages"]
        return re.search(r"\d{8}|\d{6}", messages[0]["text"]).group()


def resolve(expression, sent, received):
    """Returns the value of a runtime expression, such as `$response.body#/sessions/1/id`."""
    source, _, pointer = expression.partition("#/")
    if source not in ("$request.body", "$response.body"):
        return expression
    value = sent if source == "$request.body" else received
    try:
        for key in pointer.split("/"):
            value = value[int(key) if isinstance(value, list) else key]
    except (LookupError, TypeError, ValueError):
        raise Failed(f"{expression} does not exist") from None
    return value


def main():
    url = sys.argv[1]
    document = Document()
    failures = []
    for purpose, names in STORIES:
        client = Client(url, document)
        try:
            if purpose != "signup":
                client.walk("signup", "sms-auth-verify signup")
                time.sleep(SECONDS_BETWEEN_SENDS)
            if purpose == "phone_change":
                client.phone = f"+8210{next(NUMBERS)}"
            client.walk(purpose, names)
        except Failed as failed:
            failures.append(f"{purpose}: {failed}")
    # A failed story leaves the links after it.
    if not failures:
        failures = [f"no story follows the link from {source} to {target}" for source, target in document.remaining]
    if failures:
        sys.exit("Not all links lead to a successful request:\n" + "\n".join(failures))
    print(f"Followed all links in {len(STORIES)} stories")


if __name__ == "__main__":
    main()
