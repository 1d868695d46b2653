# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever is to be at work and is not is told of, with the last words of the load; an old account proves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hosts.machine import HostsError
from tests.rehearsal.people import Crowd
from tests.staging.account import ACKNOWLEDGED, MESSAGE


def note(crowd: Crowd) -> None:
    """Note a message of this moment that was acknowledged."""
    now = time.time()
    sent = {"n": 1, "at": now, "op": MESSAGE, "tenant": 1, "sets": {}}
    crowd.path.write_text(json.dumps(sent | {"until": now, "outcome": ACKNOWLEDGED, "status": 200}) + "\n")


def test_people_who_have_gone_are_told_of_with_their_last_words(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, "sound")
    note(crowd)
    (tmp_path / "sound.log").write_text("Traceback\nOSError: no room\n")
    with pytest.raises(HostsError, match="nobody of sound is at work: OSError: no room"):
        crowd.expect(MESSAGE)


def test_people_who_are_there_and_do_nothing_are_told_of(tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, "sound")
    note(crowd)
    argv = [sys.executable, "-c", "print('here', flush=True); input()", os.fspath(crowd.path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        # Until its program has begun, its command line may still be empty.
        assert process.stdout
        assert process.stdout.readline() == b"here\n"
        (tmp_path / "sound.pid").write_text(str(process.pid))
        with pytest.raises(HostsError, match="waited 1 s for people of sound to be told of: message"):
            crowd.expect(MESSAGE, timeout=1)
