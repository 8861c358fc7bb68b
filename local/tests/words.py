#!/usr/bin/env python3
"""Finds words and phrases that the project does not use, in its text and in its names.

    local/tests/words.py [--count] [FILE...]

Prints `file:line: phrase -> replacement` for each, and exits with 1 if there are any. With --count,
prints the number of hits per file instead. Without files, reads all that are published.
Needs only Python. `test_words.py` tests each rule.
"""

import argparse
import collections
import fnmatch
import re
import sys
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SUFFIXES = {".rs", ".py", ".sh", ".yaml", ".yml", ".toml", ".md", ".mjs", ".js", ".ts", ".html"}
SKIPPED_FOLDERS = {".git", ".aws-sam", "target", "node_modules", "__pycache__"}

# Files that are not read, and why.
EXCLUDED = {
    "local/tests/words.py": "contains the phrases",
    "local/tests/test_words.py": "contains the phrases",
}

# Hits that are correct: (file, phrase as printed, reason). `file` may contain `*`.
EXCEPTIONS = [
    ("functions/README.md", "family", "a claim of OpenID Connect"),
    ("local/benchmark/src/events.rs", "Epoch", "the Unix epoch, as API Gateway names it"),
    ("shared/src/clock.rs", "epoch", "the Unix epoch, as Rust names it"),
    ("shared/src/values/claims.rs", "family", "a claim of OpenID Connect"),
    ("shared/src/values/phone_metadata.rs", "World", "a region of libphonenumber"),
]


@dataclass(frozen=True)
class Rule:
    """A pattern, and the words that replace it.

    A space in the pattern also matches a line break inside a comment or a string. The pattern is
    matched against text in which `snake_case` and `CamelCase` names are split into words, unless
    `is_literal`. It ignores case, unless `is_case_sensitive`. Text that matches `correct` is no hit.
    """

    name: str
    pattern: str
    instead: str
    correct: str = ""
    suffixes: tuple = ()  # all, if empty
    is_literal: bool = False
    is_case_sensitive: bool = False

    def compiled(self):
        # The line break may have an escape before it, and the sign of a comment after it.
        gap = r"(?: |\s*\\?\n\s*(?://[/!]?|#+)?\s*)"
        flags = re.MULTILINE if self.is_case_sensitive else re.MULTILINE | re.IGNORECASE
        pattern = f"(?P<correct>{self.correct})|{self.pattern}" if self.correct else self.pattern
        return re.compile(pattern.replace(" ", gap), flags)


CODE = (".rs",)
SCRIPTS = ("", ".sh")
# A session, or whatever else is revoked or expires.
REVOCABLE = r"(?:sessions?|logins?|famil(?:y|ies)|tokens?)"
ISE = (
    "apolog author canonical capital categor character critic custom deserial emphas final general initial local maxim "
    "memor minim normal optim organ parameter penal prior random recogn sanit serial special standard summar synchron "
    "token util"
).replace(" ", "|")

