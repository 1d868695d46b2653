# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The arithmetic of the table, and a kill on few tenants, which shows when an entry no longer runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from tests.bench.copies import copies
from tests.bench.entries.kill import ENTRY as KILL
from tests.bench.entry import Arm, CannotMeasure, Entry, Line, Settings, p95
from tests.bench.playbooks import tasks_of
from tests.bench.runner import measure
from tests.bench.table import table
from tests.bench.tenants import check_ledger, fill, number_on

TENANTS = 1003


@pytest.mark.parametrize(("values", "expected"), [([3.0], 3), ([*range(1, 21)], 19), ([*range(100, 0, -1)], 95)])
def test_p95_is_the_least_value_that_95_percent_do_not_exceed(values: list[float], expected: float) -> None:
    assert p95(values) == expected


def test_arms_take_turns_and_the_ratio_is_of_medians() -> None:
    order: list[str] = []

    @contextmanager
    def arms(_settings: Settings) -> Iterator[Mapping[str, Arm]]:
        def arm(name: str, figures: list[float]) -> Arm:
            return lambda number: order.append(name) or {"seconds": figures[number]}  # type: ignore[func-returns-value]

        yield {"ours": arm("ours", [1.0, 9.0, 2.0]), "theirs": arm("theirs", [4.0, 3.0, 5.0])}

    line = Line("what", ("ours", "seconds"), "s", 0.4, ("theirs", "seconds"))
    report = measure(Entry("name", "title", arms, [line], runs=3), Settings())
    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
    assert (report.rows[0].value, report.rows[0].met, report.rows[0].spread) == (0.5, False, (0.25, 3.0))
    assert "NO" in table([report])


def test_what_cannot_be_measured_is_said_and_stops_nothing() -> None:
    @contextmanager
    def arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
        if settings == Settings():
            raise CannotMeasure("there are no hosts")
        yield {}

    report = measure(Entry("name", "title", arms, []), Settings())
    assert "not measured: there are no hosts" in table([report])


def test_tasks_are_counted_once_per_play_however_many_hosts_show_them() -> None:
    shown = (
        "PLAY [a] ****\nTASK [x] ****\nok: [h1]\nTASK [x] ***\nok: [h2]\nTASK [y] **\nchanged: [h1]\n"
        "TASK [z] **\nskipping: [h1]\nPLAY [b] ***\nTASK [x] **\nok: [h1]\n"
    )
    assert tasks_of(shown) == {"a": ["x", "y"], "b": ["x"]}


def test_the_kill_is_measured_on_few_tenants() -> None:
    report = measure(KILL, Settings(tenants=TENANTS, runs=1))
    assert report.why_not == ""
    assert all(row.ours > 0 and row.baseline for row in report.rows)


def test_a_ledger_that_has_lost_a_tenant_counts_for_nothing() -> None:
    with copies(lambda session: fill(session, TENANTS)) as place:
        place.fresh()
        with place.connect() as session, session.cursor() as cursor:
            cursor.execute("CREATE SCHEMA kanban_rollback")
            cursor.execute("CREATE TABLE kanban_rollback.flag_changes (action text, tenants text[], priors text[])")
            cursor.execute(
                """INSERT INTO kanban_rollback.flag_changes
                SELECT 'disabled', array_agg("id"::text), array_agg('true'::text)
                FROM "Companies" WHERE "id" % 10 < 3"""
            )
            check_ledger(cursor, TENANTS)
            cursor.execute("UPDATE kanban_rollback.flag_changes SET tenants = tenants[2:], priors = priors[2:]")
            with pytest.raises(CannotMeasure, match=f"holds {number_on(TENANTS) - 1} prior values"):
                check_ledger(cursor, TENANTS)
