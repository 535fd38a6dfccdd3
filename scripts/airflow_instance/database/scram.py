"""What PostgreSQL keeps of a password, so that the password itself need not be sent.

RFC 5802 and 7677, in the form of pg_authid. Every server from 10 on takes it, also
where pg_hba.conf says md5.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stringprep
import unicodedata

_ITERATIONS = 4096
_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def verifier(password: str, salt: bytes = b"") -> str:
    """The verifier of ``password``, with a new salt unless one is given."""
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password).encode(), salt, _ITERATIONS)
    client = hmac.digest(salted, b"Client Key", "sha256")
    server = hmac.digest(salted, b"Server Key", "sha256")
    stored = hashlib.sha256(client).digest()
    text = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{text[0]}${text[1]}:{text[2]}"


def prepared(password: str) -> str:
    """``password`` as SASLprep has it (RFC 4013); unchanged when that refuses it.

    The client library does the same with what a user types.
    """
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in password
        if not stringprep.in_table_b1(character)
    )
    text = unicodedata.normalize("NFKC", mapped)
    if not text or any(
        stringprep.in_table_a1(character) or any(table(character) for table in _PROHIBITED)
        for character in text
    ):
        return password
    right = [stringprep.in_table_d1(character) for character in text]
    if any(right):
        # Right-to-left text must be so from its first character to its last.
        left = any(map(stringprep.in_table_d2, text))
        if left or not (right[0] and right[-1]):
            return password
    return text
