# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file of people's own words: made once, read, and never overwritten."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.integration.module import Modules, failed

ID = "INC-20261125-042"
HOSTILE = "<script>{{ 7*7 }}</script> @channel 🙂"


def test_peoples_words_are_made_once_and_read(tmp_path: Path) -> None:
    given: dict[str, Any] = {"path": str(tmp_path / "a"), "incident_id": ID, "locale": "pt_BR"}
    assert (Modules({}).run("incident_words", True, **given)["changed"], os.listdir(tmp_path)) == (True, [])
    made = Modules({}).ok("incident_words", **given)
    file = tmp_path / "a" / ID / "words.md"
    assert (made["changed"], set(made["words"].values()), file.stat().st_mode & 0o777) == (True, {""}, 0o600)
    file.write_text(file.read_text().replace("## Causa raiz\n", f"## Causa raiz\n{HOSTILE}\n") + "## Else\nx\n")
    read = Modules({}).ok("incident_words", **given)
    assert (read["changed"], read["words"]["root_cause"], read["unknown"]) == (False, HOSTILE, ["Else"])
    failed(Modules({}).run("incident_words", path="/proc/none", incident_id=ID), "no_words")
