# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dump has every write acknowledged before it; those of corrupted companies as the application corrupted them."""

from __future__ import annotations

from tests.drills.kept import in_dump
from tests.drills.looks import Place, not_whole
from tests.rehearsal import estate
from tests.rehearsal.quarantine import carried_off, lanes_beside

testinfra_hosts = ["local://"]


def test_the_dump_is_what_its_manifest_says() -> None:
    assert not_whole(Place(estate.find())) == ""


def test_what_was_acknowledged_before_the_dump_is_in_it() -> None:
    here = estate.find()
    for crowd in here.crowds:
        report = in_dump(Place(here), crowd)
        assert report is not None, "there is no dump"
        spoilt = carried_off(report, lanes_beside(here.site, crowd.tenants))
        print(
            f"{crowd.name}: {report.acknowledged} acknowledged before the dump, {report.checked} last values compared, "
            f"{len(spoilt)} in it as they were spoilt"
        )
        assert [thing for thing in report.missing if thing not in spoilt] == []
        assert spoilt == [] or crowd.name == "affected"
        assert report.unexpected == [] or crowd.name == "affected"
        assert report.acknowledged > 50
        assert report.checked > 50
