# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The manifest of a dump, and the place where it is made: real files, real locks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _dumpmanifest as manifests
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _dumpplace as place
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

ENDED = "2026-11-25T03:50:00.000001Z"


def dump(directory: Path, ended_at: str = ENDED, **changes: Any) -> dict[str, Any]:
    """Make what looks like a dump."""
    directory.mkdir()
    (directory / "toc.dat").write_bytes(b"contents")
    (directory / "1.dat").write_bytes(b"")
    files = manifests.file_entries(directory, 2)
    content = {
        "version": manifests.VERSION,
        "incident_id": "INC-Ação",
        "database": {"cluster": "7/1"},
        "tables": [],
        "files": files,
        "ended_at": ended_at,
        "verified": "toc",
        "total_bytes": 8,
        **changes,
    }
    manifests.write_manifest(directory, content)
    return content


def code_of(directory: Path) -> str:
    with pytest.raises(KanbanError) as caught:
        manifests.read_manifest(directory)
    return caught.value.code


def test_what_is_written_is_read(tmp_path: Path) -> None:
    content = dump(tmp_path / "a")
    found = manifests.read_manifest(tmp_path / "a")
    assert {name: value for name, value in found.items() if name != "sha256"} == content
    manifests.check_files(tmp_path / "a", found)
    assert (tmp_path / "a" / "manifest.json").stat().st_mode & 0o777 == 0o600
    # Written again, over the first one and over what a killed run left of a second.
    (tmp_path / "a" / ".manifest.json.new").write_text("{")
    manifests.check_files(tmp_path / "a", found)
    manifests.check_files(tmp_path / "a", found, contents=False)
    assert manifests.size_mismatches(found, {"toc.dat": 8, "1.dat": 0, ".manifest.json.new": 1}) == []
    manifests.write_manifest(tmp_path / "a", {**content, "verified": "restore"})
    assert manifests.read_manifest(tmp_path / "a")["verified"] == "restore"
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["1.dat", "manifest.json", "toc.dat"]


def test_manifests_that_cannot_be_trusted(tmp_path: Path) -> None:
    dump(tmp_path / "a")
    path = tmp_path / "a" / "manifest.json"
    whole = path.read_text()
    for text in (whole[:-20], whole.replace('"total_bytes": 8', '"total_bytes": 9'), "[]", "{}", '"text"', ""):
        path.write_text(text)
        assert code_of(tmp_path / "a") == "manifest_broken"
    path.write_text(manifests.text_of({**json.loads(whole), "version": 99}))
    assert code_of(tmp_path / "a") == "manifest_broken"
    path.unlink()
    assert code_of(tmp_path / "a") == "no_manifest"
    assert code_of(tmp_path / "nowhere") == "no_manifest"


@pytest.mark.parametrize("contents", [True, False])
def test_files_that_differ(tmp_path: Path, contents: bool) -> None:
    dump(tmp_path / "a")
    manifest = manifests.read_manifest(tmp_path / "a")
    manifests.check_files(tmp_path / "a", manifest, contents=contents)
    (tmp_path / "a" / "toc.dat").write_bytes(b"CONTENTS and more")
    (tmp_path / "a" / "1.dat").unlink()
    (tmp_path / "a" / "2.dat").write_bytes(b"")
    with pytest.raises(KanbanError) as caught:
        manifests.check_files(tmp_path / "a", manifest, contents=contents)
    assert caught.value.details["files"] == ["1.dat", "2.dat", "toc.dat"]


def test_only_contents_tell_a_change_that_keeps_the_size(tmp_path: Path) -> None:
    dump(tmp_path / "a")
    manifest = manifests.read_manifest(tmp_path / "a")
    (tmp_path / "a" / "toc.dat").write_bytes(b"CONTENTS")
    manifests.check_files(tmp_path / "a", manifest, contents=False)
    with pytest.raises(KanbanError):
        manifests.check_files(tmp_path / "a", manifest)


