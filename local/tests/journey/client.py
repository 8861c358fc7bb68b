"""Sends requests, and checks each request and response in the same way."""

import http.client
import json

from assertions import check, equal
from document import check_described

API = "/api/v1/users"


class Client:
    def __init__(self, port, secrets):
        self.port = port
        self.secrets = secrets

    def call(self, method, path, body=None, **headers):
        """Returns the status, the headers and the JSON of the response. Sends a body as JSON, unless it is text."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=120)
        body = body if body is None or isinstance(body, str) else json.dumps(body)
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        self.secrets.add_from(text)
        check_described(method, path, body, response.status, response.headers, text)
        return response.status, response.headers, json.loads(text) if text else None

    def returns(self, status, method, path, body=None, **headers):
        """Checks what all responses have in common, and returns the JSON."""
        found, head, response = self.call(method, path, body, **headers)
        equal(found, status, f"{method} {path}")
        is_error = status >= 400
        if status == 204:
            equal(response, None, "the body")
        else:
            equal(head["content-type"], "application/problem+json" if is_error else "application/json", "content-type")
        is_public = path.startswith("/.well-known/")
        equal(head["cache-control"], "public, max-age=300" if is_public else "no-store", "cache-control")
        equal(head["strict-transport-security"], "max-age=63072000", "strict-transport-security")
        equal(head["x-content-type-options"], "nosniff", "x-content-type-options")
        if is_error:
            equal(response["status"], status, "the error's status")
            check({"type", "title", "detail", "error_code"} <= set(response), f"fields of {response}")
        if status == 401 and response["error_code"].startswith("TOKEN__"):
            equal(head["www-authenticate"].split()[0], "Bearer", "www-authenticate")
        if status in (429, 503):
            check(int(head["retry-after"]) > 0, "retry-after")
        return response

    def rejects(self, status, error_code, method, path, body=None, **headers):
        response = self.returns(status, method, path, body, **headers)
        equal(response["error_code"], error_code, f"{method} {path}")
