# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an answer is what a step expects, and what it saves from it. Pure: neither Ansible nor a driver.

What is said about an answer never repeats its texts: at any path there may be a token or a person's name. Numbers,
true, false and null are shown, unless they are among the values that must not be.
"""

from __future__ import annotations

from typing import Any, Collection, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsonpath import PathMissing, parse, read, shown
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import NotJson
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killreading import same
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._smokefill import fill, names_in
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._smokesteps import Expectation, Step

# A given pattern is tried on no more of a text than this.
_MOST_LETTERS = 10_000


def judge(step: Step, status: int, body: bytes, values: Mapping[str, Any], secrets: Collection[str]) -> str | None:
    """Return in one line why an answer is not what the step expects; None if it is.

    :param values: what placeholders stand for.
    :param secrets: texts that must not be shown.
    """
    if status not in step.status:
        return f"it answered {status}, not {' or '.join(map(str, step.status))}"
    if not step.expect and not step.save:
        return None
    try:
        document = parse(body)
    except NotJson as error:
        return f"its answer cannot be read: {error}"
    return next(filter(None, (_look(one, document, values, secrets) for one in step.expect)), None)


def saved(step: Step, body: bytes) -> dict[str, Any]:
    """Return what a step saves from an answer that was judged good; raises PathMissing if there is nothing to save."""
    if not step.save:
        return {}
    document, found = parse(body), {}
    for name, path in step.save.items():
        found[name] = read(document, path)
        if found[name] is None:
            raise PathMissing(shown(path), shown(path[-1:]), shown(path[:-1]), f"{shown(path)} is null")
    return found


def _look(one: Expectation, document: Any, values: Mapping[str, Any], secrets: Collection[str]) -> str | None:
    where = shown(one.path)
    try:
        value = read(document, one.path)
    except PathMissing as missing:
        return str(missing) if _wants_something(one) else None
    if value is None and one.exists is False:
        return None
    told = f"{where} is {_told(value, secrets)}"
    for wrong, wanted in _complaints(one, value, values, secrets):
        if wrong:
            return f"{told}, and {wanted}"
    return None


def _wants_something(one: Expectation) -> bool:
    return one.exists is not False


def _complaints(
    one: Expectation, value: Any, values: Mapping[str, Any], secrets: Collection[str]
) -> list[tuple[bool, str]]:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    found = []
    if one.exists is not None:
        found.append(((value is not None) is not one.exists, f"it should {'' if one.exists else 'not '}be there"))
    if one.equals is not None:
        literal = not list(names_in(one.equals)) and not isinstance(one.equals, (dict, list))
        wanted = _told(one.equals, secrets, own=True) if literal else "what was given or saved before"
        found.append((not _equal(value, one.equals, values), f"should be {wanted}"))
    if one.matches is not None:
        text = value[:_MOST_LETTERS] if isinstance(value, str) else None
        found.append((text is None or not one.matches.search(text), "should be a text that matches the pattern"))
    for wanted, there in ((one.contains, True), (one.lacks, False)):
        if wanted is not None:
            known = isinstance(value, list)
            wrong = not known or any(_has(item, wanted, values) for item in value) is not there
            found.append((wrong, f"should be a list that {'has' if there else 'lacks'} what the step names"))
    if one.at_least is not None:
        found.append((number is None or number < one.at_least, f"should be at least {one.at_least:g}"))
    if one.at_most is not None:
        found.append((number is None or number > one.at_most, f"should be at most {one.at_most:g}"))
    return found


def _has(item: Any, wanted: Any, values: Mapping[str, Any]) -> bool:
    """Return whether an item of a list is the one that is meant: a map means each object that has its members."""
    if isinstance(wanted, dict):
        return isinstance(item, dict) and all(
            name in item and _equal(item[name], inner, values) for name, inner in wanted.items()
        )
    return _equal(item, wanted, values)


def _equal(value: Any, wanted: Any, values: Mapping[str, Any]) -> bool:
    filled = fill(wanted, values)
    if same(value, filled):
        return True
    # An id may have been given as a text where the application writes a number, or the other way round.
    ids = all(isinstance(one, (str, int)) and not isinstance(one, bool) for one in (value, filled))
    return bool(list(names_in(wanted))) and ids and str(value) == str(filled)


def _told(value: Any, secrets: Collection[str], own: bool = False) -> str:
    """Return a value as it may be shown. ``own``: it comes from the step, not from an answer."""
    if isinstance(value, str):
        return repr(value[:80]) if own else f"a text of {len(value):,} letters"
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of {len(value):,}"
    if str(value) in secrets:
        return "what must not be shown"
    return "null" if value is None else str(value).lower()[:30]
