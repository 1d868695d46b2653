# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a scratch instance of a point in time is started, and how its messages are read."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _pointplace as place
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _pointplan as plan
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import Backup, moment_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pointerrors import choose, recovery_failed

STANZA = plan.Stanza("/usr/bin/pgbackrest", "main", "/etc/it's 100%.conf", None, 2, "20261127-020000F")
# As printed by pg_controldata of PostgreSQL 17.
CONTROL = """Database system identifier:           7712669012737754833
max_connections setting:              100
max_worker_processes setting:         8
max_wal_senders setting:              10
max_prepared_xacts setting:           0
max_locks_per_xact setting:           64
Bytes per WAL segment:                16777216
"""
FIRST, GAP, NEWEST = "000000010000000000000002", "0000000100000000000000FF", "000000010000000100000003"
RESTORED = f'LOG:  restored log file "{FIRST[:-2]}FE" from archive\n'
ENDED = "FATAL:  recovery ended before configured recovery target was reached\n"


def test_pgbackrest_is_told_what_is_ours_and_nothing_of_production() -> None:
    argv = plan.restore_argv(STANZA, "/s", "crm", ["postgres", "other"], "2026-11-27 02:00:00.000000+00")
    assert argv == [
        "/usr/bin/pgbackrest",
        "--config=/etc/it's 100%.conf",
        "--repo=2",
        "--stanza=main",
        "--pg1-path=/s/data",
        "--lock-path=/s/lock",
        "--log-level-file=off",
        "--log-level-console=off",
        "--log-level-stderr=warn",
        "--no-log-timestamp",
        "--db-include=crm",
        "--reset-link-map",
        "--reset-tablespace-map",
        "--reset-recovery-option",
        "--reset-db-exclude",
        "--tablespace-map-all=/s/tablespaces",
        "--no-link-all",
        "--no-delta",
        "--archive-mode=off",
        "--type=time",
        "--target=2026-11-27 02:00:00.000000+00",
        "--target-exclusive",
        "--set=20261127-020000F",
        "restore",
    ]
    # The built-in ones cannot be included by name.
    built_in = plan.restore_argv(STANZA, "/s", "postgres", ["other"], "t")
    assert "--db-exclude=other" in built_in
    assert not {"--db-include=postgres", "--reset-db-exclude"} & set(built_in)


def test_the_log_comes_by_a_command_for_a_shell_and_for_a_setting() -> None:
    command = plan.restore_command(STANZA, "/s")
    assert command.endswith(' --no-archive-async archive-get %f "%p"')
    assert "'--config=/etc/it'\"'\"'s 100%%.conf'" in command
    assert "--repo" not in command
    text = plan.settings_text(plan.parse_control(CONTROL), "/s", command, "2026-11-27 02:00:00+00", 3, 17)
    lines = text.splitlines()
    quotes = "''\"''\"''"
    assert any(f"it{quotes}s 100%%.conf" in line for line in lines if line.startswith("restore_command"))
    for line in (
        "listen_addresses = ''",
        "archive_mode = 'off'",
        "recovery_target_timeline = '3'",
        "max_connections = '100'",
        # It may have been raised since the backup.
        "max_prepared_transactions = '64'",
        "max_wal_size = '256MB'",
        "event_triggers = 'off'",
    ):
        assert line in lines
    assert "event_triggers" not in plan.settings_text(plan.parse_control(CONTROL), "/s", command, "t", 1, 16)
    with pytest.raises(KeyError):
        plan.settings_text({}, "/s", command, "t", 1, 17)


def test_rows_are_asked_for_by_exact_names() -> None:
    argv = plan.dump_argv(
        "/p/pg_dump", "/s/socket", "o'boss", "crm", [("public", 'a"b'), ("public", "c*")], 17, "utf-8"
    )
    assert argv[-1] == b'--table="public".("a""b"|"c*")'
    assert "user='o\\'boss'" in str(argv[-2])
    assert "event_triggers=off" in str(argv[-2])


def test_what_the_instance_says_is_understood() -> None:
    said = "LOG:  recovery stopping before commit of transaction 757, time 2026-11-27 02:29:43.189897+00\n"
    assert plan.stopped_before(said) == "2026-11-27 02:29:43.189897+00"
    assert plan.stopped_before(ENDED) is None
    assert plan.segment_after(f"{FIRST[:-2]}FF", 16 << 20) == "000000010000000100000000"
    assert plan.segment_after("000000010000000000000003", 1 << 30) == "000000010000000100000000"
    assert plan.as_taken(1.5) == "1970-01-01T00:00:01.500000Z"


