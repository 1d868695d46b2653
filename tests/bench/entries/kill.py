# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole kill against the plan's UPDATE without WHERE, on two copies of the same million tenants."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..copies import copies
from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import run_module
from ..tenants import PLAN, check_ledger, count_on, fill, flag_options


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    with copies(lambda session: fill(session, settings.tenants)) as place:

        def module(number: int) -> Sample:
            place.fresh()
            options = {**place.login(), **flag_options(), "state": "disabled", "incident_id": f"INC-BENCH-{number}"}
            done = run_module("feature_flag", {**options, "deadline": 300})
            with place.connect() as session, session.cursor() as cur:
                if count_on(cur):
                    raise CannotMeasure("tenants are still on")
                check_ledger(cur, settings.tenants)
            figures = {"elapsed": done.result["elapsed_ms"], "contained": done.result["contained_ms"]}
            return {**{name: value / 1000 for name, value in figures.items()}, "process": done.seconds}

        def plan(_number: int) -> Sample:
            place.fresh()
            started = time.monotonic()
            with place.connect() as session, session.cursor() as cur:
                cur.execute(PLAN)
                return {"seconds": time.monotonic() - started}

        yield {"module": module, "plan": plan}


ENTRY = Entry(
    "kill",
    "All tenants off, 3 in 10 were on, ledger exact, against the plan's UPDATE without WHERE",
    _arms,
    (
        Line("feature_flag, connect to last statement", ("module", "elapsed"), "s", 0.9, ("plan", "seconds")),
        Line("  of which the kill and its proof", ("module", "contained"), "s", None, ("plan", "seconds")),
        Line("  the whole process, Python's start too", ("module", "process"), "s", None, ("plan", "seconds")),
    ),
)
