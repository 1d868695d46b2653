# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody lost an acknowledged write, and no inbound message was refused or lost, from the first minute on.

For cards and tags the last value is compared, and each message is looked up individually. What the application itself
corrupted before the stop is in the quarantine, as it was corrupted.
"""

from __future__ import annotations

import contextlib
import datetime

from tests.rehearsal import estate, record
from tests.rehearsal.quarantine import kept, spoilt

testinfra_hosts = ["local://"]


def test_no_acknowledged_write_and_no_message_is_missing() -> None:
    here = estate.find()
    for crowd in here.crowds:
        assert not crowd.at_work, f"{crowd.name} has to be home"
        with contextlib.closing(here.site.connect()) as session:
            report = crowd.verify(session)
            set_aside = spoilt(report, kept(session))
        missing, accounted = len(report.missing), len(set_aside)
        print(
            f"{crowd.name}: {report.acknowledged} acknowledged, {report.checked} last values and {report.messages} "
            f"messages compared, {missing} missing, {accounted} of them in quarantine"
        )
        assert [thing for thing in report.missing if thing not in set_aside] == []
        # Only the broken application corrupts anything, and it was broken only for these.
        assert set_aside == [] or crowd.name == "affected"
        # Duplicates were planted, and were mended.
        assert report.unexpected == []
        assert crowd.refused_messages() == []
        assert report.lost == []
        assert report.acknowledged > 100
        assert report.checked > 100
        assert report.messages > 20


def test_no_message_waits_for_another_try() -> None:
    """The database is up all the time, and so is the application, except where opening a ticket crashes it."""
    here = estate.find()
    stop = record.read(record.journals(here)[0])
    crashed = record.stopped(here).scenario == "scenario1"
    since = datetime.datetime.fromisoformat(stop[-1]["at"]).timestamp() if crashed else 0
    for crowd in here.crowds:
        assert crowd.messages(since=since), crowd.name
        assert crowd.unanswered_messages(since=since) == [], crowd.name


def test_nothing_got_past_the_fence() -> None:
    here = estate.find()
    scenario = record.stopped(here).scenario
    accepted = record.accepted(here)
    assert set(accepted) == ({0} if scenario == "scenario3" else set())
