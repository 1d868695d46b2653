# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same kill while one tenant's row is held and tickets of every second tenant are being inserted."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from psycopg2.extensions import cursor

from ..copies import COPY, Copies, copies
from ..entry import Arm, CannotMeasure, Entry, Line, Sample, Settings
from ..module import run_module
from ..tenants import ON, fill, flag_options
from ..watch import Question, watching

DEADLINE = 20
# Each row takes KEY SHARE on its tenant's row until the transaction ends.
_INSERT = (
    """INSERT INTO "Tickets" ("companyId", "lastMessage") SELECT "id", 'Mensagem' FROM "Companies" WHERE "id" % 2 = 0"""
)
_HOLD = 'SELECT FROM "Companies" WHERE "id" = %s FOR UPDATE'
# Backwards from the end of the table, where the last of them is expected.
_ANOTHER = f"""SELECT "id" FROM "Companies" WHERE {ON} AND "id" <> %s ORDER BY "id" DESC LIMIT 1"""
_IS_ON = f"""SELECT {ON} FROM "Companies" WHERE "id" = %s"""


def only_left(held: int) -> Question:
    """Return the question whether only ``held`` is on: it reads one other row, and all rows once that one is off."""
    on: list[int] = []

    def ask(cur: cursor) -> float | None:
        if on:
            cur.execute(_IS_ON, (on[0],))
            found = cur.fetchone()
            if found and found[0]:
                return None
        seen_at = time.monotonic()
        cur.execute(_ANOTHER, (held,))
        found = cur.fetchone()
        on[:] = [found[0]] if found else []
        return None if found else seen_at

    return ask


def _kill(place: Copies, held: int, number: int) -> Sample:
    """Run the kill and see when no tenant but ``held`` (0: none at all) is on."""
    options = {**place.login(), **flag_options(), "state": "disabled", "incident_id": f"INC-BENCH-{number}"}
    with watching(place.server.dsn_of(COPY), only_left(held)) as watch:
        done = run_module("feature_flag", {**options, "deadline": DEADLINE}, may_fail=bool(held))
    expected = [str(held)] if held else []
    blocked = sorted({row["tenant"] for row in done.result["blocked"]})
    if blocked != expected or done.result["enabled_after"] != len(expected):
        raise CannotMeasure(f"expected only {expected} to be left on, got {blocked}: {done.result.get('msg')}")
    return {"seconds": watch.since(done.started)}


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    held = settings.tenants // 20 * 10 + 1
    with copies(lambda session: fill(session, settings.tenants)) as place:

        def alone(number: int) -> Sample:
            place.fresh()
            return _kill(place, 0, number)

        def contended(number: int) -> Sample:
            place.fresh()
            with ExitStack() as stack:
                # Both stay open until the module has given up on the held row: closing rolls them back.
                for statement, values in ((_INSERT, None), (_HOLD, (held,))):
                    session = stack.enter_context(place.connect())
                    session.autocommit = False
                    session.cursor().execute(statement, values)
                return _kill(place, held, number)

        yield {"contended": contended, "alone": alone}


ENTRY = Entry(
    "contended",
    "One tenant's row held, an open ticket INSERT on every second tenant, against the same kill undisturbed",
    _arms,
    (
        Line(
            "process start to the commit that leaves only the held one",
            ("contended", "seconds"),
            "s",
            2.0,
            ("alone", "seconds"),
        ),
    ),
    runs=3,
)
