"""Runs the documentation's programs that verify access tokens in other services."""

import os
import re
import subprocess
import sys

from assertions import check, equal
from client import API
from documents import API_DOCUMENT, text_of
from endpoints import LOGIN
from tokens import TOKENS, parts_of, private_key_of

PYTHON_DRIVER = """
import sys
for token in sys.argv[1:]:
    try:
        print(user_of(token))
    except jwt.PyJWTError:
        print("refused")
"""
NODE_DRIVER = """
import { errors } from "jose";
import { userOf } from "./verifier.mjs";
for (const token of process.argv.slice(2)) {
  console.log(await userOf(token).catch((error) => {
    if (error instanceof errors.JOSEError) return "refused";
    throw error;
  }));
}
"""


def forged(access, keys):
    """Returns tokens that all verifiers must refuse, by the reason."""
    # Imported here, so that this file can be read without it.
    import jwt

    header, claims = parts_of(access)
    [public_key] = [key["n"] for key in keys["keys"] if key["kid"] == header["kid"]]

    def sign(secret=private_key_of(access, keys), algorithm="RS256", **changed):
        return jwt.encode(claims | changed, secret, algorithm, {"kid": header["kid"]})

    head, body, signature = access.split(".")
    return {
        "another issuer": sign(iss="https://accounts.example.org"),
        "another audience": sign(aud="somebody else"),
        "expired": sign(exp=claims["iat"] - 1000),
        "another algorithm of the key": sign(algorithm="RS512"),
        "the public key as a shared secret": sign(public_key, "HS256"),
        "no algorithm": sign(None, "none"),
        "another signature": ".".join([head, body, signature[1:] + signature[0]]),
    }


def check_verifiers(client, folder, keys):
    """Runs the verifiers in `folder`, unchanged except for the address."""
    issuer = f"http://localhost:{client.port}"
    discovered = client.returns(200, "GET", "/.well-known/openid-configuration")
    equal((discovered["issuer"], discovered["jwks_uri"]), (issuer, f"{issuer}/.well-known/jwks.json"), "the discovery")
    published = client.returns(200, "GET", "/.well-known/jwks.json")

    tokens = client.returns(200, "POST", f"{API}/login", LOGIN)
    access, refresh = (tokens[name] for name in TOKENS)
    header, claims = parts_of(access)
    check(header["kid"] in [key["kid"] for key in published["keys"]], "the token's key is not published")
    bad = {"a refresh token": refresh} | forged(access, keys)
    document = text_of(API_DOCUMENT)
    [python] = re.findall(r"^```python\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    [node] = re.findall(r"^```js\n(.*?)^```$", document, re.DOTALL | re.MULTILINE)
    python, node = (code.replace("https://accounts.example.com", issuer) for code in [python, node])
    check(issuer in python and issuer in node, f"the verifiers in {API_DOCUMENT} have another address")
    (folder / "verifier.py").write_text(python + PYTHON_DRIVER, "utf-8")
    (folder / "verifier.mjs").write_text(node, "utf-8")
    (folder / "main.mjs").write_text(NODE_DRIVER, "utf-8")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "jose").symlink_to(os.environ["JOSE"])
    for command in [[sys.executable, "verifier.py"], ["node", "main.mjs"]]:
        print("$", *command, flush=True)
        arguments = [*command, access, *bad.values()]
        verified = subprocess.run(arguments, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
        results = dict(zip(["an access token", *bad], verified.stdout.splitlines(), strict=True))
        equal(results, {"an access token": claims["sub"]} | dict.fromkeys(bad, "refused"), "a verifier's results")
    return tokens
