"""The output of the script local/admin itself: the help, and that it compiles."""

import tempfile

from program import ROOT, Program, check, equal


def check_help():
    script, program = Program(ROOT), Program(ROOT)
    # Any other first argument than --help runs the program.
    printed = program.text("--json", "--help")
    equal((ROOT / "local/administration/help.txt").read_text("utf-8").strip(), printed, "local/administration/help.txt")
    equal(script.text("--help"), printed, "the help")
    equal(Program(ROOT).error(code=2), printed, "the help without arguments")
    check("./local/admin" in printed, printed)
    check("require --stack" in program.error("limits", "--profile", "operator", code=2), "a profile without a stack")


def check_compilation(folder):
    """A source that the program does not contain is reported once."""
    environment = {"LOCAL_DIR": str(folder)}
    with tempfile.NamedTemporaryFile(dir=ROOT / "local", suffix=".rs"):
        first, second = (Program(ROOT, environment=environment).run("limits")[1] for _ in range(2))
    check("Compiling" in first, "the first command does not say that it compiles")
    equal(second, "", "the message of the second command")
