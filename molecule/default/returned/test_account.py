# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody lost what they were told was done, and no inbound message was refused or lost, from the first minute on.

What the application itself spoilt before the stop is in the quarantine, as it had spoilt it.
"""

from __future__ import annotations

import contextlib

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
        print(f"{crowd.name}: {report.acknowledged} acknowledged, {missing} missing, {accounted} of them in quarantine")
        assert [thing for thing in report.missing if thing not in set_aside] == []
        # Nobody but the broken application spoils anything, and it was broken for these alone.
        assert set_aside == [] or crowd.name == "affected"
        # What is there twice was planted, and was mended.
        assert report.unexpected == [] or crowd.name != "sound"
        assert crowd.refused_messages() == []
        assert report.acknowledged > 100


def test_nothing_got_past_the_fence() -> None:
    here = estate.find()
    scenario = record.stopped(here).scenario
    accepted = record.accepted(here)
    assert set(accepted) == ({0} if scenario == "scenario3" else set())
