"""Two JOSE libraries read our tokens by our JWKS, and issue tokens with keys of their own for us to read.

Takes a JSON object as its argument, prints one.
"""

import json
import sys
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwcrypto import jwk
from jwcrypto import jwt as jose


def read_by_pyjwt(token, asked):
    """Verifies with PyJWT; returns the claims."""
    kid = jwt.get_unverified_header(token)["kid"]
    keys = jwt.PyJWKSet.from_dict(asked["jwks"])
    key = keys[kid]
    return jwt.decode(
        token,
        key.key,
        algorithms=[key.algorithm_name],
        audience=asked["audience"],
        issuer=asked["issuer"],
        options={"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]},
    )


def read_by_jwcrypto(token, asked):
    """Verifies with jwcrypto; returns the claims."""
    keys = jwk.JWKSet.from_json(json.dumps(asked["jwks"]))
    checks = {"iss": asked["issuer"], "aud": asked["audience"]}
    read = jose.JWT(jwt=token, key=keys, algs=["EdDSA", "ES256"], check_claims=checks)
    return json.loads(read.claims)


def refuses(read, token, asked):
    """Whether a library refuses a token whose payload was changed."""
    header, payload, signature = token.split(".")
    changed = payload[:-1] + ("A" if payload[-1] != "A" else "E")
    try:
        read(f"{header}.{changed}.{signature}", asked)
    except Exception:
        return True
    return False


def issue(private, algorithm, claims):
    """A fresh key as PEM, its thumbprint, and a token of each library signed with it."""
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = jwk.JWK.from_pem(pem)
    kid = key.thumbprint()
    by_pyjwt = jwt.encode(claims, private, algorithm=algorithm, headers={"kid": kid, "typ": "at+jwt"})
    by_jwcrypto = jose.JWT(header={"alg": algorithm, "kid": kid, "typ": "at+jwt"}, claims=claims)
    by_jwcrypto.make_signed_token(key)
    return {"pem": pem.decode(), "kid": kid, "tokens": [by_pyjwt, by_jwcrypto.serialize()]}


def main():
    asked = json.loads(sys.argv[1])
    readers = [read_by_pyjwt, read_by_jwcrypto]
    now = int(time.time())
    claims = dict(asked["claims"], iss=asked["issuer"], aud=asked["audience"], iat=now, nbf=now, exp=now + 300)
    answer = {
        "read": [[read(token, asked) for token in asked["tokens"]] for read in readers],
        "refused": all(refuses(read, token, asked) for token in asked["tokens"] for read in readers),
        "issued": [
            issue(ed25519.Ed25519PrivateKey.generate(), "EdDSA", claims),
            issue(ec.generate_private_key(ec.SECP256R1()), "ES256", claims),
        ],
    }
    print(json.dumps(answer))


main()
