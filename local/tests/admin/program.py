"""Runs local/admin as an operator does."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SECONDS_TO_RUN = 600


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def equal(found, expected, name):
    check(found == expected, f"{name}: expected {expected!r}, found {found!r}")


class Program:
    """local/admin, with the arguments and the environment of a deployment.

    The first command of each deployment runs the script. The others run the program that it built, which saves a second.
    """

    def __init__(self, folder, arguments=(), environment=None):
        self.folder = Path(folder)
        self.arguments = list(arguments)
        self.environment = {**os.environ, **(environment or {})}
        self.command = ROOT / "local/admin"

    def start(self, *arguments, terminal=None):
        command, self.command = self.command, built("admin-aws" if self.arguments else "admin-local")
        return subprocess.Popen(
            [command, *self.arguments, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=terminal or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=terminal or subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def type(self, typed, *arguments, code=0):
        """Runs a command in a terminal in which a line is typed. Returns what the terminal shows."""
        operator, terminal = os.openpty()
        os.write(operator, f"{typed}\n".encode())
        process = self.start(*arguments, terminal=terminal)
        os.close(terminal)
        shown = "".join(iter(lambda: read_terminal(operator), ""))
        os.close(operator)
        process.communicate(timeout=SECONDS_TO_RUN)
        equal(process.returncode, code, f"the exit code of {arguments}: {shown}")
        return shown

    def run(self, *arguments, code=0):
        """Returns what the command prints, and on the standard error."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=SECONDS_TO_RUN)
        shown = f"{' '.join(map(str, arguments))}\n{output[-2000:]}\n{errors}"
        if code is not None:
            equal(process.returncode, code, f"the exit code of {shown}")
        return output, errors

    def text(self, *arguments, code=0):
        return self.run(*arguments, code=code)[0].strip()

    def error(self, *arguments, code=1):
        output, errors = self.run(*arguments, code=code)
        equal(output, "", "the output of a failure")
        return errors.strip()

    def json(self, *arguments, code=0):
        return json.loads(self.run(*arguments, "--json", code=code)[0])

    def kill_import(self, file, lines, *arguments, by=signal.SIGKILL, code=-signal.SIGKILL):
        """Starts an import, and sends it a signal once that many lines are finished."""
        progress = self.folder / f"{file}.progress"
        process = self.start("import", file, *arguments)
        deadline = time.monotonic() + SECONDS_TO_RUN
        while finished_lines(progress) < lines:
            check(process.poll() is None, "the import ended before it was killed")
            check(time.monotonic() < deadline, "the import makes no progress")
        os.kill(process.pid, by)
        process.communicate()
        equal(process.returncode, code, "the exit code after the signal")
        return finished_lines(progress)


def read_terminal(operator):
    """Returns what the terminal shows next; nothing once the program has closed it."""
    try:
        return os.read(operator, 65536).decode(errors="replace")
    except OSError:
        return ""


def built(name):
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "debug" / name


def finished_lines(progress):
    try:
        return json.loads(progress.read_text("utf-8"))["lines"]
    except FileNotFoundError:
        return 0
