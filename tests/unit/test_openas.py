# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that root opens for another account: with no more rights than that account has, and in its time."""

from __future__ import annotations

import os
import pwd
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._openas import open_as, open_own

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")


@pytest.fixture
def place() -> Iterator[Path]:
    """Yield a directory that every account may enter, with a file that only root may read and a link to it."""
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="kanban-") as name:
        Path(name).chmod(0o755)
        (Path(name) / "secret").write_text("root's own")
        (Path(name) / "secret").chmod(0o600)
        (Path(name) / "link").symlink_to("secret")
        (Path(name) / "open").write_text("for all")
        (Path(name) / "open").chmod(0o644)
        os.mkfifo(Path(name) / "pipe", 0o644)
        yield Path(name)


def content(handle: int) -> bytes:
    assert not os.get_inheritable(handle)
    with os.fdopen(handle, "rb") as file:
        return file.read()


def test_a_file_is_opened_with_the_accounts_rights_alone(place: Path) -> None:
    nobody, before = pwd.getpwnam("nobody"), len(os.listdir("/proc/self/fd"))
    assert content(open_as(nobody, str(place / "open"), 5)) == b"for all"
    for name in ("secret", "link"):
        with pytest.raises(PermissionError):
            open_as(nobody, str(place / name), 5)
    with pytest.raises(FileNotFoundError):
        open_as(nobody, str(place / "none"), 5)
    os.close(open_as(nobody, str(place / "pipe"), 5))
    assert content(open_own(str(place / "link"))) == b"root's own"
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_with_roots_own_rights_no_link_is_followed(place: Path) -> None:
    root = pwd.getpwuid(0)
    assert content(open_as(root, str(place / "secret"), 5)) == b"root's own"
    with pytest.raises(OSError, match="symbolic links"):
        open_as(root, str(place / "link"), 5)


def test_other_threads_keep_their_rights(place: Path) -> None:
    seen: set[int] = set()
    ready, done = threading.Event(), threading.Event()

    def look() -> None:
        while not done.is_set():
            os.close(open_own(str(place / "secret")))
            seen.add(os.geteuid())
            ready.set()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        assert ready.wait(5)
        for _number in range(20):
            os.close(open_as(pwd.getpwnam("nobody"), str(place / "open"), 5))
    finally:
        done.set()
        thread.join()
    assert seen == {0}
