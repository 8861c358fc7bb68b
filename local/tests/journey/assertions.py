"""The assertions of the journey."""


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def equal(found, expected, name):
    check(found == expected, f"{name}: expected {expected!r}, found {found!r}")
