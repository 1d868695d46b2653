# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus' text format: the series that a selector means, and a figure from them. Pure: no Ansible, no driver."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, Mapping, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import COUNTED, HOWS, NoSample, number

Series = Tuple[Dict[str, str], float]

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|(?=\}))')
_ESCAPED = {"\\n": "\n", '\\"': '"', "\\\\": "\\"}
_BUCKETS = "_bucket"
_BOUND = "le"


@dataclass(frozen=True)
class Matcher:
    """Series of one name whose labels are equal to ``labels`` and fully match ``match`` (regular expressions)."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    match: Mapping[str, str] = field(default_factory=dict)

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a series with these labels is meant."""
        return all(labels.get(name, "") == value for name, value in self.labels.items()) and all(
            re.fullmatch(pattern, labels.get(name, "")) for name, pattern in self.match.items()
        )


@dataclass(frozen=True)
class Selector:
    """Which series, and what to make of them; the fields are the suboptions of ``metrics`` with the same names."""

    matcher: Matcher
    how: str = "value"
    of: Matcher | None = None
    quantile: float = 0.95


def selector_from(metric: str, given: Mapping[str, Any]) -> Selector:
    """Return the selector that a map describes; raises BadInput."""
    how = given.get("how") or "value"
    quantile = 0.95 if given.get("quantile") is None else given["quantile"]
    of = given.get("of")
    try:
        matcher = _matcher(given)
        whole = _matcher(of) if of else None
        good = how in HOWS and (how == "ratio") == (whole is not None) and 0 < float(quantile) < 1
    except (TypeError, ValueError, AttributeError, re.error):
        good = False
    if not good:
        raise BadInput(
            "bad_selector",
            f"The selector of metric {metric!r} cannot be used.",
            "Its figure would never be found.",
            f"Give name, labels and match (maps of texts), how ({', '.join(HOWS)}), of (a selector, with ratio alone) "
            "and quantile (between 0 and 1).",
        )
    return Selector(matcher, how, whole, float(quantile))


def _matcher(given: Mapping[str, Any]) -> Matcher:
    name = given.get("name") or ""
    labels = {str(key): str(value) for key, value in (given.get("labels") or {}).items()}
    match = {str(key): str(value) for key, value in (given.get("match") or {}).items()}
    for pattern in match.values():
        re.compile(pattern)
    if not _NAME.fullmatch(name):
        raise ValueError(name)
    return Matcher(name, labels, match)


def read(text: str, selector: Selector, clock: float) -> dict[str, Any]:
    """Return ``value``, or ``raw`` for a figure that takes two scrapes; raises NoSample.

    :param clock: when the text was fetched, in seconds by any clock of this host.
    """
    how = selector.how
    if how == "quantile":
        buckets = _buckets(text, selector.matcher)
        return {"raw": {"how": how, "q": selector.quantile, "buckets": buckets}}
    # An error that never happened has no series yet, which counts as 0 as long as the name is there.
    found = [value for _labels, value in _series(text, selector.matcher, may_be_none=how in COUNTED)]
    if how == "ratio":
        whole = sum(value for _labels, value in _series(text, selector.of or selector.matcher))
        return {"raw": {"how": how, "count": number(sum(found)), "of": number(whole)}}
    if how == "rate":
        return {"raw": {"how": how, "count": number(sum(found)), "clock": clock}}
    if how == "value" and len(found) > 1:
        raise NoSample("several_series", f"{len(found)} series fit: name labels, or choose sum or max")
    if how == "max":
        # As in PromQL, a summary that was idle does not hide the others.
        found = [value for value in found if not math.isnan(value)] or found
        return {"value": number(max(found))}
    return {"value": number(sum(found))}


def _series(text: str, matcher: Matcher, may_be_none: bool = False) -> list[Series]:
    named = list(_named(text, matcher.name))
    found = [row for row in named if matcher.fits(row[0])]
    if not found and not (may_be_none and named):
        what = "with these labels" if named else f"named {matcher.name}"
        raise NoSample("no_series", f"it has no series {what}")
    return found


def _named(text: str, name: str) -> Iterator[Series]:
    """Yield labels and value of each series of a name."""
    if text.lstrip()[:1] == "<":
        raise NoSample("not_text", "the answer is HTML, no Prometheus text")
    if not text.strip():
        # An idle application still has other series.
        raise NoSample("not_text", "the answer is empty")
    for line in text.splitlines():
        row = line.strip()
        if row.startswith(name) and row[len(name) : len(name) + 1] in ("{", " ", "\t"):
            yield _row(row[len(name) :].strip())


def _row(rest: str) -> Series:
    labels: dict[str, str] = {}
    if rest.startswith("{"):
        at = 1
        while rest[at : at + 1] != "}":
            found = _LABEL.match(rest, at)
            if found is None:
                raise NoSample("not_text", "a line of the answer is no Prometheus text")
            labels[found[1]] = re.sub(r"\\[n\"\\]", lambda one: _ESCAPED[one[0]], found[2])
            at = found.end()
        rest = rest[at + 1 :]
    try:
        return labels, float(rest.split()[0])
    except (ValueError, IndexError):
        raise NoSample("not_text", "a line of the answer is no Prometheus text") from None


def _buckets(text: str, matcher: Matcher) -> list[list[float | None]]:
    """Return the cumulative counts per upper bound, summed over the series that match."""
    name = matcher.name if matcher.name.endswith(_BUCKETS) else matcher.name + _BUCKETS
    sums: dict[float, float] = {}
    for labels, value in _series(text, Matcher(name, matcher.labels, matcher.match)):
        try:
            bound = float(labels[_BOUND])
        except (KeyError, ValueError):
            bound = math.nan
        if math.isnan(bound):
            raise NoSample("not_histogram", f"a series of {name} has no upper bound")
        sums[bound] = sums.get(bound, 0.0) + number(value)
    return [[None if bound == float("inf") else bound, sums[bound]] for bound in sorted(sums)]
