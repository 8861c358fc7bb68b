"""import and export: the same users, refused lines, a dry run, and an import that is killed."""

import json

from people import person, read, write
from program import check, equal

USERS = 2000
# Enough for a kill between the first and the last line.
KILLED_AFTER, SLOW = 500, "500"


def check_imports(deployment, fresh):
    """`fresh` is an empty deployment of the same kind."""
    check_refused_lines(deployment)
    check_repeated_import(deployment)
    check_same_users(deployment, fresh, USERS)


def check_refused_lines(deployment):
    first, second = person(1), person(2)
    without_id = {name: person(3)[name] for name in ("email", "phone", "name", "nickname", "password_hash")}
    write(
        deployment.folder / "mixed.jsonl",
        [
            "\ufeff" + json.dumps(first),
            "",
            {**second, "phone": "02-123-4567", "email": "a secret", "password": "hidden"},
            {**second, "email": first["email"].upper()},
            second,
            "not JSON, a secret",
            {**without_id, "phone": "010-0000-0003"},
            without_id,
            first,
        ],
    )
    expected = {"lines": 9, "created": 3, "already_imported": 2, "refused": 3}
    dry = deployment.json("import", "mixed.jsonl", "--dry-run", code=1)
    equal(dry, {**expected, "is_dry_run": True, "report": "mixed.jsonl.dry-run.report"}, "the dry run")
    deployment.error("find", first["id"])
    found = deployment.json("import", "mixed.jsonl", "--report", "why.jsonl", code=1)
    equal(found, {**expected, "is_dry_run": False, "report": "why.jsonl"}, "the import")

    reports = [(deployment.folder / name).read_text("utf-8") for name in ("mixed.jsonl.dry-run.report", "why.jsonl")]
    equal(reports[0], reports[1], "the reports of the dry run and of the import")
    report = [json.loads(line) for line in reports[0].splitlines()]
    fields = [(line["line"], [error["field"] for error in line["errors"]]) for line in report]
    equal(fields, [(3, ["email", "phone", "password"]), (4, ["email"]), (6, [""])], "the refused lines")
    equal(report[1]["errors"][0]["message"], "another user has it", "the reason")
    check("secret" not in reports[0] and "hidden" not in reports[0], "the report repeats a value")
    text = deployment.text("import", "mixed.jsonl", code=1)
    equal(text.splitlines()[0], "Lines: 9; users created: 0, imported before: 5, refused: 3", "the repeated import")
    for nth in (1, 2):
        deployment.text("delete", person(nth)["id"], "--yes")
    deployment.text("delete", person(3)["email"], "--yes")


def check_repeated_import(deployment):
    """A user who changed after the import is not changed by another one."""
    write(deployment.folder / "again.jsonl", [person(1)])
    deployment.text("import", "again.jsonl")
    deployment.text("claims", person(1)["id"], "role=owner")
    equal(deployment.json("import", "again.jsonl", "--dry-run")["already_imported"], 1, "the dry run")
    equal(deployment.json("import", "again.jsonl")["already_imported"], 1, "the second import")
    equal(deployment.json("claims", person(1)["id"])["claims"]["role"], "owner", "the claims")
    deployment.text("delete", person(1)["id"], "--yes")
    check(not list(deployment.folder.glob("again.jsonl.*")), "an import without refused lines leaves files")
    equal(deployment.text("export", "none.jsonl"), "Users exported: 0", "an empty export")


def check_same_users(deployment, fresh, number):
    """An import is killed, continues, and is exported; the export is imported elsewhere, and exported again."""
    people = [person(nth) for nth in range(number)]
    # One refused line before the kill, and one after it.
    lines = [*people[:100], "{}", *people[100:], "{}"]
    write(deployment.folder / "people.jsonl", lines)
    finished = deployment.kill_import("people.jsonl", KILLED_AFTER, "--rate", SLOW)
    check(KILLED_AFTER <= finished < number, f"the import was killed after {finished} lines")
    output, errors = deployment.run("import", "people.jsonl", "--json", code=1)
    equal(errors.strip(), f"Continuing after line {finished:,}", "the continued import")
    summary = json.loads(output)
    imported = (summary["created"] + summary["already_imported"], summary["lines"], summary["refused"])
    equal(imported, (number, number + 2, 2), "the continued import")
    check(summary["already_imported"] < number - finished, "lines in flight are imported again")
    report = (deployment.folder / "people.jsonl.report").read_text("utf-8").splitlines()
    equal([json.loads(line)["line"] for line in report], [101, number + 2], "the report")
    check(not (deployment.folder / "people.jsonl.progress").exists(), "the progress is left")

    check_exports(deployment, fresh, people)


def check_exports(deployment, fresh, people):
    deployment.text("export", "exported.jsonl")
    exported = deployment.folder / "exported.jsonl"
    equal(exported.stat().st_mode & 0o777, 0o600, "the mode of the export")
    same_users(read(exported), people)
    check("exists" in deployment.error("export", "exported.jsonl"), "an export replaces a file")
    output, errors = deployment.run("export", "-")
    equal(len(output.splitlines()), len(people), "the lines of an export")
    equal(errors.strip(), f"Users exported: {len(people):,}", "the end of an export")

    shown = fresh.type("", "import", str(exported))
    check(f"] 100 %  {len(people):,} lines, 0 refused" in shown, f"no bar of progress: {shown[-200:]}")
    summary = fresh.json("import", str(exported), "--dry-run")
    equal((summary["already_imported"], summary["refused"]), (len(people), 0), "the import of the export")
    fresh.text("export", "again.jsonl")
    same_users(read(fresh.folder / "again.jsonl"), people)


def same_users(found, expected):
    equal(len(found), len(expected), "the number of users")
    for one, other in zip(found, expected):
        equal(one, other, "a user")
