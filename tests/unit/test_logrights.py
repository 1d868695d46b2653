# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that root must not be led to by the owner of the logs."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._logfiles import rights_of
from tests.unit.logs import counts, logs, read, state

__all__ = ["logs"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


@as_root
def test_root_is_led_nowhere_by_the_owner_of_the_logs(logs: Path) -> None:
    secret = logs / "shadow"
    secret.write_text("error: root's own\n")
    secret.chmod(0o600)
    theirs = logs / "theirs"
    theirs.mkdir()
    nobody = pwd.getpwnam("nobody")
    os.chown(theirs, nobody.pw_uid, nobody.pw_gid)
    (theirs / "api-error.log").symlink_to(secret)
    (theirs / "own.log").write_text("error\n")
    os.chown(theirs / "own.log", nobody.pw_uid, nobody.pw_gid)
    (theirs / "link.log").symlink_to("own.log")
    (theirs / "own.log.1").symlink_to(secret)
    with rights_of(nobody):
        assert os.geteuid() == nobody.pw_uid
        assert state(theirs / "api-error.log") == "forbidden"
        assert state(secret) == "forbidden"
        assert counts(read(theirs / "link.log"))[0] == 1
        assert counts(read(theirs / "own.log"))[0] == 1
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, os.getgid(), os.getgroups())
    # With root's own rights no link is followed at all.
    assert state(theirs / "api-error.log") == "forbidden"
    with rights_of(pwd.getpwuid(0)):
        assert os.geteuid() == 0
        assert counts(read(secret))[0] == 1


@as_root
def test_the_rights_come_back_whatever_happens() -> None:
    groups = os.getgroups()

    def broken() -> None:
        with rights_of(pwd.getpwnam("nobody")):
            assert os.geteuid() != 0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken()
    assert (os.geteuid(), os.getegid(), os.getgroups()) == (0, os.getgid(), groups)
