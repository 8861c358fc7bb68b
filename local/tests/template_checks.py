#!/usr/bin/env python3
"""Checks what no linter of templates checks, in the CloudFormation template that SAM creates.

    local/tests/template_checks.py

The resources of template.yaml must not form a dependency cycle, and the authorizer in the README,
which is for other templates, must work. Requires the packages of SAM, which local/test installs.
"""

import re
import types
from graphlib import TopologicalSorter
from pathlib import Path

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

ROOT = Path(__file__).resolve().parent.parent.parent


def read(file):
    return (ROOT / file).read_text("utf-8")


def resources_of(template):
    defaults = {name: parameter.get("Default", "") for name, parameter in template.get("Parameters", {}).items()}
    return transform(template, defaults, types.SimpleNamespace(load=dict))["Resources"]


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


def deployed_resources():
    """The resources of template.yaml, as `sam deploy` sends them."""
    template = yaml_parse(read("template.yaml"))
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    return resources_of(template)


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


def check_authorizer():
    [snippet] = re.findall(r"^```yaml\n(Auth:\n.*?)^```$", read("README.md"), re.DOTALL | re.MULTILINE)
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
    print("The README's authorizer requires a token of", authorizer["jwtConfiguration"])


if __name__ == "__main__":
    check_cycles()
    check_address()
    check_authorizer()
