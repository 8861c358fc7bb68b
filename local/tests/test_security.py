"""Tests SECURITY.md: its requirements, and the files and tests that it names."""

import re
import unittest
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TEXT = (ROOT / "SECURITY.md").read_text("utf-8")
# ASVS 5.0.0 has so many requirements of levels 1 and 2 in the chapters that were reviewed.
CHAPTERS = {"2", "6", "7", "9", "10", "11", "12", "13", "14", "16"}
REQUIREMENTS = 161
NOT_MET = ["6.3.3", "6.6.1", "11.2.3", "11.6.1"]
NUMBER = r"\d+\.\d+\.\d+"


def rows():
    """Returns the rows of the requirements that apply: number, level, requirement, met, where."""
    rows = [line.strip("|").split("|") for line in TEXT.splitlines() if re.match(rf"\| {NUMBER} \|", line)]
    return [[cell.strip() for cell in row] for row in rows]


def excluded():
    """Returns the numbers of the requirements that do not apply."""
    lines = [line for line in TEXT.splitlines() if re.match(rf"\| {NUMBER},", line)]
    return [number for line in lines for number in re.findall(NUMBER, line)]


def is_reviewed(number):
    return number.split(".")[0] in CHAPTERS


def citations(text):
    """Returns the files that a text names in backticks, each with the name of a test or None."""
    found = re.findall(r"`([\w.-]*(?:/[\w.-]+)+|[\w-]+\.(?:yaml|toml|lock))(?:::(\w+))?`", text)
    # Paths of the API begin with a slash.
    return [(path, name or None) for path, name in found if not path.startswith("/")]


class TheRequirements(unittest.TestCase):
    def test_each_requirement_is_stated_once(self):
        numbers = [row[0] for row in rows()] + excluded()
        self.assertEqual([number for number, count in Counter(numbers).items() if count > 1], [])
        self.assertEqual(len(list(filter(is_reviewed, numbers))), REQUIREMENTS)

    def test_the_summary_has_the_counts_of_the_table(self):
        met = Counter(row[3] for row in rows() if is_reviewed(row[0]))
        self.assertEqual(set(met), {"yes", "partly", "no"})
        expected = (
            f"{met.total()} of {REQUIREMENTS} apply: {met['yes']} are met, {met['partly']} are met partly, "
            f"and {met['no']} are not."
        )
        self.assertIn(expected, " ".join(TEXT.split()))

    def test_only_the_documented_deviations_are_not_met(self):
        self.assertEqual([row[0] for row in rows() if row[3] == "no"], NOT_MET)
        deviations = TEXT.split("\n## Deviations\n")[1].split("\n## ")[0]
        for number in NOT_MET:
            self.assertIn(number, deviations)

    def test_each_row_names_a_place_and_what_is_missing(self):
        for number, level, requirement, met, where in rows():
            with self.subTest(number=number):
                self.assertIn(level, ["1", "2"])
                self.assertTrue(requirement and (citations(where) or re.search(r"\]\([^)]+\)", where)))
                self.assertEqual("Missing: " in where, met == "partly")


class TheNamedFilesAndTests(unittest.TestCase):
    def test_the_table_names_more_than_a_hundred_tests(self):
        self.assertGreater(len({name for _, name in citations(TEXT) if name}), 100)

    def test_each_file_and_test_exists(self):
        for path, name in sorted(set(citations(TEXT)), key=str):
            with self.subTest(path=path, name=name):
                file = ROOT / path
                self.assertTrue(file.is_file())
                if name:
                    keyword = "def" if file.suffix == ".py" else "fn"
                    self.assertRegex(file.read_text("utf-8"), rf"\b{keyword} {name}\(")

    def test_a_citation_is_a_file_or_one_of_its_tests(self):
        text = "`a/b.rs::c`, `a/b-c.md`, `local/test`, `Cargo.lock`, `.ci/run --release`, `/docs`, `POST`, `a_b`"
        expected = [("a/b.rs", "c"), ("a/b-c.md", None), ("local/test", None), ("Cargo.lock", None)]
        self.assertEqual(citations(text), expected)


if __name__ == "__main__":
    unittest.main()
