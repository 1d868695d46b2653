# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions as signed text: any process accepts one that another issued, even after a restart. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Session:
    """Who is logged in, of which company, until when (Unix time)."""

    user: int
    company: int
    expires: int


def issue(session: Session, secret: str) -> str:
    """Return the token of a session."""
    body = base64.urlsafe_b64encode(json.dumps(asdict(session)).encode()).decode()
    return f"{body}.{_sign(body, secret)}"


def read(token: str, secret: str, now: float) -> Session | None:
    """Return the session of a token; None if it is forged, broken or expired."""
    body, _dot, signature = token.partition(".")
    if not hmac.compare_digest(signature.encode(), _sign(body, secret).encode()):
        return None
    # Signed by us, so it is what we wrote.
    session = Session(**json.loads(base64.urlsafe_b64decode(body)))
    return session if session.expires > now else None


def _sign(body: str, secret: str) -> str:
    return hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
