# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A figure of a gate: what counts as one, and what two readings of counters say. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import math
from typing import Any, Mapping, Sequence

# How much of the reason for a missing value a result, an event and a screen show.
MOST_LETTERS = 200

FIRST = "first_scrape"
# The source answered, but this figure is not there: nobody works at this hour, or a process is new. Any other reason
# for a missing value (a status, a refusal, silence, HTML) says nothing about the figure, and is never forgiven.
ABSENT = (FIRST, "no_key", "null", "nan", "no_row", "no_series", "no_growth", "idle", "reset", "clock")
HOWS = ("value", "sum", "max", "rate", "ratio", "quantile")
# These are differences: what is kept of one scrape is compared with the next one.
COUNTED = ("rate", "ratio", "quantile")


class NoSample(Exception):
    """There is no value: ``code`` is a short, stable word for machines, the text says why in one line."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def clean(text: object, most: int = MOST_LETTERS) -> str:
    """Return text from anywhere as one line that a terminal, JSON and PostgreSQL can hold."""
    line = "".join(letter if letter.isprintable() else " " for letter in str(text))
    return " ".join(line.split())[:most]


def number(value: Any) -> float:
    """Return a value as a number; raises NoSample for anything else, including numbers in a text."""
    if value is None:
        raise NoSample("null", "it is null, no number")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        kinds = ((bool, "true or false"), (str, "a text"), (dict, "an object"), (list, "a list"))
        kind = next((name for known, name in kinds if isinstance(value, known)), type(value).__name__)
        text = f": {clean(value, 40)!r}" if isinstance(value, str) else ""
        raise NoSample("not_number", f"it is {kind}, no number{text}")
    try:
        found = float(value)
    except OverflowError:
        raise NoSample("not_number", "it is a number that is too large") from None
    if not math.isfinite(found):
        # Prometheus reports this for a quantile of nothing.
        raise NoSample("nan" if math.isnan(found) else "not_number", f"it is {found}, no number")
    # PostgreSQL has no negative zero, and the ledger has to give back what it was given.
    return found + 0.0


def difference(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> float:
    """Return what happened between two scrapes of counters, times the scale; raises NoSample.

    :param before: what was kept of the previous scrape, None if there is none.
    :param now: ``how`` and the counters: ``count`` and ``clock`` (rate), ``count`` and ``of`` (ratio), or ``q`` and
        ``buckets``, pairs of upper bound (None: no bound) and count, in order (quantile); ``scale``.
    """
    if before is None or any(before.get(name) != now.get(name) for name in ("how", "q")):
        raise NoSample(FIRST, "it takes two scrapes, and this is the first")
    found: float = {"rate": _rate, "ratio": _ratio, "quantile": _quantile}[now["how"]](before, now)
    return number(found * now.get("scale", 1.0))


def _rate(before: Mapping[str, Any], now: Mapping[str, Any]) -> float:
    seconds: float = now["clock"] - before["clock"]
    if seconds <= 0:
        raise NoSample("clock", "the clock of its host went back")
    return _more(before["count"], now["count"]) / seconds


def _ratio(before: Mapping[str, Any], now: Mapping[str, Any]) -> float:
    whole = _more(before["of"], now["of"])
    part = _more(before["count"], now["count"])
    if whole == 0:
        raise NoSample("idle", "nothing was counted since the scrape before")
    return part / whole


def _quantile(before: Mapping[str, Any], now: Mapping[str, Any]) -> float:
    bounds = [bound for bound, _count in now["buckets"]]
    if bounds != [bound for bound, _count in before["buckets"]]:
        raise NoSample(FIRST, "its buckets changed, so this scrape is the first")
    counts = [_more(old[1], new[1]) for old, new in zip(before["buckets"], now["buckets"])]
    return interpolate(now["q"], bounds, counts)


def _more(before: float, now: float) -> float:
    if now < before:
        raise NoSample("reset", "a counter went back: a process was started again, or another one answered")
    return now - before


def interpolate(q: float, bounds: Sequence[float | None], counts: Sequence[float]) -> float:
    """Return a quantile of a histogram, as PromQL's histogram_quantile does: linear inside the bucket it falls in.

    :param bounds: upper bounds, rising; the last is None, which is no bound.
    :param counts: how many observations are at or under each bound.
    """
    if not counts or bounds[-1] is not None:
        raise NoSample("not_histogram", 'it has no bucket without an upper bound (le="+Inf")')
    total = counts[-1]
    if total == 0:
        raise NoSample("idle", "nothing was observed since the scrape before")
    rank = q * total
    place = next(index for index, count in enumerate(counts) if count >= rank)
    upper = bounds[place]
    if upper is None:
        # Beyond the last bound: the bound itself is all that is known.
        if place == 0 or bounds[place - 1] is None:
            raise NoSample("not_histogram", "its only bucket has no upper bound")
        return float(bounds[place - 1] or 0.0)
    lower = bounds[place - 1] if place else min(0.0, upper)
    under = counts[place - 1] if place else 0.0
    inside = counts[place] - under
    return upper if inside <= 0 or lower is None else lower + (upper - lower) * (rank - under) / inside
