#!/usr/bin/env python3
"""Prints the crates that the deployed functions are built from, as a CycloneDX document (SBOM).

    local/tools/sbom.py > target/sbom.cdx.json

Reads Cargo.lock, and the output of `cargo tree`, which omits the crates of tests and of local runs.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# All functions are bins of one package.
TREE = (
    "cargo tree --locked --package functions --no-default-features --features aws --edges normal,build "
    "--target aarch64-unknown-linux-gnu --prefix none --no-dedupe --format {p}|{l}"
).split()


def licenses_of(tree):
    """Returns the license of each crate in the output of `cargo tree`, by name and version."""
    licenses = {}
    for line in filter(None, tree.splitlines()):
        crate, license = line.rsplit("|", 1)
        name, version = crate.split(" ")[:2]
        if not license:
            raise SystemExit(f"{crate} names no license: deny.toml does not accept it either")
        # Old crates separate alternatives by a slash.
        licenses[name, version.removeprefix("v")] = " OR ".join(map(str.strip, license.split("/")))
    return licenses


def document(lock, tree):
    """Returns the document for the text of Cargo.lock and the output of `cargo tree`."""
    licenses = licenses_of(tree)
    components = []
    for package in tomllib.loads(lock)["package"]:
        name, version = package["name"], package["version"]
        # The packages of this project have no source.
        if (name, version) in licenses and "source" in package:
            components.append(
                {
                    "type": "library",
                    "name": name,
                    "version": version,
                    "purl": f"pkg:cargo/{name}@{version}",
                    "hashes": [{"alg": "SHA-256", "content": package["checksum"]}],
                    "licenses": [{"expression": licenses[name, version]}],
                }
            )
    version = tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))["workspace"]["package"]["version"]
    product = {"type": "application", "name": "ably", "version": version}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": product},
        "components": components,
    }


if __name__ == "__main__":
    tree = subprocess.run(TREE, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    json.dump(document((ROOT / "Cargo.lock").read_text("utf-8"), tree), sys.stdout, indent=2)
    print()
