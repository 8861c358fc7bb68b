"""Writes the filter of common passwords that the functions contain.

    python3 local/tools/common_passwords.py [LIST...]

Adds the passwords of each LIST to shared/src/values/common-passwords.txt, then writes common-passwords.bin beside it,
a Bloom filter of all of them. A LIST is a text file with one password per line, or a JSON array. Passwords that other
rules reject are left out. Add the license of a LIST to common-passwords.LICENSE.
"""

import hashlib
import json
import sys
import unicodedata
from pathlib import Path

VALUES = Path(__file__).parents[2] / "shared/src/values"
TEXT = VALUES / "common-passwords.txt"
# The same numbers as in common_passwords.rs.
BYTES = 88_000
BITS_PER_PASSWORD = 10


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


def bits_of(password):
    digest = hashlib.sha512(password.encode()).digest()
    return [int.from_bytes(digest[4 * n : 4 * n + 4], "big") % (8 * BYTES) for n in range(BITS_PER_PASSWORD)]


def main():
    lists = [TEXT, *map(Path, sys.argv[1:])]
    passwords = {folded(password) for path in lists for password in read(path)}
    passwords = sorted(filter(is_allowed, passwords))
    TEXT.write_text("".join(f"{password}\n" for password in passwords), "utf-8")
    filter_ = bytearray(BYTES)
    for password in passwords:
        for bit in bits_of(password):
            filter_[bit // 8] |= 1 << bit % 8
    TEXT.with_suffix(".bin").write_bytes(filter_)
    share = sum(byte.bit_count() for byte in filter_) / (8 * BYTES)
    print(f"{len(passwords)} passwords; 1 of {share**-BITS_PER_PASSWORD:.0f} others is rejected")


if __name__ == "__main__":
    main()
