#!/usr/bin/env python3
"""Finds changes of functions/openapi.json that break clients, unless its version permits them.

    local/tests/openapi/compatibility.py [--base COMMIT] [--require]

Compares the document with that of the latest release, a tag such as v0.1.0. Before the first release, compares it with
that of the latest commit that has another `info.version`. If no commit has, compares it with that of the branch's merge
base with the main branch, or with the latest one that differs. A higher major version
permits changes that break clients; while that is 0, so does a higher minor version.

No maintained tool that npm, PyPI or crates.io installs compares documents of OpenAPI 3.1. oasdiff is written in Go,
@pb33f/openapi-changes downloads its program from GitHub, openapi-diff rejects 3.1, api-diff-sentinel finds no removed
field, and breakwatch does not classify a field that became required.

Needs only Python and git. `test_compatibility.py` tests each rule.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
DOCUMENT = "functions/openapi.json"
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
TYPES = frozenset({"string", "integer", "number", "boolean", "null", "array", "object"})
MAIN_BRANCHES = ["origin/HEAD", "origin/main", "origin/master", "main", "master"]


# ---- The changes ----


class Shape:
    """A schema as clients see it: what a value can be, and its fields."""

    def __init__(self, types=TYPES, enum=None, fields=None, required=frozenset(), items=None, bounds=None):
        self.types = types
        self.enum = enum
        self.fields = fields or {}
        self.required = required
        self.items = items
        self.bounds = bounds or {}

    def and_also(self, other):
        """Returns the shape of a value that has both shapes."""
        enums = [enum for enum in [self.enum, other.enum] if enum is not None]
        fields = {
            name: self.fields[name].and_also(other.fields[name])
            if name in self.fields and name in other.fields
            else self.fields.get(name) or other.fields[name]
            for name in {**self.fields, **other.fields}
        }
        items = self.items.and_also(other.items) if self.items and other.items else self.items or other.items
        return Shape(
            self.types & other.types,
            frozenset.intersection(*enums) if enums else None,
            fields,
            self.required | other.required,
            items,
            {**self.bounds, **other.bounds},
        )

    def or_else(self, other):
        """Returns the shape of a value that has one of the shapes."""
        fields = {
            name: self.fields[name].or_else(other.fields[name])
            if name in self.fields and name in other.fields
            else self.fields.get(name) or other.fields[name]
            for name in {**self.fields, **other.fields}
        }
        # Null has no fields and no enum.
        shapes = [shape for shape in [self, other] if shape.types != {"null"}]
        enums = [shape.enum for shape in shapes]
        required = [shape.required for shape in shapes]
        return Shape(
            self.types | other.types,
            frozenset.union(*enums) if enums and None not in enums else None,
            fields,
            frozenset.intersection(*required) if required else frozenset(),
            self.items.or_else(other.items) if self.items and other.items else self.items or other.items,
            {**self.bounds, **other.bounds} if len(shapes) == 1 else {},
        )


def shape(document, schema, above=()):
    """Returns the shape of a schema. `above` are the references that contain it."""
    if not isinstance(schema, dict):
        return Shape()
    reference = schema.get("$ref")
    if reference in above:
        return Shape()
    result = Shape()
    if reference:
        result = shape(document, resolve(document, reference), (*above, reference))
    own = Shape(
        types_of(schema),
        frozenset(map(json.dumps, schema["enum"]))
        if "enum" in schema
        else (frozenset([json.dumps(schema["const"])]) if "const" in schema else None),
        {name: shape(document, field, above) for name, field in schema.get("properties", {}).items()},
        frozenset(schema.get("required", [])),
        shape(document, schema["items"], above) if "items" in schema else None,
        {name: schema[name] for name in ["minLength", "maxLength", "minimum", "maximum"] if name in schema},
    )
    result = result.and_also(own)
    for part in schema.get("allOf", []):
        result = result.and_also(shape(document, part, above))
    for keyword in ["anyOf", "oneOf"]:
        alternatives = [shape(document, part, above) for part in schema.get(keyword, [])]
        if alternatives:
            either = alternatives[0]
            for alternative in alternatives[1:]:
                either = either.or_else(alternative)
            result = result.and_also(either)
    return result


def types_of(schema):
    types = schema.get("type", sorted(TYPES))
    types = [types] if isinstance(types, str) else types
    # An integer is a number.
    return frozenset(types) | ({"integer"} if "number" in types else set())


def resolve(document, reference):
    node = document
    for name in reference.removeprefix("#/").split("/"):
        node = node[name.replace("~1", "/").replace("~0", "~")]
    return node


def changes_of_request(old, new, name):
    """Yields why a request that was valid is now rejected."""
    if old.types - new.types:
        yield f"{name} can no longer be {listed(old.types - new.types)}"
    if new.enum is not None and (old.enum is None or old.enum - new.enum):
        yield f"{name} no longer accepts {listed(old.enum - new.enum) if old.enum else 'every value'}"
    for bound, limit in new.bounds.items():
        before = old.bounds.get(bound)
        if before is None or (limit > before if bound.startswith("min") else limit < before):
            yield f"{name} has another {bound}: {limit}"
    for field in sorted(new.required - old.required):
        yield f"{name}.{field} is now required"
    for field in sorted(old.fields.keys() & new.fields.keys()):
        yield from changes_of_request(old.fields[field], new.fields[field], f"{name}.{field}")
    if old.items and new.items:
        yield from changes_of_request(old.items, new.items, f"{name}[]")


def changes_of_response(old, new, name):
    """Yields why a client that reads the old response cannot read the new one."""
    if new.types - old.types:
        yield f"{name} can now be {listed(new.types - old.types)}"
    if old.enum is not None and new.enum is not None and old.enum - new.enum and name.endswith(".error_code"):
        yield f"{name} is no longer {listed(old.enum - new.enum)}"
    for field in sorted(old.fields.keys() - new.fields.keys()):
        yield f"{name}.{field} is gone"
    for field in sorted(old.required - new.required):
        if field in new.fields:
            yield f"{name}.{field} is no longer always there"
    for field in sorted(old.fields.keys() & new.fields.keys()):
        yield from changes_of_response(old.fields[field], new.fields[field], f"{name}.{field}")
    if old.items and new.items:
        yield from changes_of_response(old.items, new.items, f"{name}[]")


def changes_of_operation(old_document, old, new_document, new, name):
    if new.get("security") and not old.get("security"):
        yield f"{name} now requires authentication"
    olds, news = (
        {(one["in"], one["name"]): one for one in operation.get("parameters", [])} for operation in (old, new)
    )
    for key, parameter in news.items():
        before = olds.get(key, {})
        parameter_name = f"{name} ?{parameter['name']}"
        if parameter.get("required") and not before.get("required"):
            yield f"{parameter_name} is now required"
        if before:
            shapes = shape(old_document, before["schema"]), shape(new_document, parameter["schema"])
            yield from changes_of_request(*shapes, parameter_name)
    old_body, new_body = old.get("requestBody", {}), new.get("requestBody", {})
    if new_body.get("required") and not old_body.get("required"):
        yield f"{name} now requires a body"
    for content_type in old_body.get("content", {}):
        if content_type not in new_body.get("content", {}):
            yield f"{name} no longer accepts {content_type}"
            continue
        yield from changes_of_request(
            shape(old_document, old_body["content"][content_type].get("schema")),
            shape(new_document, new_body["content"][content_type].get("schema")),
            f"{name} request",
        )
    for status, response in old["responses"].items():
        response_name = f"{name} {status}"
        if status not in new["responses"]:
            yield f"{response_name} is gone"
            continue
        after = new["responses"][status]
        for header in sorted(response.get("headers", {}).keys() - after.get("headers", {}).keys()):
            yield f"{response_name} no longer has the header {header}"
        for content_type, content in response.get("content", {}).items():
            if content_type not in after.get("content", {}):
                yield f"{response_name} is no longer {content_type}"
                continue
            yield from changes_of_response(
                shape(old_document, content.get("schema")),
                shape(new_document, after["content"][content_type].get("schema")),
                response_name,
            )


def breaking_changes(old, new):
    """Returns the changes from one document to another that break clients."""
    changes = []
    for path, item in old["paths"].items():
        for method in item.keys() & METHODS:
            name = f"{method.upper()} {path}"
            if method not in new["paths"].get(path, {}):
                changes.append(f"{name} is gone")
                continue
            changes += changes_of_operation(old, item[method], new, new["paths"][path][method], name)
    return sorted(changes)


def listed(names):
    return ", ".join(sorted(names))


def permits_breaking_changes(old, new):
    """Returns whether the version of a document permits changes that break clients of an older one."""
    old, new = ([int(part) for part in document["info"]["version"].split(".")[:2]] for document in (old, new))
    return new[0] > old[0] or old[0] == new[0] == 0 and new[1] > old[1]


# ---- The document to compare with ----


def git(*arguments):
    """Returns the output of git, or None if it fails."""
    result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    return result.stdout.strip() if result.returncode == 0 else None


def document_of(commit):
    text = git("show", f"{commit}:{DOCUMENT}")
    return None if text is None else json.loads(text)


def find_base(new):
    """Returns the commit whose document to compare with, and that document, or None."""
    release = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    if release and document_of(release):
        return release, document_of(release)
    commits = (git("log", "--format=%H", "--", DOCUMENT) or "").split()
    documents = {commit: document_of(commit) for commit in commits}
    documents = {commit: document for commit, document in documents.items() if document}
    for commit, document in documents.items():
        if document["info"]["version"] != new["info"]["version"]:
            return commit, document
    for branch in MAIN_BRANCHES:
        commit = git("merge-base", "HEAD", branch)
        if commit and commit != git("rev-parse", "HEAD") and document_of(commit):
            return commit, document_of(commit)
    return next(((commit, document) for commit, document in documents.items() if document != new), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", metavar="COMMIT", help="the commit to compare with")
    parser.add_argument("--require", action="store_true", help="fail if there is nothing to compare with")
    arguments = parser.parse_args()
    new = json.loads((ROOT / DOCUMENT).read_text("utf-8"))
    if arguments.base:
        old = document_of(arguments.base)
        base = (arguments.base, old) if old else None
        reason = f"git has no {DOCUMENT} of {arguments.base}"
    else:
        base = find_base(new)
        is_shallow = git("rev-parse", "--is-shallow-repository") != "false"
        reason = "git has no history here" if is_shallow else "no commit has another document"
    if base is None:
        print(f"Compared nothing: {reason}")
        sys.exit(1 if arguments.require else 0)

    commit, old = base
    versions = f"{old['info']['version']} of commit {commit[:12]} with {new['info']['version']}"
    changes = breaking_changes(old, new)
    print(*changes, sep="\n", end="\n" if changes else "")
    if not changes:
        print(f"Compared version {versions}: nothing breaks a client")
    elif permits_breaking_changes(old, new):
        print(f"Compared version {versions}, which permits these changes")
    else:
        sys.exit(f"Compared version {versions}: these changes break clients and require a higher version")


if __name__ == "__main__":
    main()