@pytest.mark.parametrize(
    ("said", "code", "named"),
    [
        (RESTORED + ENDED, "wal_missing", GAP),
        (ENDED, "wal_missing", FIRST),
        (f'LOG:  restored log file "{NEWEST}" from archive\n' + ENDED, "wal_not_archived", NEWEST),
        ("ERROR: [103]: unable to find a valid repository\n" + ENDED, "archive_get_failed", "valid repository"),
        ("FATAL:  requested recovery stop point is before consistent recovery point\n", "backup_too_late", "F"),
        ("FATAL:  could not write: No space left on device\n", "no_space", "/s"),
        ("FATAL:  something else\n", "scratch_failed", "something else"),
        ("", "scratch_failed", "it said nothing"),
    ],
)
def test_why_the_target_was_not_reached(said: str, code: str, named: str) -> None:
    error = recovery_failed(said, "/s", STANZA, FIRST, NEWEST, 16 << 20, "t")
    assert (error.code, named in error.what) == (code, True), error.what


def backup(label: str, ended: float, cluster: str = "7", usable: bool = True) -> Backup:
    return Backup("pgbackrest", 0, label, ended, ended, physical=True, cluster=cluster, usable=usable)


def test_the_newest_backup_before_the_target_is_taken() -> None:
    several = [backup("a", 10), backup("b", 20), backup("bad", 21, usable=False), backup("c", 30), backup("x", 5, "8")]
    assert choose(several, "main", 25, "7").label == "b"
    # Its end is known to the second, and the target may be within it.
    assert choose(several, "main", 20.9, "7").label == "a"
    assert choose(several, "main", 25, None).label == "b"
    for some, moment, code in (
        (several, 9, "backup_too_late"),
        (several[-1:], 25, "other_database"),
        (several[2:3], 25, "no_backup"),
        ([], 25, "no_backup"),
    ):
        with pytest.raises(KanbanError) as caught:
            choose(some, "main", moment, "7")
        assert caught.value.code == code


def test_an_hour_is_a_moment_without_its_seconds() -> None:
    assert moment_of("2026-11-25T02:00Z") == moment_of("2026-11-24T23:00:00-03:00")
    assert moment_of("2026-11-25T02:00.5Z") is None
    assert moment_of("2026-11-25T02:00") is None


def test_only_what_a_dead_run_left_is_swept(tmp_path: Path) -> None:
    me = os.geteuid()
    with place.claimed(tmp_path) as (lives, lock):
        (lives / "data").mkdir()
        place.sweep(tmp_path)
        assert (lives / "data").exists()
        text = (lives / place.MARKER).read_text()
        dead, other, bare, strange = (tmp_path / f"{place.PREFIX}{name}" for name in ("dead", "other", "bare", "odd"))
        for directory in (dead, other, bare, strange, tmp_path / "else"):
            (directory / "data").mkdir(parents=True)
        began = text.replace('"began": "', '"began": "9')
        (dead / place.MARKER).write_text(began)
        # The same process, by its id and start time, but without its lock; and a marker that is not one of ours.
        (other / place.MARKER).write_text(text)
        (strange / place.MARKER).write_text('{"pid": 1}')
        (tmp_path / "else" / place.MARKER).write_text(began)
        (tmp_path / f"{place.PREFIX}link").symlink_to(tmp_path / "else")
        place.remove_dead(dead, me + 1)
        # A postmaster that outlived its keeper holds the lock.
        with (dead / place.MARKER).open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            place.sweep(tmp_path)
        assert dead.exists()
        place.sweep(tmp_path)
        assert not dead.exists()
        left = {other.name, bare.name, strange.name, "else", f"{place.PREFIX}link", lives.name}
        assert {path.name for path in tmp_path.iterdir()} == left
        assert (tmp_path / "else" / place.MARKER).exists()
        os.fstat(lock)
    assert not lives.exists()


def test_a_run_that_has_ended_is_dead_also_before_anybody_waits_for_it(tmp_path: Path) -> None:
    pipe, end = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            with place.claimed(tmp_path):
                os.write(end, b"x")
                signal.pause()
        finally:
            # Whatever happens, no second pytest goes on from here.
            os._exit(1)
    os.close(end)
    assert os.read(pipe, 1) == b"x"
    (claimed,) = tmp_path.iterdir()
    os.kill(pid, signal.SIGKILL)
    # Its end without its remains being taken away.
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    try:
        place.sweep(tmp_path)
        assert not claimed.exists()
    finally:
        os.waitpid(pid, 0)
        os.close(pipe)


@pytest.fixture
def short() -> Iterator[Path]:
    """Yield a directory whose path leaves room for a socket's, which pytest's own does not always."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


def test_a_place_is_chosen_and_a_long_path_is_none(short: Path) -> None:
    home = "/nonexistent"
    assert place.choose_parent(None, str(short)).is_dir()
    assert place.choose_parent(str(short), home) == short
    deep = short / ("d" * 100)
    deep.mkdir()
    (short / "a,b").mkdir()
    for wrong in (str(deep), str(short / "a,b"), str(short / "nowhere")):
        with pytest.raises(KanbanError) as caught:
            place.choose_parent(wrong, home)
        assert caught.value.code == "scratch_unusable"
    place.refuse_full(short, 1, 0)
    with pytest.raises(KanbanError) as caught:
        place.refuse_full(short, 1 << 60, 0)
    assert caught.value.code == "no_space"
