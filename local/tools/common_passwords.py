"""Merges lists into the list of common passwords.

    python3 local/tools/common_passwords.py LIST...
    UPDATE_COMMON_PASSWORDS=1 cargo test -p shared the_filter_is_made_of_the_list

Adds the passwords of each LIST, a text file with one password per line or a JSON array, to
shared/src/values/common-passwords.txt. Passwords that other rules reject are left out. The second command then writes
the filter that the functions contain; the other tests state the number of passwords. Add the license of a LIST to common-passwords.LICENSE.
"""

import json
import sys
import unicodedata
from pathlib import Path

TEXT = Path(__file__).parents[2] / "shared/src/values/common-passwords.txt"


def read(path):
    text = path.read_text("utf-8")
    return json.loads(text) if path.suffix == ".json" else text.splitlines()


def folded(password):
    """Returns the password in NFKC and lower case, as the functions look it up."""
    lower = unicodedata.normalize("NFKC", password).lower()
    return unicodedata.normalize("NFKC", lower)


def is_allowed(password):
    """Whether the rules about length and different characters accept the password."""
    return (
        len(password) >= 8 and len(set(password)) >= 5 and len(password.encode()) <= 72 and password.isprintable()
    )


def main():
    lists = [TEXT, *map(Path, sys.argv[1:])]
    passwords = {folded(password) for path in lists for password in read(path)}
    passwords = sorted(filter(is_allowed, passwords))
    TEXT.write_text("".join(f"{password}\n" for password in passwords), "utf-8")
    print(f"{len(passwords)} passwords")


if __name__ == "__main__":
    main()
