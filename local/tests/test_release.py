"""Tests the checks of a release: the advisories, and the list of crates."""

import os
import subprocess
import sys
import tempfile
import tomllib
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "local" / "tools"))

import sbom  # noqa: E402

BANNER = "Advisories NOT checked"
# The output of `cargo tree` for two crates, one of them a macro that occurs twice, and for a package of the project.
TREE = """\
functions v0.1.0 (/src/functions)|MIT
itoa v1.0.15|MIT/Apache-2.0

async-trait v0.1.92 (proc-macro)|MIT OR Apache-2.0
async-trait v0.1.92 (proc-macro)|MIT OR Apache-2.0
"""


def package(name, version, checksum=None):
    source = f'source = "registry+https://example.com"\nchecksum = "{checksum}"\n' if checksum else ""
    return f'[[package]]\nname = "{name}"\nversion = "{version}"\n{source}'


class TheAdvisories(unittest.TestCase):
    def check(self, *arguments, fetch, check=0):
        """Runs the check with a cargo-deny whose commands exit with these codes."""
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder) / "cargo-deny"
            program.write_text(f'#!/bin/sh\n[ "$1" = fetch ] && exit {fetch}\nexit {check}\n', "utf-8")
            program.chmod(0o755)
            environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"}
            command = [ROOT / ".ci" / "advisories", *arguments]
            return subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)

    def test_a_fresh_database_without_a_hit_passes(self):
        for arguments in [[], ["--release"]]:
            result = self.check(*arguments, fetch=0)
            self.assertEqual((result.returncode, BANNER in result.stdout), (0, False))

    def test_a_vulnerability_fails(self):
        for arguments in [[], ["--release"]]:
            self.assertNotEqual(self.check(*arguments, fetch=0, check=1).returncode, 0)

    def test_without_a_database_the_banner_is_shown_and_only_a_release_fails(self):
        commit, release = self.check(fetch=1), self.check("--release", fetch=1)
        self.assertEqual((commit.returncode, release.returncode), (0, 1))
        self.assertIn(BANNER, commit.stdout)
        self.assertIn(BANNER, release.stdout)


class TheListOfCrates(unittest.TestCase):
    def test_contains_the_crates_of_the_functions_alone(self):
        lock = package("functions", "0.1.0") + package("async-trait", "0.1.92", "aa") + package("itoa", "1.0.15", "bb")
        # Another version, and a crate of the tests.
        lock += package("itoa", "0.4.8", "cc") + package("proptest", "1.12.0", "dd")
        document = sbom.document(lock, TREE)
        found = [
            (crate["purl"], crate["hashes"][0]["content"], crate["licenses"][0]["expression"])
            for crate in document["components"]
        ]
        expected = [
            ("pkg:cargo/async-trait@0.1.92", "aa", "MIT OR Apache-2.0"),
            ("pkg:cargo/itoa@1.0.15", "bb", "MIT OR Apache-2.0"),
        ]
        self.assertEqual(found, expected)

    def test_each_crate_of_the_lock_file_comes_from_the_registry_that_is_allowed(self):
        deny = tomllib.loads((ROOT / "deny.toml").read_text("utf-8"))
        allowed = {f"registry+{url}" for url in deny["sources"]["allow-registry"]}
        packages = tomllib.loads((ROOT / "Cargo.lock").read_text("utf-8"))["package"]
        self.assertEqual({package["source"] for package in packages if "source" in package}, allowed)


if __name__ == "__main__":
    unittest.main()
