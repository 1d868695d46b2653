# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Without a dump nothing is compared: the data is not validated, and is not called bad either."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.integrity import load
from tests.integration.place import Database
from tests.integration.test_recovery import Place


@pytest.mark.drill
def test_without_a_dump_the_data_is_not_validated_and_not_called_unsound(db: Database, directory: Path) -> None:
    place = Place(db, load(db, corruption=False), directory)
    place.variables["kanban_postgresql_bin_dir"] = str(directory)
    run = place.run()
    assert run.rc != 0
    assert "NOT WELL: no proven dump of db1" in run.screen, run.output
    why = "rows were not compared with the dump, for there is none: "
    assert f"Before anything is repaired or released: the data on db1 is not validated: {why}" in run.screen
    assert f"db1: data NOT VALIDATED: {why}" in run.screen
    for words in ("sound", "manifest.json"):
        assert words not in run.screen.lower()
    # release.yml goes by that.
    assert place.events == [("validate", "data not validated")]
    refused = place.play("release")
    assert refused.rc != 0
    assert "NOT RELEASED, nothing was changed: the data of db1 is not validated" in refused.screen, refused.output
