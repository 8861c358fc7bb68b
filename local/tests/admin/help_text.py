"""The help, which local/admin prints without the program."""

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
