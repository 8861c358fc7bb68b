"""Validates requests and responses against functions/openapi.json."""

import json
import re
from functools import cache
from urllib.parse import parse_qsl, urlsplit

from assertions import check, equal
from jsonschema import Draft202012Validator
from server import ROOT


@cache
def document():
    return json.loads((ROOT / "functions/openapi.json").read_text("utf-8"))


def check_described(method, url, body, status, headers, text):
    """Checks that the document describes a response, and its request if that was accepted."""
    path = urlsplit(url).path
    operation, in_path = find_operation(method, path)
    if operation is None:
        # Only local runs have the outbox. Cargo lambda itself responds to unknown routes.
        check(path.startswith("/local/") or status == 404, f"{method} {path} is not in the document")
        return
    name = f"{method} {path} {status}"
    check(str(status) in operation["responses"], f"{name} is not in the document")
    check_response(name, operation["responses"][str(status)], headers, text)
    if status < 400:
        check_request(name, operation, url, in_path, body)


def find_operation(method, path):
    """Returns the operation of a request, or None, and the parameters in its path."""
    for template, operations in document()["paths"].items():
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template))
        found = re.fullmatch(pattern, path)
        if found and method.lower() in operations:
            return operations[method.lower()], found.groupdict()
    return None, {}


def check_response(name, described, headers, text):
    documented = {header.lower(): resolve(header_object) for header, header_object in described["headers"].items()}
    for header, header_object in documented.items():
        check(header in headers or not header_object.get("required"), f"{name}: {header} is missing")
    for header in ["retry-after", "www-authenticate"]:
        check(header in documented or header not in headers, f"{name}: {header} is not in the document")
    contents = described.get("content", {})
    equal(headers.get("content-type"), next(iter(contents), None), f"{name}: the content type")
    for content in contents.values():
        check_valid(content["schema"], json.loads(text), f"the response of {name}")


def check_request(name, operation, url, in_path, body):
    fields = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True)) | in_path
    for parameter in operation.get("parameters", []):
        field = parameter["name"]
        check(field in fields or not parameter["required"], f"{name}: {field} is required")
        if field in fields:
            check_valid(parameter["schema"], fields[field], f"{field} of {name}")
    check(body is None or "requestBody" in operation, f"{name}: the document has no body")
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        check_valid(schema, json.loads(body), f"the request of {name}")


def resolve(header):
    reference = header.get("$ref", "")
    return document()["components"]["headers"][reference.rpartition("/")[2]] if reference else header


def check_valid(schema, instance, name):
    validator = Draft202012Validator({"allOf": [schema], "components": document()["components"]})
    # No message: it would contain secrets.
    errors = [f"{error.json_path} ({error.validator})" for error in validator.iter_errors(instance)]
    check(not errors, f"{name} does not match the document: {', '.join(errors)}")
