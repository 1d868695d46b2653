# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The incident's events and their hash chain. Pure: neither Ansible nor a driver.

One schema for production and rehearsal: ``incident_id``, ``run_id``, ``seq`` (from 1, per incident and run), ``at``
(UTC, microseconds, the server's clock), ``phase``, ``source`` (the module), ``event``, ``data`` (an object),
``previous`` and ``hash``. ``hash`` is the SHA-256 of ``previous`` and of the event as canonical JSON, so a change
anywhere breaks the chain.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

PHASES = ("contain", "preserve", "assess", "recover", "validate", "release", "re-enable", "report")
# Made once: json.dumps makes an encoder for each call, and a journal has many lines.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Event:
    """One thing that happened; the module's docstring describes the fields."""

    incident_id: str
    run_id: str
    seq: int
    at: str
    phase: str
    source: str
    event: str
    data: Mapping[str, Any]
    previous: str

    @property
    def hash(self) -> str:
        """The chain's next link, 64 hexadecimal digits."""
        body = _CANONICAL.encode(
            [self.incident_id, self.run_id, self.seq, self.at, self.phase, self.source, self.event, self.data]
        )
        return hashlib.sha256(f"{self.previous}\n{body}".encode()).hexdigest()


def break_of(event: Event, stored: str, place: int, previous: str) -> str:
    """Return why an event does not follow in its chain, ``missing`` or ``changed``; empty when it does.

    :param stored: the event's hash as it was stored.
    :param place: the number that it should have, from 1.
    :param previous: the stored hash of the event before; empty for the first.
    """
    if event.seq != place:
        return "missing"
    return "changed" if event.previous != previous or event.hash != stored else ""


def broken_links(events: Sequence[tuple[Event, str]]) -> list[str]:
    """Return where the chains are broken, as ``run/seq: why``; empty when every chain is intact.

    :param events: each event with its stored hash, in any order.
    """
    found = []
    runs: dict[str, list[tuple[Event, str]]] = {}
    for event, stored in events:
        runs.setdefault(event.run_id, []).append((event, stored))
    for run, chain in runs.items():
        previous = ""
        for place, (event, stored) in enumerate(sorted(chain, key=lambda link: link[0].seq), start=1):
            why = break_of(event, stored, place, previous)
            if why:
                found.append(f"{run}/{place}: {why}")
                break
            previous = stored
    return found
