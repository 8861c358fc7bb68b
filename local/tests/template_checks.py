#!/usr/bin/env python3
"""Checks what no linter of templates checks, in the CloudFormation template that SAM creates.

    local/tests/template_checks.py

The resources of template.yaml must not form a dependency cycle, and the authorizer in functions/README.md,
which is for other templates, must work. Requires the packages of SAM, which local/test installs.
"""

import re
import types
from graphlib import TopologicalSorter
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

ROOT = Path(__file__).resolve().parent.parent.parent
NO_VALUE = object()


def read(file):
    return (ROOT / file).read_text("utf-8")


def resources_of(template, **parameters):
    defaults = {name: parameter.get("Default", "") for name, parameter in template.get("Parameters", {}).items()}
    return transform(template, defaults | parameters, types.SimpleNamespace(load=dict))["Resources"]


def names_in(value):
    """Yields the names that `value` refers to with Ref, Fn::GetAtt, Fn::Sub or DependsOn."""
    if isinstance(value, list):
        for member in value:
            yield from names_in(member)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key == "Ref":
                yield member
            elif key == "Fn::GetAtt":
                yield (member.split(".") if isinstance(member, str) else member)[0]
            elif key == "Fn::Sub":
                text = member if isinstance(member, str) else member[0]
                yield from (name.split(".")[0] for name in re.findall(r"\$\{([^!}]+)\}", text))
            elif key == "DependsOn":
                yield from [member] if isinstance(member, str) else member
            yield from names_in(member)


def deployed_resources(**parameters):
    """The resources of template.yaml, as `sam deploy` sends them with these parameters."""
    template = yaml_parse(read("template.yaml"))
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    return resources_of(template, **parameters)


def check_cycles():
    resources = deployed_resources()
    graph = {name: set(names_in(resource)) & resources.keys() for name, resource in resources.items()}
    # On a cycle, it raises an error that names it.
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("HttpApi") > order.index("LoginFunction"), "the API does not depend on its functions?"
    print(f"{len(order)} resources, no cycle")


def check_address():
    [server] = deployed_resources()["HttpApi"]["Properties"]["Body"]["servers"]
    expected = {"disableExecuteApiEndpoint": {"Fn::If": ["HasDomainName", True, False]}}
    assert server["x-amazon-apigateway-endpoint-configuration"] == expected, server
    print("With a domain, API Gateway's own address is switched off")


def resolved(value, parameters, conditions):
    """Returns `value` as CloudFormation resolves it."""
    if isinstance(value, list):
        members = [resolved(member, parameters, conditions) for member in value]
        return [member for member in members if member is not NO_VALUE]
    if not isinstance(value, dict):
        return value
    if value == {"Ref": "AWS::NoValue"}:
        return NO_VALUE
    if "Ref" in value:
        return parameters.get(value["Ref"], value)
    if "Fn::If" in value:
        name, then, otherwise = value["Fn::If"]
        holds = resolved(conditions[name], parameters, conditions)
        return resolved(then if holds else otherwise, parameters, conditions)
    if "Fn::Equals" in value:
        one, other = resolved(value["Fn::Equals"], parameters, conditions)
        return one == other
    if "Fn::Not" in value:
        [condition] = resolved(value["Fn::Not"], parameters, conditions)
        return not condition
    if "Fn::Split" in value:
        separator, text = resolved(value["Fn::Split"], parameters, conditions)
        return text.split(separator)
    members = {name: resolved(member, parameters, conditions) for name, member in value.items()}
    return {name: member for name, member in members.items() if member is not NO_VALUE}


def check_cors():
    cors = "x-amazon-apigateway-cors"
    conditions = yaml_parse(read("template.yaml"))["Conditions"]
    for origins, expected in [("", None), ("https://a.example", 1), ("https://a.example,http://localhost:3000", 2)]:
        body = deployed_resources(AllowedOrigins=origins)["HttpApi"]["Properties"]["Body"]
        found = resolved({cors: body[cors]}, {"AllowedOrigins": origins}, conditions).get(cors)
        if expected is None:
            assert found is None, found
            continue
        assert found == {
            "allowOrigins": origins.split(","),
            "allowMethods": sorted(methods()),
            "allowHeaders": ["authorization", "content-type"],
            "exposeHeaders": ["retry-after", "www-authenticate"],
            "maxAge": 600,
        }, found
    print("Without origins no CORS, with one or two these alone")


def methods():
    """The methods of all routes."""
    functions = yaml_parse(read("template.yaml"))["Resources"].values()
    events = [event for function in functions for event in function.get("Properties", {}).get("Events", {}).values()]
    return {event["Properties"]["Method"] for event in events if event["Type"] == "HttpApi"}


def check_authorizer():
    [snippet] = re.findall(r"^```yaml\n(Auth:\n.*?)^```$", read("functions/README.md"), re.DOTALL | re.MULTILINE)
    event = {"Type": "HttpApi", "Properties": {"ApiId": {"Ref": "Api"}, "Method": "GET", "Path": "/"}}
    function = {"Runtime": "python3.13", "Handler": "index.handler", "InlineCode": "...", "Events": {"Get": event}}
    template = {
        "Resources": {
            "Function": {"Type": "AWS::Serverless::Function", "Properties": function},
            "Api": {"Type": "AWS::Serverless::HttpApi", "Properties": yaml_parse(snippet)},
        }
    }
    api = resources_of(template)["Api"]["Properties"]["Body"]
    [(name, scheme)] = api["components"]["securitySchemes"].items()
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    assert api["paths"]["/"]["get"]["security"] == [{name: []}], api["paths"]
    expected = {
        "type": "jwt",
        "identitySource": "$request.header.Authorization",
        "jwtConfiguration": {"issuer": "https://accounts.example.com", "audience": ["ably"]},
    }
    assert authorizer == expected, authorizer
    print("The documentation's authorizer requires a token of", authorizer["jwtConfiguration"])


if __name__ == "__main__":
    check_cycles()
    check_address()
    check_cors()
    check_authorizer()
