"""import and export: the same users, refused lines, a dry run, and an import that is killed."""

import json
import signal

from people import person, read, write
from program import check, equal

USERS = 2000
# Enough for a kill between the first and the last line.
KILLED_AFTER, SLOW, SLOWER = 500, "500", "100"


def check_imports(deployment, fresh):
    """`fresh` is an empty deployment of the same kind. At the end, it has the same users."""
    check_refused_lines(deployment)
    check_reports(deployment)
    check_corrected_file(fresh)
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


def check_reports(deployment):
    """A report replaces neither the users' file nor another one."""
    file, other = deployment.folder / "users.jsonl", deployment.folder / "notes.txt"
    write(file, [person(1)])
    other.write_text("kept", "utf-8")
    for report in (file, other):
        for dry_run in ([], ["--dry-run"]):
            check("exists" in deployment.error("import", str(file), "--report", str(report), *dry_run), report)
    equal((read(file), other.read_text("utf-8")), ([person(1)], "kept"), "the files")

    # A user who took the phone number of a refused line, in the file and in a dry run.
    write(file, [person(1), {**person(2), "email": person(1)["email"]}, {**person(3), "phone": person(2)["phone"]}])
    dry = deployment.json("import", str(file), "--dry-run", code=1)
    equal((dry["created"], dry["refused"]), (2, 1), "the dry run")
    found = deployment.json("import", str(file), code=1)
    equal((found["created"], found["refused"]), (2, 1), "the import")
    # Lines of one user, with and without the id.
    without_id = {name: value for name, value in person(4).items() if name != "id"}
    write(file, [person(4), without_id, person(4)])
    dry, found = deployment.json("import", str(file), "--dry-run"), deployment.json("import", str(file))
    equal((dry["created"], dry["already_imported"]), (1, 2), "the dry run of one user")
    equal((found["created"], found["already_imported"]), (1, 2), "the import of one user")
    # A user who changed is refused as such.
    write(file, [{**person(1), "phone": "+821099990001"}])
    deployment.json("import", str(file), code=1)
    line = json.loads((deployment.folder / "users.jsonl.report").read_text("utf-8"))
    equal([error["field"] for error in line["errors"]], ["id"], "a user with another phone number")
    # An empty progress, as after a power failure, starts at the first line.
    (deployment.folder / "users.jsonl.progress").write_text("", "utf-8")
    equal(deployment.json("import", str(file), code=1)["lines"], 1, "an import with a broken progress")
    for nth in (1, 3, 4):
        deployment.text("delete", person(nth)["id"], "--yes")


def check_corrected_file(deployment):
    """A file that was corrected after a kill is imported from its first line."""
    people = [person(nth) for nth in range(600)]
    file = deployment.folder / "corrected.jsonl"
    write(file, [*people[:300], "{}", *people[300:]])
    deployment.kill_import("corrected.jsonl", 310, "--rate", SLOWER)
    report = deployment.folder / "corrected.jsonl.report"
    check(report.read_text("utf-8").startswith('{"errors"'), "no refused line before the correction")
    write(file, people)
    summary = deployment.json("import", "corrected.jsonl")
    imported = (summary["created"] + summary["already_imported"], summary["lines"], summary["refused"])
    equal(imported, (600, 600, 0), "the corrected import")
    check(not report.exists(), "the report of an import without refused lines is left")

    # An import that is interrupted logs what it did, and continues without its report.
    write(file, [{}, *people])
    deployment.kill_import("corrected.jsonl", 200, "--rate", SLOWER, by=signal.SIGTERM, code=1)
    last = deployment.audit_lines()[-1]
    check(last["outcome"] == "interrupted" and last["already_imported"] >= 199, last)
    report.unlink()
    summary = deployment.json("import", "corrected.jsonl", code=1)
    equal((summary["lines"], summary["refused"]), (601, 1), "an import whose report was moved away")
    check(report.read_bytes().startswith(b"{"), "the report begins with other bytes")


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
    # At most those of the group that the kill interrupted.
    check(summary["already_imported"] <= 100, f"{summary['already_imported']} users are imported again")
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
    check("missing/users.jsonl" in deployment.error("export", "missing/users.jsonl"), "an export to no folder")
    check("<FILE>" in deployment.error("export", code=2), "an export without a file")
    names = {path.name for path in deployment.folder.iterdir()}
    check(not any(name.startswith(".export-") for name in names), f"a failed export leaves a file: {names}")
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
