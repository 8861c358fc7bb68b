"""The users of the tests."""

import json
import uuid

# The hash of "correct horse battery", by libxcrypt.
HASH = "$2y$10$abcdefghijklmnopqrstuuCj7fyLDJytXL.TfOiOeiv0fQvSOK1/2"
CREATED_AT = 1_700_000_000


def person(nth, **fields):
    """Returns a user with all fields, as a line of a file."""
    return {
        "id": str(uuid.UUID(int=(0x0189_0000_0000_7000_8000 << 48) + nth)),
        "email": f"User.{nth}@example.com",
        "phone": f"+8210{nth:08}",
        "name": f"김 민지 {nth}",
        "nickname": f"minji-{nth}",
        "password_hash": HASH.replace("$2y$", ("$2a$", "$2b$", "$2y$")[nth % 3]),
        "created_at": CREATED_AT + nth,
        "updated_at": CREATED_AT + 2 * nth,
        "password_reset_at": CREATED_AT + nth,
        "token_version": nth % 5,
        "is_disabled": nth % 10 == 0,
        "claims": {"role": "editor", "level": nth} if nth % 2 else {},
        **fields,
    }


def write(path, people):
    with open(path, "w", encoding="utf-8") as file:
        for one in people:
            file.write((one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)) + "\n")


def read(path):
    """Returns the users of a file, sorted by their ids."""
    lines = path.read_text("utf-8").splitlines()
    return sorted(map(json.loads, lines), key=lambda one: one["id"])
