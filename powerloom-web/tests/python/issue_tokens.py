"""Makes keys, and signs the tokens it is asked for, with PyJWT."""

import hashlib
import hmac
import json
import sys
from base64 import urlsafe_b64encode

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

rs = rsa.generate_private_key(public_exponent=65537, key_size=2048)
es = ec.generate_private_key(ec.SECP256R1())
ed = ed25519.Ed25519PrivateKey.generate()
keys = {"RS256": ("rs", rs), "ES256": ("es", es), "EdDSA": ("ed", ed), "PS256": ("rs", rs), "RS512": ("rs", rs)}


def part(data):
    return urlsafe_b64encode(data).rstrip(b"=")


def sign(wanted):
    alg, header, claims = wanted["alg"], wanted["header"], wanted["claims"]
    if alg == "HS256-confused":
        # PyJWT refuses to do this, as it should.
        public = rs.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        signed = part(json.dumps({"alg": "HS256", **header}).encode()) + b"." + part(json.dumps(claims).encode())
        return (signed + b"." + part(hmac.new(public, signed, hashlib.sha256).digest())).decode()
    if alg == "none":
        return jwt.encode(claims, None, algorithm="none", headers=header)
    kid, key = keys[alg]
    return jwt.encode(claims, key, algorithm=alg, headers={"kid": kid, **header})


def jwk(algorithm, key, kid, alg):
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", "alg": alg}


published = [
    jwk(RSAAlgorithm, rs, "rs", "RS256"),
    jwk(ECAlgorithm, es, "es", "ES256"),
    jwk(OKPAlgorithm, ed, "ed", "EdDSA"),
]
for entry in published:
    entry.pop("key_ops", None)
print(json.dumps({"jwks": {"keys": published}, "tokens": [sign(wanted) for wanted in json.loads(sys.argv[1])]}))
