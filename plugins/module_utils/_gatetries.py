# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tries of a watch: numbered, with the seconds watched and their samples made complete. Pure.

A try is a map of ``watch`` and ``try`` (numbers from 1), ``at`` (seconds since 1970 by the clock of the judging host),
``began`` (``at`` of the watch's first try, which identifies the watch even if two have the same number), ``seconds``
(watched until then), ``samples``, and ``spells`` (until then). A watch that nobody continued for ``RESUME_SECONDS`` is
over, and the next try begins another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Container, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import OK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gategrowth import Line, line_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatespells import Spell, spells_from, steady
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import (
    NoSample,
    clean,
    difference,
    number,
)

Try = Mapping[str, Any]

RESUME_SECONDS = 900.0
MOST_SAMPLES = 500
# Samples of all tries in a result; the oldest tries are dropped first.
MOST_KEPT = 2000
# Of a pause, no more than this many intervals counts as watched.
_PAUSE = 3


@dataclass(frozen=True)
class Moment:
    """Where a try stands: its watch and number, the seconds watched, and whether it resumes an interrupted watch."""

    watch: int
    number: int
    seconds: float
    watched_before: float
    resumed: bool


def sample_from(given: Any) -> dict[str, Any]:
    """Return a sample that was taken elsewhere, in the form that is kept; raises BadInput for anything else."""
    if not isinstance(given, Mapping) or not given.get("metric") or not isinstance(given.get("host"), str):
        raise BadInput(
            "bad_sample",
            "One of samples is no map with metric and host.",
            "It would be missing without being missed. Nothing was judged.",
            "Give samples as metric_gate returns them.",
        )
    made: dict[str, Any] = {"metric": clean(given["metric"]), "host": clean(given["host"]), "value": None}
    raw, at = given.get("raw"), given.get("at")
    if isinstance(at, (int, float)) and math.isfinite(at):
        made["at"] = round(float(at), 3)
    if given.get("value") is not None:
        try:
            return {**made, "value": number(given["value"])}
        except NoSample as none:
            return {**made, "code": none.code, "error": clean(none.text)}
    if isinstance(raw, Mapping):
        return {**made, "raw": dict(raw)}
    waited = given.get("at_least")
    if isinstance(waited, (int, float)) and not isinstance(waited, bool) and math.isfinite(waited):
        made["at_least"] = float(waited)
    return {**made, "code": clean(given.get("code") or "unknown"), "error": clean(given.get("error") or "no reason")}


def storable(data: Any) -> Any:
    """Return data whose every number PostgreSQL's jsonb returns unchanged.

    A large float would come back as an integer, and the event's hash would no longer match.
    """
    if isinstance(data, Mapping):
        return {name: storable(value) for name, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [storable(value) for value in data]
    if isinstance(data, float):
        return int(data) if abs(data) >= 1e15 and data.is_integer() else data + 0.0
    return data


def merge(history: Sequence[Try], kept: Sequence[Try]) -> list[Try]:
    """Return the tries of the caller's watch in order, from what it knows and what the ledger kept of it.

    If it knows none, these are the tries of the newest watch in the ledger. A watch that the caller is in stays its
    own: it never continues another run's, whatever its number. Each ledger has its own numbers, and there may be
    several ledgers, or none that could be reached at first: the watch gets the number that it has here, else the next.
    """
    newest = max((int(one["watch"]) for one in kept), default=0)
    if not history:
        mine = {int(one["try"]): one for one in kept if one["watch"] == newest}
        return [mine[number] for number in sorted(mine)]
    last = history[-1]
    same = [one for one in kept if one["began"] == last["began"]]
    found = {int(one["try"]): one for one in [*same, *history]}
    watch = max((int(one["watch"]) for one in same), default=max(int(last["watch"]), newest + 1))
    return [{**found[number], "watch": watch} for number in sorted(found)]


def moment_of(before: Sequence[Try], known: int, since: float, interval: float, anew: bool = False) -> Moment:
    """Return where the next try stands.

    :param before: the tries of the watch, in order, as merge() gives them.
    :param known: how many of them the caller knew; none, although there are some, means that it resumes that watch.
    :param since: seconds since the newest.
    :param anew: whether tries that the caller did not know belong to an earlier watch, however recent.
    """
    if not before:
        return Moment(1, 1, 0.0, 0.0, False)
    last = before[-1]
    if since > max(RESUME_SECONDS, _PAUSE * interval) or (anew and not known):
        return Moment(int(last["watch"]) + 1, 1, 0.0, 0.0, False)
    watched = float(last["seconds"])
    step = min(max(0.0, since), _PAUSE * interval)
    return Moment(int(last["watch"]), int(last["try"]) + 1, round(watched + step, 3), watched, not known)


def moment_again(before: Sequence[Try], known: int) -> Moment:
    """Return where the newest of these tries stands, which another run made of the same samples."""
    last, earlier = before[-1], before[-2:-1]
    watched = float(earlier[0]["seconds"]) if earlier else 0.0
    resumed = not known and bool(earlier)
    return Moment(int(last["watch"]), int(last["try"]), float(last["seconds"]), watched, resumed)


def is_of(one: Try, samples: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether these are the samples of this try: no sample is taken twice of the same host at the same time."""

    def taken(these: Sequence[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
        return {(sample["metric"], sample["host"], sample.get("at")) for sample in these}

    mine = taken(samples)
    return any(at is not None for _metric, _host, at in mine) and mine == taken(one["samples"])


def is_same(one: Try, other: Try) -> bool:
    """Tell whether both are one try of one watch."""
    return all(one[name] == other[name] for name in ("watch", "try", "began"))


def is_another(before: Sequence[Try], duration: float, verdict: str, spells: Sequence[Spell]) -> bool:
    """Tell whether a try that resumes a watch begins another instead, as that one was whole and does not pass with it.

    One more try cannot mend a watch that has ended, and one that is not good is news after a watch that has passed. A
    watch that was degraded before its end is resumed: whoever asks again to act on it must not wait for another.

    :param before: the tries of the watch that would be resumed, in order.
    :param duration: how long a watch is to last; 0 if that is not known, and then nothing is known of its end.
    :param verdict: of that watch with the new try.
    :param spells: likewise.
    """
    whole = bool(before) and 0 < duration <= before[-1]["seconds"]
    return whole and not (verdict == OK and steady(spells, duration))


def resolved(samples: Sequence[Mapping[str, Any]], before: Sequence[Try]) -> list[dict[str, Any]]:
    """Return samples whose counters were compared with the last ones of the same host and metric."""
    earlier: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in before:
        for sample in one["samples"]:
            if sample.get("raw"):
                earlier[sample["metric"], sample["host"]] = sample["raw"]
    return [_resolve(sample, earlier.get((sample["metric"], sample["host"]))) for sample in samples]


def _resolve(sample: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Any]:
    if "raw" not in sample:
        return dict(sample)
    try:
        return {**sample, "value": difference(before, sample["raw"])}
    except NoSample as none:
        return {**sample, "value": None, "code": none.code, "error": none.text}
    except (KeyError, TypeError, ValueError):
        return {**sample, "value": None, "code": "not_number", "error": "its counters are none of metric_gate's"}


def lined(samples: Sequence[Mapping[str, Any]], before: Sequence[Try], growing: Container[str]) -> list[dict[str, Any]]:
    """Return samples that, if a metric's growth is judged, keep the line through their whole series until now."""
    earlier: dict[tuple[str, str], Line] = {}
    for one in before:
        for sample in one["samples"]:
            line = line_from(sample.get("line"))
            if line:
                earlier[sample["metric"], sample["host"]] = line
    found = []
    for sample in samples:
        line = earlier.get((sample["metric"], sample["host"])) if sample["metric"] in growing else None
        if sample["metric"] in growing and sample.get("value") is not None and sample.get("at") is not None:
            line = (line or Line()).plus(sample["at"], sample["value"])
        found.append({**sample, **({"line": line.as_sample()} if line else {})})
    return found


def bounded(tries: Sequence[Try]) -> list[Try]:
    """Return the newest tries that a result can carry; of counters and spells only the last ones are kept."""
    found: list[Try] = []
    count, seen = 0, set()
    for one in reversed(tries):
        count += len(one["samples"])
        if found and count > MOST_KEPT:
            break
        samples = []
        for sample in one["samples"]:
            key = (sample["metric"], sample["host"])
            samples.append({name: value for name, value in sample.items() if name != "raw" or key not in seen})
            seen.update([key] if "raw" in sample else [])
        found.append({**one, "samples": samples, "spells": one.get("spells", []) if one is tries[-1] else []})
    return found[::-1]


def tries_from(history: Any) -> list[Try]:
    """Return the tries that a caller passes; raises BadInput for anything else."""
    try:
        return [
            {
                **{name: int(one[name]) for name in ("watch", "try")},
                **{name: float(one[name]) for name in ("at", "seconds")},
                "began": float(one.get("began", 0)),
                "spells": spells_from(one.get("spells", [])),
                "samples": [_known(sample) for sample in one["samples"]],
            }
            for one in history
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            "bad_history",
            "history holds something that is no try of a gate.",
            "What was before would be judged wrongly. Nothing was judged.",
            "Give back the series of the last result as it is.",
        ) from error


def _known(sample: Mapping[str, Any]) -> dict[str, Any]:
    """Return a sample that was judged before: with counters, line and a value, or the reason for none."""
    raw = {name: sample[name] for name in ("raw", "line") if isinstance(sample.get(name), Mapping)}
    return {**sample_from({**sample, "raw": None}), **raw}
