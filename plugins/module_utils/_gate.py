# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement of a gate: from samples of several tries to ok, degraded, unstable, no_data. Pure.

A series is one host's samples of one metric, ordered by the number of the try, never by a clock, because the clocks of
hosts differ. If a host that gave a sample before gives none in a try, that counts as a sample without a value.

Each sample becomes one sign: ``g`` good, ``b`` bad, ``c`` beyond ``critical``, ``n`` no value. A sample that says
nothing yet (the first of two scrapes, growth over too few samples) gives no sign; in the first ``initial_delay``
seconds, ``b``, ``c`` and ``n`` do not count either. A latency that was waited for in vain (``at_least``) has the time
waited as its value if that reaches ``max``: the real one is longer. ``no_data: degraded`` turns ``n`` into ``b``.
``no_data: ignore`` leaves ``n`` out if the source answered and only this figure is missing (ABSENT): a dead source is
no data under every policy. Then, for the signs in the window, with N for ``consecutive``:

=========  ==========================================================================================================
degraded   the last N signs other than ``n`` are bad, or the last is critical: silence afterwards is no improvement
no_data    the last N signs are ``n``, or there is no other sign
unstable   one of the last N signs is bad, or good and not good took turns FLAPS times
ok         none of these. It is ``settled`` when the last N signs are good; with ``no_data: ignore``, when the
           last N samples give no other sign, because nobody working at night is not a fault
=========  ==========================================================================================================

A metric is as bad as its worst series, a gate as its worst metric.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gategrowth import Line, line_from, worse
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatethreshold import Threshold
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gatevalue import ABSENT, FIRST, NoSample

OK, UNSTABLE, NO_DATA, DEGRADED = "ok", "unstable", "no_data", "degraded"
NOT_JUDGED = "not_judged"
_ORDER = (OK, UNSTABLE, NO_DATA, DEGRADED)
# Twice away from good and back: once may be chance.
FLAPS = 4

Sample = Mapping[str, Any]
Try = Mapping[str, Any]


@dataclass(frozen=True)
class Point:
    """One sample of a series: ``seconds`` watched until then, ``at`` by the clock of its own host.

    ``line`` is the one through all samples of the watch until then, if it is kept. ``at_least``: the value is not
    known, but it is more than this.
    """

    seconds: float
    value: float | None
    code: str | None = None
    error: str | None = None
    at: float | None = None
    line: Line | None = None
    at_least: float | None = None


def judge(
    tries: Sequence[Try], thresholds: Mapping[str, Threshold], window: int, initial_delay: float = 0.0
) -> dict[str, Any]:
    """Return ``verdict``, ``settled`` and ``metrics``, a list with a verdict for each.

    :param tries: maps of ``try``, ``seconds`` (watched until then) and ``samples`` (maps of ``metric``, ``host``,
        ``value``, and ``error``, ``code``, ``at``), in any order.
    :param window: how many of the newest tries are looked at.
    """
    ordered = sorted(tries, key=lambda one: one["try"])[-window:]
    found = _series(ordered)
    metrics = []
    for name in sorted(set(thresholds) | {metric for metric, _host in found}):
        series = {host: points for (metric, host), points in sorted(found.items()) if metric == name}
        metrics.append(_metric(name, series, thresholds.get(name), initial_delay))
    counted = [one for one in metrics if one["verdict"] != NOT_JUDGED and not one["ignored"]]
    return {
        "verdict": worst(one["verdict"] for one in counted),
        "settled": bool(counted) and all(one["settled"] for one in counted),
        "metrics": metrics,
    }


def worst(verdicts: Iterator[str]) -> str:
    """Return the worst of several verdicts; no_data if there are none, because nothing was seen."""
    return max(verdicts, key=_ORDER.index, default=NO_DATA)


def _series(tries: Sequence[Try]) -> dict[tuple[str, str], list[Point]]:
    series: dict[tuple[str, str], list[Point]] = {}
    for one in tries:
        said = {(sample["metric"], sample["host"]): sample for sample in one["samples"]}
        for key, points in series.items():
            if key not in said:
                points.append(Point(one["seconds"], None, "absent", "its host gave no sample in this try"))
        for key, sample in said.items():
            rest = {name: sample.get(name) for name in ("code", "error", "at", "at_least")}
            point = Point(one["seconds"], sample.get("value"), **rest, line=line_from(sample.get("line")))
            series.setdefault(key, []).append(point)
    return series


