"""Reads, checks and signs tokens."""

import base64
import json

from assertions import equal

TOKENS = ["access_token", "refresh_token"]


def parts_of(token):
    """Returns the header and the claims."""
    parts = token.split(".")
    equal(len(parts), 3, "the parts of a token")
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts[:2]]


def private_key_of(token, keys):
    """Returns the private key that signed a token, as PEM."""
    [key] = [key for key in keys["keys"] if key["kid"] == parts_of(token)[0]["kid"]]
    return f"-----BEGIN PRIVATE KEY-----\n{key['private_key']}\n-----END PRIVATE KEY-----\n"


def signed(token, keys, **changed):
    """Returns the token with changed claims, and with a valid signature."""
    # Imported here, so that this file can be read without it.
    import jwt

    header, claims = parts_of(token)
    return jwt.encode(claims | changed, private_key_of(token, keys), "RS256", {"kid": header["kid"]})


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