def test_the_dump_before(tmp_path: Path) -> None:
    assert manifests.previous_dump(tmp_path / "nowhere" / "z", "7/1") is None
    dump(tmp_path / "b", "2026-11-25T03:50:00.000001Z")
    dump(tmp_path / "a", "2026-11-25T04:50:00.000001Z")
    dump(tmp_path / "c", "2026-11-25T05:50:00.000001Z")
    (tmp_path / "c" / "1.dat").unlink()
    dump(tmp_path / ".a.partial-1", "2026-11-25T06:50:00.000001Z")
    found = manifests.previous_dump(tmp_path / "z", "7/1")
    assert found is not None
    assert (found["path"], found["bytes"], found["incident_id"]) == (str(tmp_path / "a"), 8, "INC-Ação")
    # Another database's dump in the same directory is not the previous one.
    assert manifests.previous_dump(tmp_path / "z", "7/2") is None
    before = manifests.previous_dump(tmp_path / "a", "7/1")
    assert before is not None
    assert before["path"] == str(tmp_path / "b")
    assert manifests.previous_dump(tmp_path / "z", "7/1", before="2026-11-25T03:50:00.000001Z") is None
    # A newer dump of fewer tables is passed over.
    dump(tmp_path / "d", "2026-11-25T02:50:00.000001Z", tables=[{"name": "public.Tags"}, {"name": "public.Tickets"}])
    for tables, expected in ((["public.Tags"], "d"), ((), "a")):
        found = manifests.previous_dump(tmp_path / "z", "7/1", tables=tables)
        assert found is not None
        assert found["path"] == str(tmp_path / expected)
    assert manifests.previous_dump(tmp_path / "z", "7/1", tables=["public.Companies"]) is None


def test_ages() -> None:
    assert manifests.age_seconds(manifests.now_text()) == 0


def test_one_at_a_time_and_dead_ones_are_removed(tmp_path: Path) -> None:
    dest = tmp_path / "parent" / "dump"
    with place.claimed(dest, Deadline(1)) as claim:
        assert (dest.parent.stat().st_mode & 0o777, claim.partial.parent) == (0o700, dest.parent)
        with pytest.raises(KanbanError) as caught, place.claimed(dest, Deadline(0.2)):
            pass
        assert caught.value.code == "busy"
        assert str(os.getpid()) in caught.value.what
        with place.claimed(dest.with_name("other"), Deadline(0.2)):
            pass
    # What dead runs left of this dump, of another one, and a name that only looks like it.
    for name in (".dump.partial-1", ".dump.scratch-2", ".other.partial-3", "dump.partial-4"):
        (dest.parent / name).mkdir()
        (dest.parent / name / "file").touch()
    with place.claimed(dest, Deadline(0.2)):
        pass
    assert sorted(path.name for path in dest.parent.iterdir()) == [".other.partial-3", "dump.partial-4"]


def test_a_child_that_lives_on_keeps_the_claim(tmp_path: Path) -> None:
    dest = tmp_path / "dump"
    with place.claimed(dest, Deadline(1)) as claim:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[claim.lock])
        # As after a SIGKILL: the file is closed but not removed.
        os.link(tmp_path / ".dump.lock", tmp_path / "again")
    os.rename(tmp_path / "again", tmp_path / ".dump.lock")
    try:
        with pytest.raises(KanbanError) as caught, place.claimed(dest, Deadline(0.2)):
            pass
        assert caught.value.code == "busy"
    finally:
        child.communicate(b"\n", timeout=10)
    with place.claimed(dest, Deadline(1)):
        pass


def test_places_that_will_not_do(tmp_path: Path) -> None:
    for name in ("", "/", "  ", str(tmp_path / ("x" * 201))):
        with pytest.raises(KanbanError) as caught:
            place.full_path(name)
        assert caught.value.code == "bad_dest"
    (tmp_path / "file").touch()
    with pytest.raises(KanbanError) as caught, place.claimed(tmp_path / "file" / "dump", Deadline(1)):
        pass
    assert caught.value.code == "dest_unusable"
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert place.full_path(str(tmp_path / "link")) == tmp_path / "real"
    assert place.full_path("~/dump") == Path.home().resolve() / "dump"


def test_what_is_free(tmp_path: Path) -> None:
    assert place.is_free(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    assert place.is_free(tmp_path / "empty")
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    assert not place.is_free(tmp_path / "dangling")
    assert not place.is_free(tmp_path)
    assert place.free_bytes(tmp_path / "a" / "b" / "c") > 0


def test_what_is_not_published_is_removed(tmp_path: Path) -> None:
    with pytest.raises(KanbanError) as caught, place.made(tmp_path / "partial"):
        raise OSError(28, "No space left on device")
    assert caught.value.code == "disk_full"
    with place.made(tmp_path / "partial") as made:
        (made / "file").touch()
        place.publish(made, tmp_path / "dump")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dump"]
    assert (tmp_path / "dump" / "file").exists()
