"""One endpoint for all services: forwards each call to DynamoDB Local or moto, and answers those that both lack.

Records each call as IAM names it, so that a test compares them with the policy of operators.
"""

import http.client
import json
import re
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The service in a signature, where IAM names it otherwise.
IAM_NAMES = {"monitoring": "cloudwatch"}
# The permission of each item of a transaction.
TRANSACTION_ITEMS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}


class FakeAws:
    def __init__(self, dynamodb_url, moto_url):
        self.calls, self.access_keys = set(), set()
        # By the name of a call: a function of its body that returns a document.
        self.answers = {}
        # Calls that are not permitted; "*" for all.
        self.denied = set()
        # By the name of a call: how many of them are still throttled.
        self.throttled = {}
        # By a text of moto: the one that takes its place.
        self.replaced = {}
        upstreams = {"dynamodb": dynamodb_url}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(handler):
                body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
                status, headers, answer = self.respond(
                    handler, body, lambda service: upstreams.get(service, moto_url)
                )
                handler.send_response(status)
                for name, value in headers.items():
                    handler.send_header(name, value)
                handler.send_header("Content-Length", str(len(answer)))
                handler.end_headers()
                handler.wfile.write(answer)

            do_GET = do_POST = handle_one

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        # A client that was killed closes its connection.
        self.server.handle_error = lambda *_: None
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def respond(self, request, body, upstream):
        signature = request.headers.get("Authorization", "")
        access_key, service = re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/", signature).groups()
        self.access_keys.add(access_key)
        action = action_of(request, body)
        name = f"{IAM_NAMES.get(service, service)}:{action}"
        self.calls.update(permissions(name, body))
        if name in self.denied or "*" in self.denied:
            return denied(request, action)
        if self.throttled.get(name, 0) > 0:
            self.throttled[name] -= 1
            return answered(request, action, {"__type": "ThrottlingException", "message": "slow down"}, 400)
        if name in self.answers:
            return answered(request, action, self.answers[name](body))
        status, headers, answer = forwarded(request, body, upstream(service))
        for old, new in self.replaced.items():
            answer = answer.replace(old.encode(), new.encode())
        return status, headers, answer


def action_of(request, body):
    if target := request.headers.get("X-Amz-Target"):
        return target.split(".")[-1]
    if "/operation/" in request.path:
        return request.path.split("/")[-1]
    if request.path.startswith("/2016-08-19/account-settings"):
        return "GetAccountSettings"
    return urllib.parse.parse_qs(body.decode())["Action"][0]


def permissions(name, body):
    """Yields the permissions of a call, each with its table, without the name of the stack."""
    if not name.startswith("dynamodb:"):
        yield name, ""
        return
    request = json.loads(body)
    for item in request.get("TransactItems", []):
        for kind, write in item.items():
            yield f"dynamodb:{TRANSACTION_ITEMS[kind]}", table(write["TableName"])
    for name_of_table in [request["TableName"]] if "TableName" in request else request.get("RequestItems", []):
        yield name, table(name_of_table)


def table(name):
    return name.split("-")[-1]


def is_cbor(request):
    return request.headers.get("Smithy-Protocol") == "rpc-v2-cbor"


def answered(request, action, document, status=200):
    if is_cbor(request):
        headers = {"Content-Type": "application/cbor", "Smithy-Protocol": "rpc-v2-cbor"}
        return status, headers, cbor(document)
    if "X-Amz-Target" in request.headers or request.command == "GET":
        return status, {"Content-Type": "application/json"}, json.dumps(document).encode()
    members = "".join(f"<{name}>{value}</{name}>" for name, value in document.items())
    xml = f"<{action}Response><{action}Result>{members}</{action}Result></{action}Response>"
    return status, {"Content-Type": "text/xml"}, xml.encode()


def denied(request, action):
    code = "AccessDeniedException"
    document = {"__type": code, "message": "not authorized"}
    if is_cbor(request) or "X-Amz-Target" in request.headers:
        return answered(request, action, document, 400)
    if request.command == "GET":
        return 403, {"x-amzn-ErrorType": code}, b"{}"
    xml = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code></Error></ErrorResponse>"
    return 403, {"Content-Type": "text/xml"}, xml.encode()


def forwarded(request, body, url):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)
    connection.request(request.command, request.path, body, dict(request.headers))
    response = connection.getresponse()
    answer = response.read()
    connection.close()
    kept = {name: value for name, value in response.getheaders() if name.lower().startswith(("content-type", "x-amz"))}
    return response.status, kept, answer


def cbor(value):
    """Returns a value in CBOR (RFC 8949)."""
    if isinstance(value, bool):
        return bytes([0xF5 if value else 0xF4])
    if isinstance(value, int):
        return cbor_head(0, value)
    if isinstance(value, str):
        return cbor_head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return cbor_head(4, len(value)) + b"".join(map(cbor, value))
    return cbor_head(5, len(value)) + b"".join(cbor(part) for pair in value.items() for part in pair)


def cbor_head(kind, number):
    if number < 24:
        return bytes([kind << 5 | number])
    return bytes([kind << 5 | 26]) + number.to_bytes(4, "big")
