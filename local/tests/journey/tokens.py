"""Checks a pair of tokens."""

import base64
import json

from assertions import equal

TOKENS = ["access_token", "refresh_token"]


def parts_of(token):
    """Returns the header and the claims."""
    parts = token.split(".")
    equal(len(parts), 3, "the parts of a token")
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts[:2]]


def expect_tokens(output, others=("device_token",)):
    response = json.loads(output)
    equal(sorted(response), sorted([*TOKENS, *others]), "the fields of the response")
    names = "user_id sub iss aud iat exp jti token_use sid auth_time token_version".split()
    for name, seconds, more in zip(TOKENS, [900, 30 * 24 * 60 * 60], [[], ["generation"]]):
        header, claims = parts_of(response[name])
        equal(header["alg"], "RS256", "the algorithm")
        equal(sorted(claims), sorted(names + more), "the claims")
        equal(claims["exp"] - claims["iat"], seconds, f"the seconds of the {name}")
        equal(claims["token_use"], name.partition("_")[0], "token_use")
