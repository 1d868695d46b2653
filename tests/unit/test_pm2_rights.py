# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root runs pm2 as the owner of its home, whatever the application's account puts in the way."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2 import Pm2
from tests.unit.test_pm2 import home, program

__all__ = ["home"]
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


@pytest.fixture
def theirs(home: Path) -> Iterator[Path]:
    """Yield a directory of an account without privileges, beside a home of pm2 in root's directory for everybody."""
    home.chmod(0o1777)
    (home / "pm2.pid").chmod(0o644)
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="kanban-") as name:
        given_to_nobody(Path(name))
        Path(name).chmod(0o755)
        yield Path(name)


def given_to_nobody(path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)


def telling(place: Path, name: str, told: Path) -> Path:
    """Put a program of that account there, which tells as whom it runs."""
    path = place / name
    path.write_text(f"#!/bin/sh\nid -u >>{told}\necho '[]'\n")
    path.chmod(0o755)
    given_to_nobody(path)
    return path


@pytest.mark.parametrize("below", [False, True])
def test_a_link_that_the_account_made_does_not_make_its_program_roots(home: Path, theirs: Path, below: bool) -> None:
    told = theirs / "told"
    link = theirs / ".pm2"
    link.symlink_to(home.parent if below else home)
    given_to_nobody(link)
    given = link / home.name if below else link
    with pytest.raises(KanbanError) as refused:
        Pm2(str(telling(theirs, "pm2", told)), str(given)).processes(5)
    assert (refused.value.code, told.exists()) == ("other_user", False)
    assert str(link) in refused.value.what
    # One that root made, or one to a directory of the account's own, is as good as the directory.
    os.chown(link, 0, 0, follow_symlinks=False)
    assert Pm2("pm2", str(given)).owner.pw_uid == 0
    given_to_nobody(link)
    given_to_nobody(home)
    assert Pm2("pm2", str(given)).owner.pw_name == "nobody"


def test_for_roots_home_only_a_program_that_is_roots_alone_is_run(home: Path, theirs: Path) -> None:
    told = theirs / "told"
    its = telling(theirs, "pm2", told)
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="kanban-") as name:
        own = Path(program(Path(name), "#!/bin/sh\necho '[]'\n"))
        (theirs / "linked").mkdir()
        (theirs / "linked" / "pm2").symlink_to(own)
        (home / "pm2").symlink_to(own)
        for refused_one in (its, theirs / "linked" / "pm2", home / "pm2"):
            with pytest.raises(KanbanError) as refused:
                Pm2(str(refused_one), str(home)).processes(5)
            assert (refused.value.code, told.exists()) == ("other_user", False), refused_one
        assert Pm2(str(own), str(home)).processes(5) == []
        own.chmod(0o777)
        with pytest.raises(KanbanError, match="may be changed by others"):
            Pm2(str(own), str(home)).processes(5)


def test_a_node_of_the_account_does_not_say_where_roots_pm2_lies(home: Path, theirs: Path) -> None:
    shutil.copy("/bin/sleep", theirs / "node")
    telling(theirs, "pm2", theirs / "told")
    with subprocess.Popen([str(theirs / "node"), "60"]) as daemon:
        try:
            (home / "pm2.pid").write_text(str(daemon.pid))
            with pytest.raises(KanbanError) as refused:
                Pm2("pm2", str(home)).processes(5)
            assert (refused.value.code, (theirs / "told").exists()) == ("no_program", False)
        finally:
            daemon.kill()


@pytest.mark.parametrize("way", ["pipe", "endless"])
def test_what_has_no_end_in_place_of_the_pid_holds_nothing_up(home: Path, way: str) -> None:
    (home / "pm2.pid").unlink()
    if way == "pipe":
        os.mkfifo(home / "pm2.pid")
    else:
        (home / "pm2.pid").symlink_to("/dev/zero")
    code = (
        "import sys; from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2 import Pm2\n"
        "print(Pm2('pm2', sys.argv[1]).daemon)"
    )
    command = [sys.executable, "-c", f"import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n{code}"]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*command, str(home)], env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=10
    )
    assert done.stdout == "None\n", done.stderr


def test_a_setpriv_that_lies_beside_pm2_is_not_run_as_root(home: Path, theirs: Path) -> None:
    given_to_nobody(home)
    told = theirs / "told"
    telling(theirs, "setpriv", theirs / "by_setpriv")
    assert Pm2(str(telling(theirs, "pm2", told)), str(home)).processes(5) == []
    assert told.read_text().split() == [str(pwd.getpwnam("nobody").pw_uid)]
    assert not (theirs / "by_setpriv").exists()
