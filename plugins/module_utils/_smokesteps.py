# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a smoke test, read and checked before anything is sent. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, NoReturn, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._http import check_headers
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsonpath import Steps, steps
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._smokefill import NAME, names_in

MOST_STEPS = 100
JUDGES = ("equals", "matches", "exists", "at_least", "at_most", "contains", "lacks")


@dataclass(frozen=True)
class Expectation:
    """What is expected at a path; None for what is not."""

    path: Steps
    equals: Any = None
    matches: re.Pattern[str] | None = None
    exists: bool | None = None
    at_least: float | None = None
    at_most: float | None = None
    contains: Any = None
    lacks: Any = None


@dataclass(frozen=True)
class Step:
    """One request and its expected answer; the fields are the suboptions of the same names."""

    name: str
    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, Any] | None = None
    status: Sequence[int] = (200,)
    expect: Sequence[Expectation] = ()
    save: Mapping[str, Steps] = field(default_factory=dict)
    always: bool = False
    max_ms: int | None = None
    follow: bool = False

    @property
    def needs(self) -> list[str]:
        """The names that need a value before the step can be sent or judged."""
        wanted = [[one.equals, one.contains, one.lacks] for one in self.expect]
        return list(names_in([self.path, dict(self.query), dict(self.headers), self.json, self.form, wanted]))


def steps_from(given: Sequence[Mapping[str, Any]], known: Sequence[str]) -> list[Step]:
    """Return the steps; raises BadInput. ``known``: the names that have a value from the start."""
    if not 0 < len(given) <= MOST_STEPS:
        _refuse("steps", f"There are {len(given)} steps.", f"Give at least one, and at most {MOST_STEPS}.")
    odd = [name for name in known if not NAME.fullmatch(name)]
    if odd:
        _refuse("variables", "A variable has a name that no placeholder can have.", "Use letters, digits and _.")
    found, names = [], set(known)
    for number, raw in enumerate(given, 1):
        step = _step(number, raw)
        lacking = [name for name in step.needs if name not in names]
        if lacking:
            _refuse(
                f"step {number}",
                f"Step {number} has <{lacking[0]}>, which is no variable and which no step before it saves.",
                "Correct the name, or save it before. A text that is meant to be so goes into a variable.",
            )
        names.update(step.save)
        found.append(step)
    return found


def _step(number: int, raw: Mapping[str, Any]) -> Step:
    where = f"step {number}"
    if not raw["path"].startswith("/"):
        _refuse(where, f"The path of {where} does not begin with /.", "Steps stay at base_url; give the path alone.")
    if raw["json"] is not None and raw["form"] is not None:
        _refuse(where, f"In {where} both json and form are given.", "A request has one body.")
    if any(
        isinstance(value, (dict, list)) for value in [*(raw["query"] or {}).values(), *(raw["form"] or {}).values()]
    ):
        _refuse(where, f"In {where} a value of query or form is a list or a map.", "Give texts and numbers.")
    bad = [name for name in raw["save"] or {} if not NAME.fullmatch(name)]
    if bad:
        _refuse(where, f"In {where} a name to save is none that a placeholder can have.", "Use letters, digits and _.")
    plain = ("name", "method", "path", "json", "form", "always", "max_ms", "follow")
    return Step(
        query=raw["query"] or {},
        headers=check_headers(raw["headers"] or {}),
        status=raw["status"] or [200],
        expect=[_expectation(where, one) for one in raw["expect"] or []],
        save={name: steps(path) for name, path in (raw["save"] or {}).items()},
        **{name: raw[name] for name in plain},
    )


def _expectation(where: str, raw: Mapping[str, Any]) -> Expectation:
    if all(raw[name] is None for name in JUDGES):
        what = f"In {where} an expectation says nothing of what stands at its path."
        _refuse(where, what, f"Give one of {', '.join(JUDGES)}.")
    pattern = None
    if raw["matches"] is not None:
        try:
            pattern = re.compile(raw["matches"])
        except re.error:
            _refuse(where, f"In {where} matches is no regular expression.", "Correct it.")
    return Expectation(
        path=steps(raw["path"]),
        matches=pattern,
        **{name: raw[name] for name in JUDGES if name != "matches"},
    )


def secret_values(values: Sequence[Any]) -> Iterator[str]:
    """Yield the texts that must not be shown: values, and what lies in them."""
    for value in values:
        if isinstance(value, dict):
            yield from secret_values(list(value.values()))
        elif isinstance(value, list):
            yield from secret_values(value)
        elif value is not None:
            yield str(value)


def _refuse(where: str, what: str, todo: str) -> NoReturn:
    raise BadInput("bad_steps", what, f"Nothing was sent: {where} could not have been done as it is meant.", todo)
