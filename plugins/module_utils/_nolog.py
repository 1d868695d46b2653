# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that may hold a secret but mostly hold none. Pure: neither Ansible nor a driver.

Ansible removes every value of an option with ``no_log`` from a result wherever it occurs, even within numbers: a header
``X-Company-Id: 1`` turns every figure with a 1 into a text, and a gate has no data.
"""

from __future__ import annotations

import re
from typing import Any, Collection, Iterator, Mapping

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
_LEAST_SECRET = 6
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


def without(spec: Mapping[str, Any], params: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return parameters as they may be shown, with the ``no_log`` options of these names hidden completely."""
    return {name: _hidden(spec.get(name, {}), name, value, names) for name, value in params.items()}


def _hidden(option: Mapping[str, Any], name: str, value: Any, names: Collection[str]) -> Any:
    if option.get("no_log") and name in names and value:
        return HIDDEN
    if option.get("options") and isinstance(value, Mapping):
        return without(option["options"], value, names)
    if option.get("options") and isinstance(value, list):
        return [without(option["options"], one, names) for one in value]
    return value


def harmless(
    spec: Mapping[str, Any], params: Mapping[str, Any], names: Collection[str], unlogged: Collection[str] = ()
) -> set[str]:
    """Return the values of these options that are too short for a secret, or numbers, unless another has them too.

    :param unlogged: options that are not secret themselves; the options within them are examined one by one.
    """
    loose: set[str] = set()
    kept: set[str] = set()
    for name, text in _values(_opened(spec, unlogged), params):
        (loose if name in names else kept).add(text)
    return {text for text in loose - kept if len(text) < _LEAST_SECRET or _NUMBER.fullmatch(text)}


def told(spec: Mapping[str, Any], params: Mapping[str, Any], names: Collection[str]) -> set[str]:
    """Return what the options of these names hold, except for the secrets within them and those of other options."""
    found = {text for name in spec if name in names for text in _texts(params.get(name), given=True)}
    return found - {text for _name, text in _values(_opened(spec, names), params)}


def _opened(spec: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return the options, with those of these names as if they had no ``no_log`` of their own."""
    return {name: {**option, "no_log": False} if name in names else option for name, option in spec.items()}


def _values(spec: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, option in spec.items():
        value = params.get(name)
        if option.get("no_log"):
            yield from ((name, text) for text in _texts(value))
        elif option.get("options") and value:
            for one in value if isinstance(value, list) else [value]:
                yield from _values(option["options"], one)


def _texts(value: Any, given: bool = False) -> Iterator[str]:
    """Yield what Ansible keeps of a value; ``given``: also how it may have been written before its type was known."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one, given)
    elif isinstance(value, bool):
        yield from (str(value), str(value).lower()) if given else ()
    elif value is not None:
        yield str(value)
        if given and isinstance(value, float) and value.is_integer():
            yield str(int(value))
