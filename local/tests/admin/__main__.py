"""Tests local/admin as an operator runs it.

    python3 local/tests/admin
    DYNAMODB_LOCAL_URL=... MOTO_URL=... python3 local/tests/admin --stack
    python3 local/tests/admin --users 100000

The first line tests it on SQLite, the second on DynamoDB Local and moto, which local/test starts; that requires boto3.
The third one imports, kills, continues and exports so many users on SQLite, and prints the times.
"""

import argparse
import signal
import sys
import tempfile
import time
from pathlib import Path

from acts import check_acts
from help_text import check_compilation, check_help
from imports import check_imports, check_same_users
from local_data import LocalData
from local_doctor import check_local_doctor


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--stack", action="store_true")
    parser.add_argument("--users", type=int)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.users:
            first, second = data(folder, "first"), data(folder, "second")
            first.text("limits")  # compiles
            begin = time.monotonic()
            check_same_users(first, second, arguments.users)
            print(f"{arguments.users:,} users: imported twice, exported three times", end="")
        elif arguments.stack:
            # Imported here, because only this part requires boto3.
            from stack_tests import check_stack

            check_stack(Path(folder))
            print("local/admin --stack: passed", end="")
        else:
            check_help()
            check_compilation(Path(folder) / "compilation")
            check_acts(data(folder, "acts"))
            check_imports(data(folder, "first"), data(folder, "second"))
            check_local_doctor(data(folder, "doctor"))
            print("local/admin: passed", end="")
    print(f", in {time.monotonic() - begin:.0f} s")


def data(folder, name):
    path = Path(folder) / name
    path.mkdir()
    return LocalData(path)


if __name__ == "__main__":
    main()
