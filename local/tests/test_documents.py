"""Tests the documentation itself, and how the journey reads it. The journey runs its commands."""

import json
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "local" / "tests" / "journey"))

import documents  # noqa: E402

MAX_LINES_OF_README = 150
DOCUMENTS = sorted(
    file.relative_to(ROOT).as_posix()
    for pattern in ["*.md", ".github/**/*.md", "functions/*.md", "shared/*.md", "local/*.md", "local/*/*.md"]
    for file in ROOT.glob(pattern)
)
# The test of the page creates it.
SCREENSHOT = "local/site/screenshot.png"


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def anchor_of(heading):
    """Returns the anchor that GitHub gives to a heading."""
    heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


def anchors_of(file):
    headings = re.findall(r"^#+ (.*)$", without_code(documents.text_of(file)), re.MULTILINE)
    return {anchor_of(heading) for heading in headings}


def links_of(file):
    return re.findall(r"\]\(([^)\s]+)\)", without_code(documents.text_of(file)))


class TheDocuments(unittest.TestCase):
    def test_the_readme_is_short(self):
        self.assertLessEqual(len(documents.text_of("README.md").splitlines()), MAX_LINES_OF_README)

    def test_each_link_leads_to_a_file_and_a_heading(self):
        count = 0
        for file in DOCUMENTS:
            for link in links_of(file):
                # Badges and the report of a vulnerability lead to a page of the repository, not to a file.
                if re.match(r"https?://|\.\./\.\./(actions|security)/", link):
                    continue
                path, _, anchor = link.partition("#")
                target = (ROOT / file).parent.joinpath(path).resolve() if path else ROOT / file
                name = target.relative_to(ROOT).as_posix()
                with self.subTest(file=file, link=link):
                    self.assertTrue(target.exists() or name == SCREENSHOT)
                    if anchor:
                        self.assertIn(anchor, anchors_of(name))
                count += 1
        self.assertGreater(count, 50)

    def test_the_readme_links_each_document(self):
        linked = {link.partition("#")[0] for link in links_of("README.md")}
        self.assertEqual({file for file in DOCUMENTS if not file.startswith(".github/")} - linked, {"README.md"})

    def test_the_version_of_cargo_lambda_is_the_pinned_one(self):
        [pinned] = re.findall(r"^cargo-lambda==\S+", documents.text_of("local/tools/requirements.txt"), re.MULTILINE)
        self.assertIn(pinned, documents.text_of("functions/OPERATIONS.md"))


class TheCommands(unittest.TestCase):
    def test_each_command_is_expected_and_each_shown_response_is_json(self):
        commands = documents.all_commands()
        self.assertEqual(len(commands), len(documents.EXPECTATIONS))
        for (command, shown), (part, expect) in zip(commands, documents.EXPECTATIONS):
            self.assertIn(part, command)
            self.assertEqual(shown is None, expect is documents.expect_nothing, command)
            if shown:
                json.loads(shown)

    def test_a_block_is_parsed_into_commands_and_responses(self):
        text = '```sh\n# Begin.\na=1\n\n# Then.\nb \\\n  c\n# {"d":"…"}\n```\n'
        self.assertEqual(documents.commands_of(text, "# Begin"), [("a=1", None), ("b   c", '{"d":"…"}')])
        with self.assertRaises(AssertionError):
            documents.commands_of(text, "# Other")

    def test_a_shown_response_has_the_same_members_and_values(self):
        shown = {"token": "eyJ…", "count": 5, "is_done": True, "keys": [{"e": "AQAB"}]}
        found = {"token": "eyJhbGciOiJ", "count": 5, "is_done": True, "keys": [{"e": "AQAB"}]}
        documents.check_shown(shown, found)
        for changed in [
            {"token": "abc"},
            {"token": "eyJ"},
            {"token": None},
            {"count": 6},
            {"count": "5"},
            {"is_done": 1},
            {"keys": []},
            {"keys": [{"e": "AQ"}]},
            {"more": 1},
        ]:
            with self.subTest(changed), self.assertRaises(AssertionError):
                documents.check_shown(shown, found | changed)
        with self.assertRaises(AssertionError):
            documents.check_shown(shown, {"token": "eyJhbGciOiJ"})

    def test_the_response_is_shown_if_there_is_one(self):
        documents.check_output(None, "")
        documents.check_output('{"a":1}', '{"a":1}')
        for shown, output in [(None, '{"a":1}'), ('{"a":1}', ""), ('{"a":1}', '{"a":2}')]:
            with self.assertRaises(AssertionError):
                documents.check_output(shown, output)

    def test_the_journey_finds_its_other_parts(self):
        api, local = documents.text_of(documents.API_DOCUMENT), documents.text_of(documents.LOCAL_DOCUMENT)
        for pattern in [r"^```python\n", r"^```js\n", r"^```yaml\nAuth:\n"]:
            self.assertEqual(len(re.findall(pattern, api, re.MULTILINE)), 1, pattern)
        self.assertEqual(len(re.findall(r"^target/tools/.* lambda invoke .*$", local, re.MULTILINE)), 1)


if __name__ == "__main__":
    unittest.main()
