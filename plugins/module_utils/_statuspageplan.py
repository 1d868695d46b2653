# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be sent to a status page, given what is there and what is wished. Pure: nothing is sent here."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspage import (
    Component,
    Incident,
    Memory,
    digest,
    memory_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspagetext import shown, some

STATUSES = ("operational", "degraded_performance", "partial_outage", "major_outage", "under_maintenance")
PRIOR = "prior"
OPEN, UPDATE, RESOLVE, REMEMBER, COMPONENT = "open", "update", "resolve", "remember", "component"


@dataclass(frozen=True)
class Wish:
    """What is wished; the fields are the module's options of the same names, texts as they are sent.

    ``key``: what is posted, if the same words may be said again.
    """

    incident: str | None = None
    name: str | None = None
    status: str | None = None
    impact_override: str | None = None
    body: str | None = None
    deliver_notifications: bool = True
    resolved: bool = False
    component: Sequence[str] = ()
    component_status: str | None = None
    key: str = ""

    @property
    def digest(self) -> str:
        """The digest by which it is known that this was posted."""
        return digest(self.status, self.body, self.key)

    @property
    def words(self) -> bool:
        """True if there is something to post on an incident that already exists."""
        return self.body is not None or self.status is not None


@dataclass(frozen=True)
class Seen:
    """What is there: the components that are meant, in their order, and the incident that is ours."""

    components: Sequence[Component] = ()
    incident: Incident | None = None


@dataclass(frozen=True)
class Step:
    """One thing to send. ``target``: the id of what it changes; ``fields``: what is sent."""

    what: str
    target: str | None
    fields: Mapping[str, Any]

    @property
    def harmless(self) -> bool:
        """True if sending it twice is the same as sending it once."""
        return self.what in (REMEMBER, COMPONENT)


@dataclass(frozen=True)
class Plan:
    """The steps in their order, and what people should know. ``targets``: the new status of components, by id."""

    steps: Sequence[Step] = ()
    warnings: Sequence[str] = ()
    targets: Mapping[str, str] = field(default_factory=dict)


def chosen(wished: Sequence[str], there: Sequence[Component]) -> list[Component]:
    """Return the components that ids or names refer to, each once; raises BadInput."""
    found: dict[str, Component] = {}
    for text in wished:
        mean = [one for one in there if one.id == text] or [one for one in there if one.name == text]
        mean = [one for one in mean if not one.group] or mean
        if not mean:
            raise BadInput(
                "unknown_component",
                f"The page has no component {shown(text)}.",
                "What people read about it would stay as it was. Nothing was sent.",
                f"Give the id, or the name to the letter. It has: {some([one.name for one in there])}.",
            )
        if len(mean) > 1:
            raise BadInput(
                "ambiguous_component",
                f"The page has {len(mean)} components of the name {shown(text)}.",
                "It is not known which of them is meant. Nothing was sent.",
                f"Give the id of one: {some([one.id for one in mean])}.",
            )
        if mean[0].group:
            raise BadInput(
                "component_group",
                f"{shown(text)} is a group of components.",
                "A group shows the worst of what is in it and has no status of its own. Nothing was sent.",
                "Name the components in it.",
            )
        found[mean[0].id] = mean[0]
    return list(found.values())


def plan(wish: Wish, seen: Seen) -> Plan:
    """Return what has to be sent, nothing if everything is as wished; raises BadInput and KanbanError."""
    incident = seen.incident
    memory = memory_of(incident, wish.incident or "")
    known = wish.digest in memory.posted
    if incident is not None and incident.over and not wish.resolved:
        return _after_the_end(wish, seen, incident, known)
    targets, warnings = _targets(wish, seen, memory)
    what = _what(wish, incident, known)
    after = _remembering(memory, wish, seen.components, targets)
    if what is not None:
        return Plan([_posting(what, wish, seen, after, targets)], warnings, targets)
    steps = [Step(COMPONENT, key, {"status": status}) for key, status in targets.items()]
    if incident is not None and after != memory:
        # Before the component changes, because afterwards nobody knows how it was.
        fields = {"metadata": after.put_into(incident.metadata), "deliver_notifications": False}
        steps.insert(0, Step(REMEMBER, incident.id, fields))
    return Plan(steps, warnings, targets)


