"""Tests that each rule of `words.py` finds what it must, and nothing else."""

import tempfile
import unittest
from pathlib import Path

import words

# Of each rule: text with one hit, and text with none.
EXAMPLES = {
    "sentence start": (
        [
            "/// What a handler returns.",
            "//! Who logged in.",
            "# Of the oldest.",
            "Done. That's all",
            "'What is built'",
        ],
        ["/// Returns what it is.", "ListOf", "WhatsApp", "`That`", "the one that fails", "Thatcher", "/// Often"],
    ),
    "is no": (
        ["this is no step", "they are no secrets", "if it is\n    /// no key set", "what was no\n// key"],
        [
            "there is no key",
            "is no longer valid",
            "is no more than 5",
            "is no larger than",
            "is not a key",
            "is none",
            "this nothing",
        ],
    ),
    "Makes": (["/// Makes the codes."], ["it makes codes", "/// Makes sure that it is"]),
    "Ends": (
        ["/// Ends a family.", "it ends all logins", "ends the user's session", "fn ends_all_sessions()"],
        [
            "both ends",
            "it ends with a dot",
            "/// Ends with a dot",
            "until the test ends",
            "the ends of a range",
            "appends all tokens",
        ],
    ),
    "at once": (
        ["refused at once", "many_guesses_at_once", "Both at\n    # once", '"both at \\\n         once"'],
        ["at least once", "that once", "at one"],
    ),
    "tell": (
        ["the client is told", "it tells it", "telling it", "can tell them apart", "fn told()"],
        ["zipped.tell()", "satellite", "intelligent", "tellurium", "foretold"],
    ),
    "ask": (["it asks", "was asked for", "times_asked", "Asking"], ["masks", "tasks", "basket", "flask"]),
    "says": (["the RFC says so", "/// Says why"], ["said", "essays", "say 'Installing'"]),
    "come to": (
        ["what it comes to", "can come\n// to this", "it came to"],
        ["comes together", "becomes total", "income tokens", "overcome tough"],
    ),
    "mend": (["it mends it", "was mended"], ["recommends", "amended", "commend", "mendacious"]),
    "spent": (["the limit is spent", "RateLimit::Spent"], ["misspent", "spend", "suspend"]),
    "commonest": (["the commonest passwords"], ["common", "uncommon"]),
    "away": (
        [
            "the source is away",
            "that can be away",
            "the store were away",
            'ConnectError::new("away")',
            "what a store that is slow or away comes to",
        ],
        ["right away", "far away", "throws it away", "straightaway", "is awaited"],
    ),
    "try": (
        ["after five tries", "a second try may", "count_try", "a\n    // try", "MAX_TRIES", "each try"],
        [
            "try_from",
            "TryFrom",
            "retries",
            "entries",
            "try again",
            "a tryout",
            "the trying",
            "country",
            "a retry",
            "the entry",
        ],
    ),
    "family": (
        ["a token family", "start_family", "TokenFamilies", "Family::start"],
        ["font-family: serif", "familiar"],
    ),
    "draft": (["a draft", "the_draft_is", "drafts"], ["overdraft", "draft-ietf-oauth", "drafted"]),
    "budget": (["the phone's budget", "BudgetLeft", "budgets"], ["AWS Budgets", "AWS::Budgets", "budgeting"]),
    "undo": (
        ["undoes it", "async fn undo(", "not be undone", "takes back a count"],
        ["undocumented", "takes it", "takes backups", "undomesticated"],
    ),
    "epoch": (["the epoch", "token_epoch", "Epoch::new"], ["UNIX_EPOCH", "the Unix epoch", "epochal"]),
    "halves": (["both halves", "its private half", "public\n// half"], ["half an hour", "a half", "behalves"]),
    "announced": (["only announced", "KeySet::announced", "announces it"], ["pronounced", "announcement"]),
    "needs": (
        ["Needs::NOTHING", "pub struct Needs", "needs: Needs", "endpoint.needs", "Needs { keys: true"],
        ["// Needs Rust.", "it needs one", "needs: it"],
    ),
    "Value, Invalid": (
        ['Invalid("is required")', "use crate::value::Value;", "use shared::value::{Invalid};"],
        [
            "ApiError::Invalid(errors)",
            "InvalidField(",
            "serde_json::value::Value",
            "serde_json::Value",
            "is_invalid(&[])",
        ],
    ),
    "reveal": (["code.reveal()", "reveals it", "revealed"], ["revel", "revelation"]),
    "_hash": (["code_hash", "CodeHash", "token_hash"], ["password_hash", "PasswordHash", "std::hash", "code_mac"]),
    "World": (
        ["use crate::testing::World;", "world.login()", "let world = 1", "let mut world = 1"],
        ["the world's numbers", "worldwide", "WorldWide", "around the world."],
    ),
    "stand-in": (["a stand-in", "stand_ins", "stand\n// ins"], ["standing", "stand inside", "understand ink"]),
    "scene": (["the scene", "mod scene;", "Scene::new", "scenes"], ["scenery", "obscene", "scenario"]),
    "promise": (
        ["the promise", "it promises", "macro promises!", "Promised"],
        ["Promise.all(calls)", "compromise", "compromised", "promissory"],
    ),
    "seam": (["a seam", "the seams"], ["seamless", "seamstress"]),
    "house": (["## The house"], ["warehouse", "housekeeping"]),
    "Yes": (["Ok(Opened::Yes)", "    Yes(pair),", "Yes,"], ["// Yes, it is", "::Yesterday", "yes,"]),
    "fn of_": (["fn of_region(", "async fn of_many_guesses()"], ["let of_functions", "fn office(", "fn proof_of_x()"]),
    "say": (
        ["  say 'Building'", 'say "$name"', "need 'npm' ''", "need_to_run"],
        ["# say 'x'", "essay 'x'", "needle 'x'"],
    ),
    "e-mail": (["an e-mail", "E-mails"], ["email", "e-mailbox"]),
    "licence": (["a licence", "licences", "Licenced"], ["license", "licenses", "licensed", "LICENSE", "licentious"]),
    "-ise": (
        ["normalised", "optimisation", "initialise", "is_authorised", "deserialising"],
        [
            "promise",
            "otherwise",
            "precise",
            "exercise",
            "specialist",
            "normalized",
            "optimistic",
            "randomisms",
            "raise",
            "wise",
        ],
    ),
    "-yse": (["analyse", "analysing"], ["analysis", "analyses", "analyze"]),
    "-our": (
        ["the behaviour", "colours", "favourite", "honour"],
        ["four", "hour", "source", "your", "behavior", "contour", "tour"],
    ),
    "-tre": (["the centre", "centred"], ["center", "metric", "retreat"]),
    "-ogue": (["a catalogue"], ["catalog", "dialogue", "vogue"]),
    "-ence": (["defence in depth"], ["defense", "sequence", "fence"]),
    "-lled": (["labelled", "modelling"], ["labeled", "called", "cancelled", "pulled"]),
    "British": (
        ["whilst", "an artefact", "grey", "judgement"],
        ["while", "artifact", "gray", "program", "programmer", "judgment"],
    ),
}


