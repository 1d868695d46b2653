# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A password as the verifier that PostgreSQL stores (RFC 5802, RFC 7677). Pure: neither Ansible nor a driver."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

# PostgreSQL's own numbers, so that our verifiers are like the server's.
ITERATIONS = 4096
SALT_BYTES = 16
_BASE64 = r"[A-Za-z0-9+/]+={0,2}"
_VERIFIERS = (re.compile(rf"SCRAM-SHA-256\$[0-9]+:{_BASE64}\${_BASE64}:{_BASE64}"), re.compile(r"md5[0-9a-f]{32}"))


def salt_of(role: str, cluster: str) -> bytes:
    """Return the salt of a role's password on one server: the same in each run, different for each role.

    A salt is not secret: it has to keep one precomputed table from fitting two verifiers, which role and server do. A
    random one would make each run a change unless the present verifier were read first, which only superusers may do.

    :param cluster: as ``_catalog.Server`` has it, with the database, which plays no part: a role is the same in all.
    """
    server = cluster.rsplit("/", 1)[0]
    return hashlib.sha256("\0".join(("chatia.kanban_rollback", server, role)).encode()).digest()[:SALT_BYTES]


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return the verifier of an ASCII password, in which SASLprep changes nothing."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{parts[0]}${parts[1]}:{parts[2]}"


def scram_verifier(password: str, role: str, cluster: str) -> str:
    """Return what is sent to the server in place of a password; raises BadInput for one that is not ASCII.

    A verifier is sent as it is, and the empty password, which means none, stays empty.
    """
    if not password or any(known.fullmatch(password) for known in _VERIFIERS):
        return password
    if not password.isascii():
        # Clients normalise such a password, each with the tables of its own Unicode version: the result is uncertain.
        raise BadInput(
            "password_not_ascii",
            f"The password of role {role!r} has letters outside ASCII.",
            "It is hashed here, so that no server log has it, and programs do not agree on how such letters are "
            "hashed: the login could fail on the day. Nothing was set.",
            "Choose a password of ASCII letters, digits and signs; or give its verifier (SCRAM-SHA-256$...) instead.",
        )
    return verifier(password, salt_of(role, cluster))
