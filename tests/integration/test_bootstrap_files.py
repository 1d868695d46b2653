# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap.yml makes on a host is on record before it exists, and what others made stays as it is."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Modules, failed

NOBODY = pwd.getpwnam("nobody").pw_uid
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, whose part this is about")


class Host:
    """Directories of the test, in which the module works."""

    def __init__(self, directory: Path) -> None:
        self.directory, self.record = directory, directory / "record"
        self.state, self.runbooks = directory / "lib" / "state", directory / "opt" / "runbooks"
        self.page, self.other = self.runbooks / "a.md", self.runbooks / "b.md"
        self.pages = {str(self.page): "# A\n", str(self.other): "# Ação {{ x }}\n"}

    def run(self, check: bool = False, **options: Any) -> dict[str, Any]:
        """Run the module and return its result."""
        directories = [{"path": str(self.state), "owner": "nobody"}, {"path": str(self.runbooks)}]
        given = {"record": str(self.record), "directories": directories, "pages": self.pages, **options}
        return Modules({}).run("bootstrap_files", check, **given)

    def tree(self) -> dict[str, tuple[int, int]]:
        """Return owner and mode of all that is there."""
        found = {path: path.lstat() for path in self.directory.rglob("*")}
        return {str(path.relative_to(self.directory)): (at.st_uid, at.st_mode & 0o777) for path, at in found.items()}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


MADE = {
    "record": (0, 0o600),
    "lib": (0, 0o755),
    "lib/state": (NOBODY, 0o700),
    "opt": (0, 0o755),
    "opt/runbooks": (0, 0o755),
    "opt/runbooks/a.md": (0, 0o644),
    "opt/runbooks/b.md": (0, 0o644),
}


def test_it_is_made_once_on_record_and_exactly_that_is_removed(host: Host) -> None:
    plan = host.run(check=True)
    assert (plan["changed"], host.tree()) == (True, {})
    assert [one["after_header"] for one in host.run(check=True, diff_of_new=False)["diff"]] == [str(host.record)]
    first = host.run(packages=["python3-redis"])
    assert (first["changed"], first["left"], host.tree()) == (True, [], MADE)
    assert host.other.read_text(encoding="utf-8") == "# Ação {{ x }}\n"
    lines = host.record.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "package python3-redis"
    assert sorted(lines[1:]) == sorted(
        f"{'file' if name.endswith('.md') else 'directory'} {host.directory / name}"
        for name in MADE
        if name != "record"
    )
    # The plan shows the record and the pages as they became.
    assert [one["before"] for one in plan["diff"]] == ["", "", ""]
    assert [one["after"] for one in plan["diff"]][1:] == list(host.pages.values())
    assert [one["after_header"] for one in first["diff"]] == [str(host.record), str(host.page), str(host.other)]
    again = host.run()
    assert (again["changed"], again["diff"]) == (False, [])
    # What drifted is as before; a page follows its text, and its difference is shown wherever it was there.
    host.state.chmod(0o755)
    host.page.chmod(0o600)
    assert host.run(check=True)["changed"]
    changed = host.run(pages={**host.pages, str(host.other): "# B\n"}, diff_of_new=False)
    assert [one["after"] for one in changed["diff"]] == ["# A\n", "# B\n"]
    assert (host.tree(), host.other.read_text(encoding="utf-8")) == (MADE, "# B\n")
    # A package that this machine lacks is gone already.
    removal: dict[str, Any] = {"state": "absent", "packages": ["python3-redis"]}
    plan = host.run(check=True, **removal)
    assert (plan["changed"], plan["left"], host.tree()) == (True, [], MADE)
    gone = host.run(**removal)
    assert ({**gone, "invocation": None}, host.tree()) == ({**plan, "invocation": None}, {})
    assert not host.run(**removal)["changed"]


def test_what_others_made_stays_and_is_named(host: Host) -> None:
    for path in (host.runbooks, host.state):
        path.mkdir(parents=True)
    host.page.write_text("call Ana\n", encoding="utf-8")
    elsewhere = host.directory / "passwd"
    elsewhere.write_text("root\n", encoding="utf-8")
    # A link of that name leads root nowhere, although a page was written there once.
    host.other.symlink_to(elsewhere)
    host.record.write_text(f"directory {host.runbooks}\nfile {host.other}\n", encoding="utf-8")
    host.record.chmod(0o600)
    before = host.tree()
    made = host.run()
    assert (made["changed"], host.tree()) == (False, before)
    both = f"{host.page}, {host.other}"
    assert made["left"][0].startswith(f"Not written, for somebody else has written it: {both}. Move it away")
    assert made["left"][1].startswith(f"{host.state} stays with root, so without a ledger prior values go elsewhere")
    plan, gone = host.run(check=True, state="absent"), host.run(state="absent")
    assert (
        plan["left"]
        == gone["left"]
        == [
            f"{host.runbooks} stays, for what is in it was not made by bootstrap.yml (1 in it: a.md).",
            f"{host.state} stays, for it was there before (it is empty).",
        ]
    )
    assert host.record.read_text(encoding="utf-8") == f"directory {host.runbooks}\n"
    assert (elsewhere.read_text(encoding="utf-8"), host.other.is_symlink()) == ("root\n", False)
    assert host.page.read_text(encoding="utf-8") == "call Ana\n"


def test_what_cannot_be_made_is_on_record_already_and_a_users_link_is_not_followed(host: Host) -> None:
    target = host.directory / "etc"
    target.mkdir()
    host.runbooks.parent.mkdir()
    host.runbooks.symlink_to(target)
    os.lchown(host.runbooks, NOBODY, -1)
    refused = host.run()
    failed(refused, "not_laid_down")
    assert str(host.runbooks) in refused["msg"]
    assert f"file {host.page}" in host.record.read_text(encoding="utf-8")
    assert list(target.iterdir()) == []
    # Root's own link is root's decision.
    os.lchown(host.runbooks, 0, -1)
    assert host.run()["changed"]
    assert (target / "a.md").is_file()


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_record_that_others_could_have_written_is_refused(host: Host, state: str) -> None:
    assert host.run()["changed"]
    before, kept = host.tree(), host.directory / "kept"
    host.record.rename(kept)
    for owner, mode in ((NOBODY, 0o600), (0, 0o660)):
        host.record.write_bytes(kept.read_bytes())
        host.record.chmod(mode)
        os.chown(host.record, owner, -1)
        failed(host.run(state=state), "record_refused")
        host.record.unlink()
    host.record.symlink_to(kept)
    failed(host.run(state=state), "record_refused")
    host.record.unlink()
    kept.rename(host.record)
    assert host.tree() == before
    # One of another profile is added to, but nothing is removed by it.
    named = host.run(state=state, pages={str(host.page): "# A\n"})
    assert bool(named.get("failed")) is (state == "absent")
    assert host.other.exists()
