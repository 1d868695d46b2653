# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A run's journal: whose it is, that its chain shows what was changed, and that no disk or load disturbs the run."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._events import broken_links
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journal import (
    FIGURES,
    event_of,
    figures,
    read_journal,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journaldetails import details
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalentry import read_journals
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalkept import journal_screen, journals_over
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalrun import (
    MOST_WAITING,
    Named,
    Recorder,
    Task,
)

NOW = 1_800_000_000.0
PLUGINS = Path(__file__).parents[2] / "plugins"
END: dict[str, Any] = {"exit": {}, "hosts": 1, "recap": {}, "troubled": []}
KNOWN = {"names": ["INC-1"], "closed": ["INC-2"], "prior_files": [], "silent": []}


def recorder(root: Path, given: bool = False, playbook: str = "scenario3", check_mode: bool = False) -> Recorder:
    """Return a recorder whose run has its name, in its first play."""
    made = Recorder(NOW, playbook, {"check_mode": check_mode})
    made.about(str(root), {"operator": "rui"})
    made.name(Named("run-1", "INC-1", given))
    made.play_began(NOW, "1. Contain")
    return made


def task(host: str = "db1", module: str = "feature_flag", role: str = "contain", **more: Any) -> Task:
    """Return a task that ended well."""
    return Task(host, "Switch it off", role, module, NOW, NOW + 1, **more)


def joined(incident: str = "INC-1") -> Mapping[str, Any]:
    """Return the result of a kill that a ledger has recorded."""
    return {"incident": {"incident_id": incident, "in_ledger": True}, "total": 3, "changed_count": 2}


def recorded(root: Path, incident: str = "INC-1", count: int = 3) -> Path:
    """Return a whole journal."""
    made = recorder(root)
    for number in range(count):
        made.task_ended(task(f"db{number}", result=joined(incident)))
    assert made.end(NOW + 9, END) == ""
    assert made.path
    return made.path


def lines(path: Path) -> list[bytes]:
    """Return a journal's lines."""
    return path.read_bytes().splitlines(keepends=True)


def test_lines_wait_for_the_incident_that_a_ledger_names(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    made.task_ended(task("db0", failed=True, result={"error": {"code": "no_ledger", "what": "x"}, "msg": "secret"}))
    assert list(tmp_path.iterdir()) == []
    made.task_ended(task(result=joined("INC 9/ção")))
    # What another ledger says later changes nothing: a file belongs to one incident.
    made.task_ended(task(result=joined("INC-OTHER")))
    assert made.end(NOW + 9, END) == ""
    (path,) = tmp_path.rglob("*.jsonl")
    assert path.relative_to(tmp_path).as_posix() == "INC-9-o/journal-run-1.jsonl"
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    found = [event_of(line) for line in lines(path)]
    assert broken_links(found) == []
    told = [(event.event, event.phase) for event, _hash in found]
    assert told[:3] == [("run began", "contain"), ("play began", "contain"), ("task ended", "contain")]
    assert told[-2:] == [("play ended", "contain"), ("run ended", "report")]
    assert found[0][0].data["requested"] == "INC-1"
    failed = found[2][0].data
    assert (failed["failed"], failed["error"], failed["figures"]) == (True, "no_ledger", {})
    assert found[3][0].data["figures"] == {"total": 3, "changed_count": 2}
    assert b"secret" not in path.read_bytes()
    assert found[-2][0].data["failed"] == 1


def test_a_run_without_an_incident_leaves_nothing(tmp_path: Path) -> None:
    looked = recorder(tmp_path, playbook="triage")
    looked.task_ended(task(module="integrity_info", role="triage"))
    # A plan makes no directory, even if a result names the incident.
    planned = recorder(tmp_path, check_mode=True)
    planned.task_ended(task(result=joined()))
    nameless = Recorder(NOW, "preflight", {})
    for _number in range(MOST_WAITING + 2):
        nameless.play_began(NOW, "1")
    assert [made.end(NOW, END) for made in (looked, planned, nameless)] == ["", "", ""]
    assert list(tmp_path.iterdir()) == []
    assert nameless._waiting == []
    # If no ledger answers, what was tried is recorded under the run's own name once its play has ended.
    tried = recorder(tmp_path)
    tried.task_ended(task(unreachable=True))
    tried.play_began(NOW + 2, "2. Stopped")
    assert tried.path == tmp_path / "INC-1/journal-run-1.jsonl"
    # Two runs of one id never overwrite each other, or what is there already.
    other = recorder(tmp_path, given=True)
    assert (other.end(NOW, END), tried.end(NOW, END)) == ("", "")
    assert other.path == tmp_path / "INC-1/journal-run-1-2.jsonl"
    assert incident_folder("..") not in ("..", ".")


def test_what_is_ranked_is_of_the_incident_that_the_kill_joins(tmp_path: Path) -> None:
    """The ranking asks no ledger which incident it belongs to, and other plays come between it and the kill."""
    ranked = task(module="affected_tenants_info", role="selective")
    made = recorder(tmp_path, playbook="scenario2")
    made.task_ended(ranked)
    made.play_began(NOW + 2, "2. Decide")
    assert list(tmp_path.iterdir()) == []
    made.task_ended(task(result=joined("INC-OPEN")))
    assert made.path == tmp_path / "INC-OPEN/journal-run-1.jsonl"
    # If nothing came of it, it is recorded under the run's own name; a look of triage is not recorded.
    asked, looked = recorder(tmp_path, playbook="scenario2"), recorder(tmp_path, playbook="triage")
    for one in (asked, looked):
        one.task_ended(ranked)
        one.play_began(NOW + 2, "2. Decide")
    assert [one.end(NOW + 9, END) for one in (made, asked, looked)] == ["", "", ""]
    assert (asked.path, looked.path) == (tmp_path / "INC-1/journal-run-1.jsonl", None)


def test_a_change_anywhere_is_told_and_a_cut_is_told_from_it(tmp_path: Path) -> None:
    whole = lines(recorded(tmp_path))
    reading = read_journal(whole)
    assert (reading.holds, reading.ended, reading.cut, reading.lines) == (True, True, False, len(whole))
    for place in range(len(whole)):
        changed = [*whole]
        changed[place] = changed[place].replace(b"2027", b"2026", 1)
        assert read_journal(changed).broken_at == f"run-1/{place + 1}: changed"
        if place < len(whole) - 1:
            less = [*whole[:place], *whole[place + 1 :]]
            assert read_journal(less).broken_at == f"run-1/{place + 1}: missing"
    cut = read_journal([*whole[:-1], whole[-1][:-9]])
    assert (cut.holds, cut.cut, cut.ended, cut.lines) == (True, True, False, len(whole) - 1)
    # In the middle, or with an end of line, it is not a cut.
    assert not read_journal([*whole[:2], whole[2][:-9] + b"\n", *whole[3:]]).holds
    assert not read_journal([*whole, b"[]\n"]).holds
    assert not read_journal([whole[0].replace(b'"seq":1', b'"seq":true')]).holds
    assert not read_journal([whole[0][:-2] + b',"more":1}\n']).holds


def test_only_declared_figures_are_kept_and_never_text(tmp_path: Path) -> None:
    result = {
        "total": 5,
        "enabled_after": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",
        "changed_count": True,
        "blocked": [{"tenant": "<script>"}],
        "elapsed_ms": float("nan"),
        "blocked_count": "{{ 7*7 }}",
        "msg": "x",
    }
    assert figures("feature_flag", result) == {"total": 5, "changed_count": True}
    assert figures("write_fence", {"status": "proven"}) == {"status": "proven"}
    assert figures("of_somebody_else", {"total": 5}) == {}
    for module, names in FIGURES.items():
        text = (PLUGINS / "modules" / f"{module}.py").read_text(encoding="utf-8").partition("RETURN = ")[2]
        assert [name for name in names if f"\n{name}:" not in text] == [], module


def test_of_a_failover_figures_and_plain_names_are_kept() -> None:
    failover = {"host": "db1", "forked_at": "0/3000000", "lost_bytes": 256, "lost_priors": None, "known_lsn": "<b>"}
    result = {"position": {"timeline": "00000002", "lsn": "0/30"}, "failover": {**failover, "file": "/var/x"}}
    assert details("feature_flag", result) == {
        "position": {"timeline": "00000002", "lsn": "0/30"},
        "failover": {"host": "db1", "forked_at": "0/3000000", "lost_bytes": 256, "lost_priors": None},
    }
    assert details("feature_flag", {"position": {"timeline": None, "lsn": None}}) == {}


def test_where_evidence_lies_is_kept_only_where_that_is_another_place() -> None:
    assert details("evidence", {"elsewhere": ["/srv/other/t0", "/srv/<b>", 7]}) == {"elsewhere": ["/srv/other/t0"]}
    assert details("evidence", {"elsewhere": [], "path": "/var/lib/x"}) == {}


def test_the_directory_is_read_and_told(tmp_path: Path) -> None:
    one, two = recorded(tmp_path), recorded(tmp_path, "INC-2")
    moved = one.with_name("journal-moved.jsonl")
    moved.write_bytes(two.read_bytes())
    (tmp_path / "INC-1/journal-link.jsonl").symlink_to(one)
    answer = read_journals(str(tmp_path), 60)
    told = {one["path"]: one for one in answer["journals"]}
    assert (told[str(one)]["holds"], told[str(moved)]["broken_at"]) == (True, "run-1/1: of another incident")
    assert len(told) == 3
    assert read_journals(str(tmp_path / "none"), 60)["journals"] == []
    assert {one["unread"] for one in read_journals(str(tmp_path), 0)["journals"]} == {"there was no time left for it"}
    screen = journal_screen(answer, KNOWN, [], False)
    assert screen["amiss"] == [
        f"JOURNAL NOT WHOLE: {moved}: its chain of hashes breaks at run-1/1: of another incident"
    ]
    assert screen["lines"] == ["journals of INC-1 (open): 1 of 2 holds", "journals of INC-2 (closed): 1 of 1 holds"]
    # A ledger that lists only its newest may know it all the same.
    states = [journal_screen(answer, {**KNOWN, "closed": [], "cut": cut}, [], False)["lines"][1] for cut in (0, 1)]
    assert states == [f"journals of INC-2 ({state}): 1 of 1 holds" for state in ("in no ledger", "not listed")]
    later = time.time() + 100 * 86400
    closed = [
        {"incidents": [{"incident_id": name, "closed_at": "2026-01-01T00:00:00Z"} for name in ("INC-1", "INC-2")]}
    ]
    assert journals_over(answer, KNOWN, closed, 90, later) == [str(two)]
    assert journals_over(answer, {**KNOWN, "silent": ["db1"]}, closed, 90, later) == []
    assert journals_over(answer, {**KNOWN, "names": ["INC-1", "INC-2"]}, closed, 90, later) == []
    assert [journals_over(answer, KNOWN, closed, days, later) for days in (0, -1)] == [[], []]
    # They stay however old they are, because no ledger says when the incident was closed.
    assert journals_over(answer, KNOWN, [], 90, later) == []
    assert journal_screen({"msg": "gone"}, KNOWN, [], False)["amiss"] == ["JOURNALS NOT VERIFIED: gone"]


@contextmanager
def small_files() -> Iterator[None]:
    """Let no file grow over 4 KiB, as on a full disk. Not a fixture, because pytest writes its own files in between."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_ends_the_record_with_a_whole_line(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    with small_files():
        for number in range(100):
            made.task_ended(task(f"db{number}", result=joined()))
        said = made.end(NOW, END)
    assert str(tmp_path) in said
    assert made.path
    reading = read_journal(lines(made.path))
    assert (reading.holds, reading.cut, reading.ended) == (True, False, False)
    assert 3 < reading.lines < 20


def test_what_cannot_be_written_is_one_word_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = recorder(tmp_path / "file" / "below")
    nowhere.task_ended(task(result=joined()))
    nowhere.task_ended(task(result=joined()))
    assert "Not a directory" in nowhere.end(NOW, END)
    gone = recorder(tmp_path)
    gone.task_ended(task(result=joined()))
    assert gone.path
    gone.path.unlink()
    gone.path.parent.rmdir()
    gone.task_ended(task(result=joined()))
    assert "removed meanwhile" in gone.end(NOW, END)


def test_ten_thousand_hosts_cost_little_each_and_wait_in_bounds(tmp_path: Path) -> None:
    made = recorder(tmp_path)
    most, began = 0.0, time.perf_counter()
    for number in range(10_000):
        # The ledger is heard late: the first events wait, and are written without it when they are too many.
        at = time.perf_counter()
        made.task_ended(task(f"db{number}", result={"total": number, "changed_count": 1, "elapsed_ms": 12}))
        most = max(most, time.perf_counter() - at)
        assert len(made._waiting) <= MOST_WAITING
    each = (time.perf_counter() - began) / 10_000
    made.end(NOW, END)
    print(f"recorder: {each * 1e6:.0f} us an event, the longest {most * 1e3:.1f} ms")
    assert each < 0.001
    assert made.path
    assert json.loads(lines(made.path)[-1])["seq"] == 10_004