# A file to which each rule applies.
FILES = {rule.name: f"x{rule.suffixes[0]}" if rule.suffixes else "x.rs" for rule in words.RULES}


class EachRule(unittest.TestCase):
    def test_has_examples(self):
        self.assertEqual(list(EXAMPLES), [rule.name for rule in words.RULES])

    def test_finds_its_examples(self):
        for name, (wrong, _) in EXAMPLES.items():
            for text in wrong:
                with self.subTest(rule=name, text=text):
                    found = [hit for hit in words.hits_in(FILES[name], text) if hit.rule.name == name]
                    self.assertEqual(len(found), 1, [str(hit) for hit in found])

    def test_finds_nothing_in_correct_text(self):
        for name, (_, correct) in EXAMPLES.items():
            for text in correct:
                with self.subTest(rule=name, text=text):
                    found = [str(hit) for hit in words.hits_in(FILES[name], text) if hit.rule.name == name]
                    self.assertEqual(found, [])


class TheSearch(unittest.TestCase):
    def test_reports_the_line_on_which_a_phrase_begins(self):
        text = '\n/// Returns many_names. Refused at\n    /// once, or\n    /// "tried \\\n    ///   at once".\n'
        self.assertEqual(
            [str(hit) for hit in words.hits_in("a.rs", text)],
            [
                "a.rs:2: at once -> immediately, or concurrently",
                "a.rs:5: at once -> immediately, or concurrently",
            ],
        )

    def test_finds_a_wrapped_phrase_in_a_script_and_in_markdown(self):
        for text in ["# Both at\n# once.\n", "Both at\nonce.\n", "- both at\n  once\n"]:
            self.assertEqual([hit.phrase.lower() for hit in words.hits_in("a.md", text)], ["at once"], text)

    def test_applies_rules_for_code_to_code_only(self):
        self.assertEqual(words.hits_in("a.md", "Invalid(x), World, ::Yes,"), [])

    def test_reads_published_files_only(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            files = {
                "README.md": "told",
                "a/README.md": "told",
                "a/code.rs": "",
                "script": "#!/usr/bin/env bash\n",
                ".ci/run": "#!/usr/bin/env bash\n",
                "LICENSE": "told",
                "a/x.LICENSE": "told",
                "target/x.rs": "told",
                "a/data.bin": "told",
            }
            for file, text in files.items():
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                (root / file).write_text(text, "utf-8")
            self.assertEqual(words.published_files(root), [".ci/run", "README.md", "a/README.md", "a/code.rs", "script"])
            hits, _ = words.search(root, ["a/README.md"], [])
            self.assertEqual([str(hit) for hit in hits], ["a/README.md:1: told -> return, report, log"])

    def test_an_exception_permits_its_phrase_in_its_file_and_must_be_used(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for file in ["a.rs", "b.rs"]:
                (root / file).write_text("// The epoch is told.\n", "utf-8")
            used, unused = ("a.rs", "told", "a reason"), ("b.rs", "seam", "a reason")
            hits, left_over = words.search(root, ["a.rs", "b.rs"], [used, unused])
            self.assertEqual(
                [(hit.file, hit.phrase) for hit in hits], [("a.rs", "epoch"), ("b.rs", "told"), ("b.rs", "epoch")]
            )
            self.assertEqual(left_over, [unused])

    def test_each_exclusion_and_exception_has_a_reason_and_a_file(self):
        for file, reason in [*words.EXCLUDED.items(), *((file, reason) for file, _, reason in words.EXCEPTIONS)]:
            self.assertTrue(reason)
            self.assertTrue(list(words.ROOT.glob(file)), file)


if __name__ == "__main__":
    unittest.main()