def _after_the_end(wish: Wish, seen: Seen, incident: Incident, known: bool) -> Plan:
    """Return the plan for a resolved incident: what was posted before needs nothing; anything else is a mistake."""
    if wish.words and not known:
        raise KanbanError(
            "incident_resolved",
            f"The incident {shown(wish.incident or '')} is resolved on the page.",
            "An update would open it again, and whoever resolved it may have had reasons. Nothing was sent.",
            "Give incident another id where trouble is back, or post it on the page by hand.",
        )
    # A component that went back with its incident must not be put down again by repeating an earlier call.
    behind = [one.name for one in seen.components if wish.component_status not in (None, PRIOR, one.status)]
    warnings = [f"The incident is resolved on the page, so components are left as they are: {some(behind)}."]
    return Plan([], warnings if behind else [])


def _what(wish: Wish, incident: Incident | None, known: bool) -> str | None:
    if wish.incident is None:
        return None
    if incident is None:
        return None if wish.resolved else OPEN
    if wish.resolved:
        return None if incident.over else RESOLVE
    return UPDATE if wish.words and not known else None


def _targets(wish: Wish, seen: Seen, memory: Memory) -> tuple[dict[str, str], list[str]]:
    targets: dict[str, str] = {}
    warnings: list[str] = []
    for one in seen.components:
        target = wish.component_status
        if target == PRIOR:
            target, why = _prior(one, memory)
            warnings += [f"Component {shown(one.name)} is left {one.status}: {why}."] if why else []
        if target not in (None, one.status):
            targets[one.id] = str(target)
    return targets, warnings


def _prior(one: Component, memory: Memory) -> tuple[str | None, str | None]:
    """Return the status from before, or why there is none to go back to."""
    before = memory.before.get(one.id)
    if before not in STATUSES:
        return None, "no change of it is remembered under this incident"
    if one.status not in (before, memory.set.get(one.id)):
        return None, "somebody has changed it since"
    return before, None


def _remembering(memory: Memory, wish: Wish, components: Sequence[Component], targets: Mapping[str, str]) -> Memory:
    if wish.component_status == PRIOR:
        return memory
    now = {one.id: one.status for one in components if one.id in targets}
    return replace(memory, before={**now, **memory.before}, set={**memory.set, **targets})


def _posting(what: str, wish: Wish, seen: Seen, memory: Memory, targets: Mapping[str, str]) -> Step:
    """Return the one request that posts the words, changes the components and remembers both."""
    if what == OPEN and not wish.name:
        raise BadInput(
            "no_name",
            "There is no incident of this id on the page yet, and no name for one.",
            "It cannot be opened without what people read first. Nothing was sent.",
            "Give name: what is not working, in a few words.",
        )
    incident = seen.incident
    status = {OPEN: wish.status or "investigating", RESOLVE: "resolved"}.get(what, wish.status)
    posted = {**memory.posted, wish.digest: status or (incident.status if incident else "")}
    metadata = replace(memory, posted=posted).put_into(incident.metadata if incident else {})
    wanted: dict[str, Any] = {
        "name": wish.name if what == OPEN else None,
        "status": status,
        "body": wish.body,
        "impact_override": wish.impact_override,
        "components": dict(targets) or None,
        "component_ids": _affected(incident, seen.components),
    }
    fields = {name: value for name, value in wanted.items() if value is not None}
    fields.update(deliver_notifications=wish.deliver_notifications, metadata=metadata)
    return Step(what, incident.id if incident else None, fields)


def _affected(incident: Incident | None, components: Sequence[Component]) -> list[str] | None:
    """Return the components that the incident affects, including those that others added; None if nothing changes."""
    there = list(incident.components) if incident else []
    more = [one.id for one in components if one.id not in there]
    return there + more if more else None
