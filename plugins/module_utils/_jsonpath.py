# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A JSON answer, and one value in it by its path. Pure: neither Ansible nor a driver.

A path is a text (``a.b[0].c``, ``lanes[-1]``, ``["errors.rate"].value``; a leading ``$`` changes nothing, and an empty
path is the whole document) or a list of steps (``["a", "b", 0, "c"]``). What a step means depends on the value it is
applied to: a member's name in an object, an index in a list. There are no wildcards: a path leads to one value or none.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, Sequence, Tuple, Union

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import NotJson

Step = Union[str, int]
Steps = Tuple[Step, ...]
Path = Union[str, Sequence[Step]]

# Nobody needs more, and each refusal repeats the path.
MOST_STEPS = 32
MOST_LETTERS = 500
# Python needs quadratic time to read a number; no figure of an application is longer.
MOST_DIGITS = 400

_STEP = re.compile(
    r"""\.?\[\s*(?:(?P<index>-?\d{1,9})|"(?P<double>[^"]*)"|'(?P<single>[^']*)')\s*\]|(?P<dot>\.)?(?P<name>[^.\[\]]+)"""
)
_INDEX = re.compile(r"-?[0-9]{1,9}")
_KINDS = ((bool, "true or false"), ((int, float), "a number"), (str, "a text"), (type(None), "null"))


class PathMissing(LookupError):
    """The document has no value at the path.

    ``path`` is the whole path, ``step`` the first step that is missing, ``inside`` the path of the value that lacks it.
    The text says so in one line, and repeats nothing from the document.
    """

    def __init__(self, path: str, step: str, inside: str, why: str) -> None:
        super().__init__(f"nothing at {path}: {why}")
        self.path, self.step, self.inside, self.why = path, step, inside, why


def steps(path: Path) -> Steps:
    """Return the steps of a path; raises BadInput for one that cannot be read."""
    if isinstance(path, str):
        found = _steps_of_text(path.strip())
    elif isinstance(path, (list, tuple)) and all(isinstance(one, (str, int)) for one in path):
        found = tuple(path) if not any(isinstance(one, bool) for one in path) else None
    else:
        found = None
    if found is None or len(found) > MOST_STEPS or sum(len(str(one)) for one in found) > MOST_LETTERS:
        raise BadInput(
            "bad_json_path",
            f"{str(path)[:100]!r} is no path into a JSON document.",
            "What it should lead to would never be found.",
            "Write it as data.items[0].name, or as a list of names and numbers.",
        )
    return found


def _steps_of_text(text: str) -> Steps | None:
    if len(text) > MOST_LETTERS:
        return None
    found: list[Step] = []
    at = 1 if text.startswith("$") else 0
    first = at == 0
    while at < len(text):
        match = _STEP.match(text, at)
        # Dots separate names; the first name has none before it, unless it follows a $.
        if match is None or (match["name"] is not None and first == bool(match["dot"])):
            return None
        quoted = match["double"] if match["double"] is not None else match["single"]
        name = match["name"] if quoted is None else quoted
        found.append(int(match["index"]) if name is None else name)
        at, first = match.end(), False
    return tuple(found)


def shown(path: Path) -> str:
    """Return a path as text, for a person."""
    text = ""
    for step in steps(path):
        plain = isinstance(step, str) and re.fullmatch(r"[\w-]+", step) and not _INDEX.fullmatch(step)
        if plain:
            text += f".{step}" if text else str(step)
        else:
            text += f"[{json.dumps(step)}]"
    return text or "the document"


def read(document: Any, path: Path) -> Any:
    """Return the value at the path, which may be null; raises PathMissing, and BadInput for an invalid path."""
    way = steps(path)
    value = document
    for depth, step in enumerate(way):
        if isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        elif isinstance(value, list) and _index_of(step, len(value)) is not None:
            value = value[_index_of(step, len(value)) or 0]
        else:
            inside, named = shown(way[:depth]), shown((step,))
            raise PathMissing(shown(way), named, inside, _why(value, named, inside))
    return value


def _index_of(step: Step, length: int) -> int | None:
    """Return the index of an item in a list, None if there is no such item."""
    if isinstance(step, str) and not _INDEX.fullmatch(step):
        return None
    index = int(step)
    return index % length if -length <= index < length else None


def _why(value: Any, step: str, inside: str) -> str:
    if isinstance(value, dict):
        return f"{inside} has no {step}"
    if isinstance(value, list):
        return f"{inside} is a list of {len(value)} and has no {step}"
    kind = next((name for known, name in _KINDS if isinstance(value, known)), "no object")
    return f"{inside} is {kind}, which has no {step}"


def parse(body: bytes | str) -> Any:
    """Return an answer's body as a document; raises NotJson, whose text repeats nothing from the body."""
    try:
        text = body if isinstance(body, str) else body.decode("utf-8-sig")
        return _DECODER.decode(text)
    except NotJson:
        raise
    except RecursionError:
        raise NotJson("it is nested too deeply") from None
    except ValueError:
        raise NotJson("it is no JSON") from None


def _refuse(constant: str) -> NoReturn:
    raise NotJson(f"{constant} is nothing that JSON has")


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise NotJson("a number in it is too long")
    return int(digits)


def _fraction(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise NotJson("a number in it is too large")
    return value


_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_int=_whole, parse_float=_fraction)
