# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the command of scenario 1 to validated, on four hosts over SSH, with an application that crashes under load."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.hosts.composition import STANDARD
from tests.hosts.fleet import up
from tests.hosts.machine import HostsError
from tests.playbooks.application import running
from tests.playbooks.place import Site

from ..entry import RESULTS, Arm, CannotMeasure, Entry, Line, Sample, Settings

HOSTS = ("db1", "redis1", "app1", "app2")
REQUESTS_A_SECOND = 30
STOPPED, VALIDATED = "CONTAINED: Kanban V2 is off for all", "Time: validated after"


@contextmanager
def _arms(_settings: Settings) -> Iterator[Mapping[str, Arm]]:
    try:
        fleet = up(RESULTS / "scenario1", tuple(spec for spec in STANDARD if spec.name in HOSTS))
    except HostsError as error:
        raise CannotMeasure(str(error)) from error
    try:
        with tempfile.TemporaryDirectory(prefix="kanban-bench-") as directory:
            site = Site(fleet, Path(directory))

            def scenario(number: int) -> Sample:
                # Its own database and processes: nothing is left of the previous run.
                with running(site) as application:
                    application.misbehave(crash_on_open=True)
                    account = Path(directory, f"account-{number}")
                    with application.load(account, tenants=range(1, 61), rate=REQUESTS_A_SECOND):
                        return _measure(site, application.variables)

            yield {"scenario": scenario}
    finally:
        fleet.down()


def _measure(site: Site, variables: Mapping[str, object]) -> Sample:
    site.disconnect()
    # Keep the profile's own times; leave out only the watch that follows.
    run = site.start("scenario1", hosts=("db1",), whole=True, variables=variables, extra={"kanban_watch_detach": True})
    try:
        contained = run.says(STOPPED, timeout=60)
        validated = run.says(VALIDATED, timeout=240)
        rc = run.wait(timeout=300).rc
    except AssertionError as error:
        raise CannotMeasure(str(error)[-2000:]) from error
    finally:
        run.clear()
    if rc != 0:
        raise CannotMeasure(f"scenario1.yml ended with {rc}:\n{run.output[-2000:]}")
    return {"contained": contained, "validated": validated}


ENTRY = Entry(
    "scenario1",
    f"scenario1.yml on four hosts over SSH, an application that crashes, {REQUESTS_A_SECOND} requests/s",
    _arms,
    (
        Line("command to contained, said", ("scenario", "contained"), "s"),
        Line("command to validated, said", ("scenario", "validated"), "s", 60.0),
    ),
    runs=3,
)
