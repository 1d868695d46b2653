# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module's greatest resident memory, for the kill and its exact undo."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Literal

from ..copies import Copies, copies
from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import run_module
from ..tenants import count_on, fill, flag_options, number_on


def _off_and_back(place: Copies, tenants: int, number: int) -> Sample:
    place.fresh()
    options = {**place.login(), **flag_options(), "incident_id": f"INC-BENCH-{number}", "deadline": 300}
    peaks = {}
    for state, left_on in (("disabled", 0), ("restored", number_on(tenants))):
        done = run_module("feature_flag", {**options, "state": state})
        peaks[state] = done.peak_mb
        with place.connect() as session, session.cursor() as cur:
            if count_on(cur) != left_on:
                raise CannotMeasure(f"after {state} {count_on(cur)} tenants are on instead of {left_on}")
    return peaks


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    # The module parses text itself, row by row, so a fifth of the tenants is as much work.
    sizes: dict[Literal["jsonb", "text"], int] = {"jsonb": settings.tenants, "text": settings.tenants // 5}
    with ExitStack() as stack:
        arms: dict[str, Arm] = {}
        for kind, tenants in sizes.items():
            place = stack.enter_context(copies(partial(fill, tenants=tenants, settings=kind)))
            arms[kind] = partial(_off_and_back, place, tenants)
        yield arms


ENTRY = Entry(
    "memory",
    "Peak memory of the module (greatest resident set of its process)",
    _arms,
    (
        Line("jsonb column, disabled", ("jsonb", "disabled"), "MB", 150, statistic="p95"),
        Line("jsonb column, restored", ("jsonb", "restored"), "MB", 150, statistic="p95"),
        Line("text column, a fifth of the tenants, disabled", ("text", "disabled"), "MB", 150, statistic="p95"),
        Line("text column, a fifth of the tenants, restored", ("text", "restored"), "MB", 150, statistic="p95"),
    ),
    runs=2,
)
