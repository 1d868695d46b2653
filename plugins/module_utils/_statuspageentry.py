# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module ``status_page``: look, plan (check mode stops here), send, and look again if the outcome is unknown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Callable, Mapping, Sequence, TypeVar

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspage import (
    Component,
    Incident,
    NotThePage,
    component_from,
    incident_from,
    is_id,
    listed,
    memory_of,
    ours,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspageclient import (
    Client,
    Doubtful,
    Site,
    address,
    not_the_page,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspageplan import (
    COMPONENT,
    OPEN,
    Plan,
    Seen,
    Step,
    Wish,
    chosen,
    plan,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._statuspagetext import body_of, name_of, some

# Components and open incidents are read in pages (unpaged, the API allows one read a minute), up to this many.
PAGE, MOST_PAGES = 100, 20
# A resolved incident of ours is looked for among this many of the newest.
NEWEST = 50
_MOST_OWNER = 100
# The API may still be at work when it is silent: what it does then must be there when we look again.
SETTLE_SECONDS = 1.0
_T = TypeVar("_T")


@dataclass(frozen=True)
class Request:
    """What the module was asked for."""

    site: Site
    wish: Wish
    seconds: float


@dataclass
class _Doing:
    """What has been done so far. ``doubt``: the step of which it is not known whether it was done."""

    actions: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    doubt: Step | None = None


def request_from(params: Mapping[str, Any]) -> Request:
    """Return what the module's parameters ask for; raises BadInput."""
    if not is_id(params["page_id"]):
        raise _bad("bad_page", "page_id is no id of a page", "The page's API info has it, for instance kctbh9vrtdwd")
    if not params["api_key"].strip() or not params["api_key"].isascii() or not params["api_key"].isprintable():
        raise _bad("bad_key", "api_key is empty or no key", "Give one line of plain letters, as the page shows it")
    owner = params["incident"]
    if owner is not None and not (owner.strip() and len(owner) <= _MOST_OWNER and owner.isprintable()):
        raise _bad("bad_incident", "incident is no id", f"Give one line of at most {_MOST_OWNER} characters")
    if params["state"] == "resolved" and params["status"]:
        raise _bad("bad_status", "status is given for an incident that is to be resolved", "Leave status out")
    if params["component_status"] == "prior" and owner is None:
        raise _bad("no_incident", "component_status is prior, and no incident is named", "Give incident: it remembers")
    if params["component_status"] and not params["component"]:
        raise _bad("no_component", "component_status is given, and no component", "Give component: its id or name")
    return Request(
        Site(address(params["api_url"]), params["page_id"], params["api_key"].strip(), params["ca_certs"]),
        Wish(
            incident=owner.strip() if owner is not None else None,
            name=None if params["name"] is None else name_of(params["name"]),
            status=params["status"],
            impact_override=params["impact_override"],
            body=None if params["body"] is None else body_of(params["body"]),
            deliver_notifications=params["deliver_notifications"],
            resolved=params["state"] == "resolved",
            component=tuple(params["component"]),
            component_status=params["component_status"],
        ),
        params["timeout"],
    )


def _bad(code: str, what: str, todo: str) -> BadInput:
    return BadInput(code, f"{what}.", "It would not be known what is meant. Nothing was sent.", f"{todo}.")


def change_page(request: Request, check: bool) -> tuple[dict[str, Any], KanbanError | None]:
    """Bring the page to what is wished, and return the module's result and the error that ended it half-way, if any."""
    client, doing = Client(request.site, request.seconds), _Doing()
    first, (planned, warnings) = _look(client, request.wish)
    seen, to_do = first, planned
    try:
        while not check and (to_do.steps or doing.doubt):
            seen, sure = _apply(client, to_do, seen, doing)
            if sure:
                break
            client.pause(_WHY_AGAIN, SETTLE_SECONDS)
            seen, (to_do, warnings) = _look(client, request.wish)
            _settle(doing, to_do)
    except KanbanError as error:
        if doing.doubt is not None:
            error.details["doubtful"] = doing.doubt.what
        return _result(request, client, (first, seen), planned, (doing, warnings)), error
    if check:
        doing.actions = [_named(step) for step in planned.steps]
        seen = _as_planned(first, planned)
    return _result(request, client, (first, seen), planned, (doing, [*planned.warnings, *warnings])), None


def standing(request: Request, owners: Sequence[str]) -> dict[str, bool]:
    """Return which of some ids of ours have an incident on the page, each with whether that is resolved.

    Raises KanbanError.
    """
    client = Client(request.site, request.seconds)
    try:
        found = [*_pages(client, "/incidents/unresolved", incident_from), *_newest(client)]
    except NotThePage as error:
        raise not_the_page(str(error)) from None
    there = {owner: ours(found, owner) for owner in owners}
    return {owner: incidents[0].over for owner, incidents in there.items() if incidents}


_WHY_AGAIN = "it is not known whether a change was made"


def _apply(client: Client, planned: Plan, seen: Seen, doing: _Doing) -> tuple[Seen, bool]:
    """Send the steps, and return what is there then, and whether that is known for certain."""
    looked_again = doing.doubt is not None
    doing.doubt = None
    for step in planned.steps:
        try:
            seen = _after(seen, step, _write(client, step))
        except Doubtful:
            doing.doubt = step
            return seen, False
        doing.actions.append(_named(step))
    if looked_again and planned.steps:
        # The first try may have been done late: then there are two, which has to be reported and not left to be found.
        return seen, False
    return seen, True


def _settle(doing: _Doing, planned: Plan) -> None:
    """Count a step in doubt as done if it is not in the plan any more after a new look."""
    if doing.doubt is not None and not any(step.what == doing.doubt.what for step in planned.steps):
        doing.actions.append(_named(doing.doubt))
        doing.doubt = None


def _named(step: Step) -> str:
    return f"{COMPONENT} {step.target}" if step.what == COMPONENT else step.what


def _write(client: Client, step: Step) -> Any:
    kind = "component" if step.what == COMPONENT else "incident"
    path = f"/{kind}s" + (f"/{step.target}" if step.target else "")
    method = "POST" if step.what == OPEN else "PATCH"
    return client.write(method, path, {kind: step.fields}, step.harmless)


def _after(seen: Seen, step: Step, answer: Any) -> Seen:
    """Return what is there after a step, according to the answer."""
    try:
        if step.what == COMPONENT:
            changed = component_from(answer)
            return replace(seen, components=[changed if one.id == changed.id else one for one in seen.components])
        incident = incident_from(answer)
    except NotThePage as error:
        raise Doubtful(str(error)) from None
    return _with(seen, incident, step.fields.get("components", {}))


def _with(seen: Seen, incident: Incident, statuses: Mapping[str, str]) -> Seen:
    return Seen([replace(one, status=statuses.get(one.id, one.status)) for one in seen.components], incident)


def _as_planned(seen: Seen, planned: Plan) -> Seen:
    """Return what would be there after the plan."""
    incident = seen.incident
    for step in planned.steps:
        if step.what != COMPONENT:
            given = step.fields
            incident = replace(
                incident or Incident("", str(given.get("name")), ""),
                **{name: given[name] for name in ("status", "metadata") if name in given},
            )
    components = [replace(one, status=planned.targets.get(one.id, one.status)) for one in seen.components]
    return Seen(components, incident)


def _look(client: Client, wish: Wish) -> tuple[Seen, tuple[Plan, list[str]]]:
    """Return what is there, what is to be done, and what people should know about it."""
    warnings: list[str] = []
    try:
        components = chosen(wish.component, _pages(client, "/components", component_from)) if wish.component else []
        found: list[Incident] = []
        if wish.incident is not None:
            found = ours(_pages(client, "/incidents/unresolved", incident_from), wish.incident)
            if not found:
                found = ours(_newest(client), wish.incident)
    except NotThePage as error:
        raise not_the_page(str(error)) from None
    if len([one for one in found if not one.over]) > 1:
        warnings.append(
            f"The page has {len(found)} open incidents of {wish.incident}; the oldest is gone on with. "
            f"Resolve the others by hand: {some([one.url or one.id for one in found[1:]])}."
        )
    seen = Seen(components, found[0] if found else None)
    return seen, (plan(wish, seen), warnings)


def _newest(client: Client) -> list[Incident]:
    return [incident_from(one) for one in listed(client.read("/incidents", [("limit", str(NEWEST)), ("page", "1")]))]


def _pages(client: Client, path: str, kind: Callable[[Any], _T]) -> list[_T]:
    found: list[_T] = []
    for number in range(1, MOST_PAGES + 1):
        page = listed(client.read(path, [("page", str(number)), ("per_page", str(PAGE))]))
        found += [kind(one) for one in page]
        if len(page) < PAGE:
            return found
    raise not_the_page(f"it lists more than {PAGE * MOST_PAGES:,} of {path[1:]}")


def _result(
    request: Request, client: Client, sides: tuple[Seen, Seen], planned: Plan, told: tuple[_Doing, Sequence[str]]
) -> dict[str, Any]:
    doing, warnings = told
    before, after = sides
    memory = memory_of(after.incident, request.wish.incident or "")
    was: Mapping[str, Component] = {one.id: one for one in before.components}
    incident = after.incident
    return {
        "changed": bool(doing.actions),
        "page_id": request.site.page,
        "actions": doing.actions,
        "incident": incident
        and {
            "id": incident.id or None,
            "name": incident.name,
            "status": incident.status,
            "impact": incident.impact,
            "url": incident.url,
        },
        "components": [
            {
                "id": one.id,
                "name": one.name,
                "status": one.status,
                "status_before": was[one.id].status,
                "prior": memory.before.get(one.id)
                or (was[one.id].status if was[one.id].status != one.status else None),
            }
            for one in after.components
        ],
        "requests": client.sent,
        "retries": client.again,
        "elapsed_ms": client.deadline.elapsed_ms,
        "warnings": list(dict.fromkeys(warnings)),
        "diff": {"before": _side(before), "after": _side(after, planned if doing.actions else None)},
    }


def _side(seen: Seen, planned: Plan | None = None) -> dict[str, Any]:
    """Return one side of a diff; what was posted is only on the later one, because pages keep every update."""
    posted = next((step.fields["body"] for step in (planned.steps if planned else ()) if "body" in step.fields), None)
    return {
        "components": {f"{one.name} ({one.id})": one.status for one in seen.components},
        "incident": {"name": seen.incident.name, "status": seen.incident.status} if seen.incident else None,
        **({"posted": posted} if posted else {}),
    }