def _metric(
    name: str, series: Mapping[str, Sequence[Point]], threshold: Threshold | None, initial_delay: float
) -> dict[str, Any]:
    if threshold is None:
        hosts = [{"host": host, **_last(points[-1])} for host, points in series.items()]
        value = max((one["value"] for one in hosts if one["value"] is not None), default=None)
        return {"name": name, "verdict": NOT_JUDGED, "settled": False, "ignored": False, "value": value, "hosts": hosts}
    hosts = [_judge_series(host, points, threshold, initial_delay) for host, points in series.items()]
    heard = [one for one in hosts if not one["ignored"]]
    counted = heard or hosts
    values = [one["value"] for one in hosts if one["value"] is not None]
    farthest = max if threshold.max is not None else min
    return {
        "name": name,
        "verdict": worst(one["verdict"] for one in counted),
        "settled": bool(heard) and all(one["settled"] for one in heard),
        # All its series may be silent, and are: it is named but counts for nothing.
        "ignored": bool(hosts) and not heard,
        "value": farthest(values) if values else None,
        "threshold": threshold.as_result(),
        "hosts": hosts,
    }


def _judge_series(host: str, points: Sequence[Point], threshold: Threshold, initial_delay: float) -> dict[str, Any]:
    if threshold.growth:
        points = growth_of(points, threshold)
    elif threshold.max is not None:
        points = [_at_least(point, threshold.max) for point in points]
    each = [_sign(point, threshold, initial_delay) for point in points]
    signs, newest = "".join(each), each[-threshold.consecutive :]
    absent = all(_forgiven(point, threshold) for point in points[-threshold.consecutive :])
    if absent and len(newest) == threshold.consecutive:
        # Its source answers again, but has no figure that could end the silence.
        signs = signs.replace("n", "")
    # Otherwise a metric that gave a value once and is silent since would keep everything else from being settled.
    quiet = threshold.no_data == "ignore" and len(newest) == threshold.consecutive and not set("".join(newest)) - {"g"}
    verdict = of_signs(signs, threshold.consecutive)
    return {
        "host": host,
        "verdict": verdict,
        "settled": (verdict == OK and quiet) or signs.endswith("g" * threshold.consecutive),
        "ignored": absent and not signs,
        **_last(points[-1]),
        "signs": signs,
        "bad": signs.count("b") + signs.count("c"),
        "missing": sum(point.value is None and point.code != FIRST for point in points),
    }


def _at_least(point: Point, limit: float) -> Point:
    if point.value is not None or point.at_least is None or point.at_least < limit:
        return point
    return replace(point, value=point.at_least)


def _last(point: Point) -> dict[str, Any]:
    return {"value": point.value, "code": point.code, "error": point.error}


def _forgiven(point: Point, threshold: Threshold) -> bool:
    return threshold.no_data == "ignore" and point.value is None and point.code in ABSENT


def _sign(point: Point, threshold: Threshold, initial_delay: float) -> str:
    early = point.seconds < initial_delay
    if point.value is None:
        if point.code == FIRST or early or _forgiven(point, threshold):
            return ""
        return "b" if threshold.no_data == "degraded" else "n"
    # A value that is at least the limit counts as beyond it.
    if point.at_least is None and not threshold.breaks(point.value):
        return "g"
    return "" if early else "c" if threshold.is_critical(point.value) else "b"


def of_signs(signs: str, consecutive: int) -> str:
    """Return the verdict of one series, as the module's docstring says."""
    spoken = signs.replace("n", "")
    if not spoken:
        return NO_DATA
    if spoken[-1] == "c" or (len(spoken) >= consecutive and set(spoken[-consecutive:]) <= set("bc")):
        return DEGRADED
    if signs.endswith("n" * consecutive):
        return NO_DATA
    turns = sum((one == "g") != (other == "g") for one, other in zip(signs, signs[1:]))
    return UNSTABLE if set(signs[-consecutive:]) & set("bc") or turns >= FLAPS else OK


def growth_of(points: Sequence[Point], threshold: Threshold) -> list[Point]:
    """Return the same series as growth: at each point the growth of the whole watch, or of the window, until then."""
    found, whole, recent = [], Line(), Line()
    for point in points:
        if point.value is None or point.at is None:
            found.append(point)
            continue
        # The line that a point keeps includes samples that have left the window.
        whole = point.line or whole.plus(point.at, point.value)
        recent = recent.plus(point.at, point.value)
        try:
            value = worse(whole, recent, threshold)
            found.append(Point(point.seconds, value, at=point.at))
        except NoSample as none:
            found.append(Point(point.seconds, None, none.code, none.text, point.at))
    return found
