"""Verifies an export of an audit trail by its published description alone: `verify_audit.py EXPORT [CHECKPOINT]`.

Written from the description of the bytes in the documentation of `powerloom_core::audit`, with nothing of Powerloom.
The checkpoint's signature is not verified (the standard library has no Ed25519): the file itself is trusted.
Exits with 0 if everything verifies, 1 if something does not, 2 if this is no export.
"""

import base64
import hashlib
import json
import sys


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def bad_input(why):
    print("bad input:", why)
    sys.exit(2)


def does_not_verify(why):
    print("does not verify:", why)
    sys.exit(1)


def once(pairs):
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def parse(data):
    try:
        return json.loads(data, object_pairs_hook=once)
    except ValueError as error:
        bad_input(error)


def entry(line):
    """The parts of a line, byte for byte."""
    cut = line.rfind(b'","row":')
    tail = line.rfind(b',"salt":')
    prev, middle, hashed = line[cut - 64 : cut], line[cut - 79 : cut - 64], line[cut - 143 : cut - 79]
    change = line[: cut - 143]
    if middle != b'","prev_hash":"' or not change.startswith(b'{"change":') or not change.endswith(b',"hash":"'):
        bad_input("a line is not written as an entry is")
    salt = parse(line[tail + 8 : -1])
    payload = change[len(b'{"change":') : -len(b',"hash":"')]
    row = line[cut + 8 : tail]
    return payload, bytes.fromhex(hashed.decode()), bytes.fromhex(prev.decode()), row, salt


def root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", root(leaves[:split]), root(leaves[split:]))


def main(export, checkpoint=None):
    lines = open(export, "rb").read().split(b"\n")
    if lines.pop() != b"":
        bad_input("the last line has no end")
    header = parse(lines[0])
    if header.get("format") != "powerloom/audit-export" or header["from"] != 1:
        bad_input("this verifier reads whole exports")
    previous, leaves, hashes = bytes(32), [], []
    for seq, line in enumerate(lines[1:], 1):
        payload, hashed, prev, row, salt = entry(line)
        fields = parse(row)
        if fields["seq"] != seq or fields["org_id"] != header["org_id"] or fields["v"] != 1:
            does_not_verify(f"entry {seq} is not in its place")
        if prev != previous or sha256(b"powerloom/audit/v1\n", prev, row) != hashed:
            does_not_verify(f"entry {seq} was changed or moved")
        if payload != b"null":
            prefix = b"" if salt is None else b"powerloom/audit/change/v1\n" + bytes.fromhex(salt)
            if sha256(prefix, payload).hex() != fields["change_hash"]:
                does_not_verify(f"the payload of entry {seq} was changed")
        previous = hashed
        hashes.append(hashed)
        leaves.append(sha256(b"\x00", hashed))
    if len(hashes) != header["to"]:
        does_not_verify("the export was cut off")
    if checkpoint:
        _, size, tree, head, *_ = open(checkpoint, encoding="utf-8").read().split("\n")
        size = int(size)
        if size > len(hashes):
            does_not_verify(f"truncated: the checkpoint covers {size} entries")
        if root(leaves[:size]) != base64.b64decode(tree) or hashes[size - 1].hex() != head.removeprefix("head "):
            does_not_verify("fork: the checkpoint was made of other entries")
    print("verified", len(hashes), "entries")


main(*sys.argv[1:])