RULES = [
    # ---- Sentences ----
    Rule(
        "sentence start",
        r"(?<![\w`])(?:Of|What|Whoever|Who|That)(?=\s|['’]s\b)",
        "begin with a verb (Returns, Records, ...) or with the subject",
        is_literal=True,
        is_case_sensitive=True,
    ),
    Rule(
        "is no",
        r"\b(?:is|are|was|were) no (?=[a-z])",
        "is not a",
        r"\bt?here (?:is|are|was|were) no\b|\b(?:is|are|was|were) no (?:longer\b|more\b|less\b|one\b|\w+er than\b)",
    ),
    Rule("Makes", r"\bMakes\b", "Creates", r"\bMakes sure\b", is_literal=True, is_case_sensitive=True),
    Rule(
        "Ends",
        rf"\bEnds\b|\bends? (?:(?:a|an|the|all|one|every|each|its|his|user's|of|both) )+{REVOCABLE}\b",
        "Revokes, Expires",
        r"\bEnds with\b",
        is_case_sensitive=True,
    ),
    # ---- Homely words ----
    Rule("at once", r"\bat once\b", "immediately, or concurrently"),
    Rule("tell", r"\b(?:tells?|told|telling)\b", "return, report, log", r"\.tell\("),
    Rule("ask", r"\b(?:asks|asked|asking)\b", "request, read, call"),
    Rule("says", r"\bsays\b", "states, contains, returns"),
    Rule("come to", r"\b(?:comes?|came|coming) to\b", "returns, results in"),
    Rule("mend", r"\bmend(?:s|ed|ing)?\b", "fix"),
    Rule("spent", r"\bspent\b", "exhausted"),
    Rule("commonest", r"\bcommonest\b", "most common"),
    Rule(
        "away",
        r"\b(?:is|are|was|were|be|being|been|goes) away\b|\baway\b(?=[\"'.:,;)]? comes\b)|[\"']away[\"']",
        "unavailable",
    ),
    Rule(
        "try",
        r"\btries\b|\b(?:a|one|each|every|this|the|last|first|second|third|another|per|wrong|no|count(?:s|ed)?) try\b",
        "attempt",
    ),
    # ---- The glossary ----
    Rule("family", r"\bfamil(?:y|ies)\b", "session", r"\bfont-family\b"),
    Rule("draft", r"\bdrafts?\b(?!-)", "SMS session"),
    Rule("budget", r"\bbudgets?\b", "rate limit", r"\bAWS(?: |::)Budgets\b"),
    Rule("undo", r"\bundo(?:es|ne|ing)?\b|\b(?:take|takes|taken|took) back\b", "refund"),
    Rule("epoch", r"\bepochs?\b", "token version", r"\bunix epoch\b"),
    Rule("halves", r"\bhalves\b|\b(?:private|public) half\b", "private key, public key"),
    Rule("announced", r"\bannounc(?:e|es|ed|ing)\b", "pending"),
    Rule(
        "needs",
        r"\bNeeds::|\bstruct Needs\b|\bNeeds \{|\bneeds: ?Needs\b|\.needs\b",
        "access",
        suffixes=CODE,
        is_literal=True,
        is_case_sensitive=True,
    ),
    Rule(
        "Value, Invalid",
        r"(?<!::)(?<!\w)Invalid\(|\b(?:crate|shared)::value::\{?(?:Invalid|Value)\b",
        "InvalidField, Field",
        suffixes=CODE,
        is_literal=True,
        is_case_sensitive=True,
    ),
    Rule("reveal", r"\breveal(?:s|ed|ing)?\b", "expose_secret"),
    Rule("_hash", r"\b(?:code|token|session|phone)_hash\b|\bCodeHash\b", "..._mac", suffixes=CODE, is_literal=True),
    Rule(
        "World",
        r"\bWorld\b|\bworld\b(?=\.\w)|\b(?:mut|let) world\b",
        "TestApp",
        suffixes=CODE,
        is_literal=True,
        is_case_sensitive=True,
    ),
    Rule("stand-in", r"\bstand(?:-| )ins?\b", "fake_..., fixture"),
    Rule("scene", r"\bscenes?\b", "fixture"),
    # `Promise` is a type of JavaScript.
    Rule("promise", r"\bpromise\b|\b[Pp]romis(?:es|ed|ing)\b", "guarantee", is_case_sensitive=True),
    Rule("seam", r"\bseams?\b", "interface"),
    Rule("house", r"\bhouse\b", "project layout"),
    Rule("Yes", r"::Yes\b|^\s*Yes\b(?=[,({])", "Created, RateLimited, ...", "", CODE, True, True),
    Rule("fn of_", r"\bfn of_\w+", "parse, from_stored, load, new; for a test, its behavior", "", CODE, True),
    # The former names of functions of local/tools.
    Rule("say", r"^\s*(?:say|need) (?=['\"$])|\bneed_to_(?:run|test|bench)\b", "log, require", "", SCRIPTS, True),
    # ---- American spelling ----
    Rule("e-mail", r"\be-mails?\b", "email"),
    Rule("licence", r"\blicenc(?:e|es|ed|ing)\b", "license"),
    Rule("-ise", rf"\b(?:de|re|un)?(?:{ISE})is(?:e|es|ed|er|ers|ing|ation|ations)\b", "-ize"),
    Rule("-yse", r"\b(?:anal|paral|catal)ys(?:e|ed|ing)\b", "-yze"),
    Rule("-our", r"\b(?:behavi|col|fav|hon|neighb|hum|lab|rum)our\w*", "-or"),
    Rule("-tre", r"\b(?:centre|metre|litre|fibre)[sd]?\b", "-ter"),
    Rule("-ogue", r"\b(?:catalogue|analogue)\w*", "-og"),
    Rule("-ence", r"\b(?:defence|offence|pretence)s?\b", "-ense"),
    Rule("-lled", r"\b(?:labell|modell|travell|signall|channell|levell)(?:ed|ing)\b", "-led, -ling"),
    Rule(
        "British",
        r"\b(?:whilst|artefacts?|grey|programmes?|judgement|acknowledgement|ageing|cheque)\b",
        "American spelling",
    ),
]


