# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A status page as it is: components, the incident that is ours, and what that incident remembers. Pure.

The API documents ``metadata`` of an incident, an object of objects. It says whose incident it is, what has been posted,
and how components were before. It is sent in the same request as the words, so either both are there or
neither, whatever happens to the answer.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

MARK = "kanban_rollback"
_POSTED, _BEFORE, _SET = f"{MARK}_posted", f"{MARK}_before", f"{MARK}_set"
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_OVER = ("resolved", "postmortem", "completed")


class NotThePage(ValueError):
    """The answer is not what the API documents; the text says how."""


@dataclass(frozen=True)
class Component:
    """One component; ``group``: it only groups others, and has no status of its own."""

    id: str
    name: str
    status: str
    group: bool = False


@dataclass(frozen=True)
class Incident:
    """One incident. ``components``: ids of those that it affects."""

    id: str
    name: str
    status: str
    impact: str | None = None
    url: str | None = None
    created: str = ""
    components: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def over(self) -> bool:
        """True when it is resolved."""
        return self.status in _OVER


@dataclass(frozen=True)
class Memory:
    """What an incident of ours remembers, as flat objects of texts, which any store of metadata can keep.

    :param owner: our id of the incident.
    :param posted: digests of what was posted, each with the status that it had then.
    :param before: components' status before this incident changed it, by id; the first one stays.
    :param set: the status that this incident set last, by id.
    """

    owner: str
    posted: Mapping[str, str] = field(default_factory=dict)
    before: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, str] = field(default_factory=dict)

    def put_into(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Return metadata with this added; what others keep there stays."""
        mine = {MARK: {"incident": self.owner}, _POSTED: self.posted, _BEFORE: self.before, _SET: self.set}
        return {**metadata, **{name: dict(value) for name, value in mine.items()}}


def memory_of(incident: Incident | None, owner: str) -> Memory:
    """Return what an incident remembers; nothing if there is none."""
    metadata = incident.metadata if incident else {}
    return Memory(owner, *(_texts(metadata.get(name)) for name in (_POSTED, _BEFORE, _SET)))


def _texts(value: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, Mapping) else {}


def digest(status: str | None, body: str | None, key: str = "") -> str:
    """Return the digest by which the same words with the same status are recognized.

    :param key: what they are, if the same words may be said a second time.
    """
    said = "\n".join([status or "", body or "", *([key] if key else [])])
    return hashlib.sha256(said.encode()).hexdigest()[:20]


def component_from(answer: Any) -> Component:
    """Return the component of an answer; raises NotThePage."""
    given = _object(answer, "component")
    return Component(_id(given), _text(given, "name"), _text(given, "status"), bool(given.get("group")))


def incident_from(answer: Any) -> Incident:
    """Return the incident of an answer; raises NotThePage."""
    given = _object(answer, "incident")
    affected = given.get("components")
    metadata = given.get("metadata")
    return Incident(
        _id(given),
        _text(given, "name"),
        _text(given, "status"),
        _maybe(given, "impact"),
        _maybe(given, "shortlink"),
        _maybe(given, "created_at") or "",
        tuple(_id(_object(one, "component")) for one in affected) if isinstance(affected, list) else (),
        metadata if isinstance(metadata, Mapping) else {},
    )


def listed(answer: Any) -> Sequence[Any]:
    """Return the list that an answer is; raises NotThePage."""
    if not isinstance(answer, list):
        raise NotThePage("a list was asked for, and the answer is none")
    return answer


def ours(incidents: Sequence[Incident], owner: str) -> list[Incident]:
    """Return the incidents that carry our id, open ones before those that are over, the oldest first."""
    found = {
        one.id: one
        for one in incidents
        if isinstance(one.metadata.get(MARK), Mapping) and one.metadata[MARK].get("incident") == owner
    }
    return sorted(found.values(), key=lambda one: (one.over, one.created, one.id))


def _object(value: Any, kind: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NotThePage(f"the answer has no {kind} where one should be")
    return value


def _id(given: Mapping[str, Any]) -> str:
    # It becomes part of a path.
    found = given.get("id")
    if not isinstance(found, str) or not _ID.fullmatch(found):
        raise NotThePage("the answer has an id that is none")
    return found


def is_id(text: str) -> bool:
    """Return whether a text can be an id of the API, and so part of a path."""
    return bool(_ID.fullmatch(text))


def _text(given: Mapping[str, Any], name: str) -> str:
    found = given.get(name)
    if not isinstance(found, str):
        raise NotThePage(f"the answer lacks {name}")
    return found


def _maybe(given: Mapping[str, Any], name: str) -> str | None:
    found = given.get(name)
    return found if isinstance(found, str) else None