@dataclass(frozen=True)
class Hit:
    file: str
    line: int
    phrase: str
    rule: Rule

    def __str__(self):
        return f"{self.file}:{self.line}: {self.phrase} -> {self.rule.instead}"


def split_names(text):
    """Returns `text` with names split into words. No line gets longer or shorter by a line break."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text).replace("_", " ")


COMPILED = [(rule, rule.compiled()) for rule in RULES]


def hits_in(file, text):
    """Returns the hits in the text of `file`, in the order of their lines."""
    variants = {is_literal: text if is_literal else split_names(text) for is_literal in (True, False)}
    line_starts = {
        is_literal: [0, *(match.end() for match in re.finditer("\n", variant))]
        for is_literal, variant in variants.items()
    }
    found = []
    for rule, pattern in COMPILED:
        if rule.suffixes and Path(file).suffix not in rule.suffixes:
            continue
        for match in pattern.finditer(variants[rule.is_literal]):
            if rule.correct and match["correct"]:
                continue
            start = match.end() - len(match.group().lstrip())
            line = bisect_right(line_starts[rule.is_literal], start)
            phrase = " ".join(re.sub(r"\s*\\?\n\s*(?://[/!]?|#+)?", " ", match.group()).split())
            found.append(Hit(file, line, phrase, rule))
    return sorted(found, key=lambda hit: hit.line)


def is_script(path):
    """Returns whether a file without a suffix is a script."""
    with path.open("rb") as file:
        return file.read(2) == b"#!"


def published_files(root):
    """Returns the files below `root` to search, as paths relative to it."""
    files = []
    for path in sorted(root.rglob("*")):
        file = path.relative_to(root)
        if SKIPPED_FOLDERS & set(file.parts) or not path.is_file() or file.as_posix() in EXCLUDED:
            continue
        if path.suffix in SUFFIXES or not path.suffix and is_script(path):
            files.append(file.as_posix())
    return files


def exception_for(hit, exceptions):
    """Returns the exception that permits a hit."""
    for exception in exceptions:
        file, phrase, _ = exception
        if fnmatch.fnmatchcase(hit.file, file) and phrase.lower() == hit.phrase.lower():
            return exception
    return None


def search(root, files, exceptions):
    """Returns the hits that no exception permits, and the exceptions that permit none."""
    hits, used = [], set()
    for file in files:
        for hit in hits_in(file, (root / file).read_text("utf-8")):
            exception = exception_for(hit, exceptions)
            if exception:
                used.add(exception)
            else:
                hits.append(hit)
    return hits, [exception for exception in exceptions if exception not in used]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", action="store_true", help="print the number of hits per file")
    parser.add_argument("files", nargs="*", help="the files to search; all that are published by default")
    arguments = parser.parse_args()
    files = [Path(file).resolve().relative_to(ROOT).as_posix() for file in arguments.files] or published_files(ROOT)
    hits, unused = search(ROOT, files, EXCEPTIONS)
    if arguments.count:
        for file, count in collections.Counter(hit.file for hit in hits).most_common():
            print(f"{count:5} {file}")
    else:
        print(*hits, sep="\n", end="\n" if hits else "")
    for file, phrase, _ in unused if not arguments.files else []:
        print(f"The exception for {phrase!r} in {file} is not needed: remove it from words.py")
        hits.append(None)
    print(f"{len(files)} files, {len(hits)} phrases to replace", file=sys.stderr)
    sys.exit(1 if hits else 0)


if __name__ == "__main__":
    main()
