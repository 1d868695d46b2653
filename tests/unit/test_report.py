# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reports of an incident: files that people keep, foreign text and timings."""

from __future__ import annotations

import fcntl
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleentry import read_summary
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportitems import ITEMS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportlabels import _TEXTS, LOCALES, Labels
from tests.unit.chronicles import HOSTILE, INCIDENT, OBJECTIVES, Story, eventful, lay_down, repaired, stopped
from tests.unit.reports import message, report


def test_what_a_ledger_told_is_not_written_over_while_it_is_silent(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful())
    ledger = {"host": "db1", "opened_at": "2027-01-15T08:00:00Z", "closed_at": "2027-01-15T09:00:00Z"}
    assert report(tmp_path, ledgers=[ledger])["keep"]
    whole = {path.name: path.read_bytes() for path in place.glob("*.*")}
    told = report(tmp_path, unread_ledgers=["db1: no route"])
    assert {path.name: path.read_bytes() for path in place.glob("*.*")} == whole
    assert (told["changed"], told["keep"]) == (False, [])
    (warning,) = told["warnings"]
    assert warning.startswith("A ledger was not read (db1: no route), so record,")
    # If there is no report yet, a part of one is better than nothing, and is reported as a part.
    (place / "incident.md").unlink()
    told = report(tmp_path, unread_ledgers=["db1: no route"])
    assert (place / "incident.md").exists()
    assert (told["keep"], len(told["warnings"])) == ([], 1)
    assert "tell nothing of what stands there" in told["warnings"][0]


@pytest.mark.parametrize(
    ("locale", "words"),
    [("pt_BR", "Sua cadeia de eventos: NÃO ÍNTEGRO: db1"), ("en", "Its chain of events: DOES NOT HOLD: db1")],
)
def test_a_ledger_whose_events_were_changed_is_named_by_the_page_and_the_result(
    tmp_path: Path, locale: str, words: str
) -> None:
    ledger = {"host": "db1", "opened_at": "2027-01-15T08:00:00Z", "chain_broken_at": ["run-1/2: changed"]}
    changed = [{"host": "db1", "where": ["run-1/2: changed"]}]
    # Also without anything to report on.
    assert report(tmp_path, ledgers=[ledger], locale=locale)["chain_broken_at"] == changed
    place = lay_down(tmp_path, *eventful())
    whole = {**ledger, "host": "db2", "chain_broken_at": []}
    assert report(tmp_path, ledgers=[ledger, whole], locale=locale)["chain_broken_at"] == changed
    assert words in (place / "report.html").read_text(encoding="utf-8")
    assert report(tmp_path, ledgers=[whole], locale=locale)["chain_broken_at"] == []
    assert words not in (place / "report.html").read_text(encoding="utf-8")


def test_what_people_wrote_stays_and_only_what_differs_is_written(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful())
    plan = report(tmp_path, check_mode=True)
    assert plan["changed"]
    assert sorted(path.name for path in place.iterdir()) == [f"journal-{number}.jsonl" for number in range(4)]
    assert report(tmp_path)["changed"]
    assert not report(tmp_path)["changed"]
    assert not report(tmp_path, check_mode=True)["changed"]
    assert {path.stat().st_mode & 0o777 for path in place.glob("*.*") if path.suffix != ".jsonl"} == {0o600}
    written = place / "postmortem.md"
    mine = written.read_text(encoding="utf-8").replace("(a preencher)", "Faltava um índice", 1) + "\nMeu fim\n"
    written.write_text(mine, encoding="utf-8")
    (place / "words.md").write_text("## Root cause\nIt was <b>me</b> & `you`\n")
    assert report(tmp_path)["changed"]
    kept = written.read_text(encoding="utf-8")
    assert "Faltava um índice" in kept
    assert kept.endswith("\nMeu fim\n")
    assert "> It was &lt;b>me&lt;/b> &amp; `you`" in kept
    assert (place / "words.md").read_text() == "## Root cause\nIt was <b>me</b> & `you`\n"
    # Markers that somebody broke: their file is left alone, ours is written beside it, and that is reported.
    written.write_text(kept.replace("<!-- kanban:end head -->", ""), encoding="utf-8")
    broken = written.read_bytes()
    told = report(tmp_path)
    assert written.read_bytes() == broken
    assert "Causa raiz" in (place / "postmortem.new.md").read_text(encoding="utf-8")
    assert "postmortem.new.md" in told["warnings"][0]
    # No text at all, a link elsewhere, a directory in the way: these are reported, and the others are written.
    written.write_bytes(b"\xff\xfe")
    (place / "timings.json").unlink()
    (place / "timings.json").mkdir()
    (place / "report.html").unlink()
    (tmp_path / "elsewhere").write_text("theirs")
    (place / "report.html").symlink_to(tmp_path / "elsewhere")
    told = report(tmp_path)
    assert len(told["warnings"]) == 2
    assert (tmp_path / "elsewhere").read_text() == "theirs"
    assert not (place / "report.html").is_symlink()
    assert not list(place.glob(".*.tmp"))


def test_nothing_foreign_is_markup(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful(operator=HOSTILE, host=HOSTILE))
    message(place, HOSTILE[:40].replace("/", "-"), HOSTILE)
    (place / "words.md").write_text(f"## Root cause\n{HOSTILE}\n<!-- kanban:end cause -->\n")
    report(tmp_path, contacts=[{"role": HOSTILE}], dashboard_url=HOSTILE)
    for name in ("incident.md", "postmortem.md", "checklists.md"):
        text = (place / name).read_text(encoding="utf-8")
        # What looks like an element is in code, or is not one.
        for line in text.splitlines():
            assert "<script" not in re.sub(r"(`+).+?\1", "", line), (name, line[:200])
            assert len(line) < 12_000
        assert "\u202e" not in text
        assert text.count("<!-- kanban:begin") == text.count("<!-- kanban:end")
    assert not report(tmp_path, contacts=[{"role": HOSTILE}], dashboard_url=HOSTILE)["changed"]
    page = (place / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert page.count("{{ 7*7 }}") > 3


def test_two_at_once_never_leave_half_a_file(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful())
    report(tmp_path)
    with (place / ".report.lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BadInput) as error:
            report(tmp_path, deadline=0.5)
        assert error.value.code == "busy"
        # A plan waits for nobody.
        assert not report(tmp_path, check_mode=True)["changed"]
    assert not report(tmp_path)["changed"]


def test_a_bar_is_as_long_as_its_work_and_has_a_gap_where_a_phase_is_looked_at_again(tmp_path: Path) -> None:
    stop = Story("scenario3").play(0, "1. Contain").task(3, "feature_flag", {"enabled_after": 0}, took=2.0)
    stop.play(10, "5. Assess").task(60, "ansible.builtin.include_role", role="", took=50.0)
    stop.task(61, "notify", role="communicate")
    stop.play(88, "9. Does it still hold").task(91, "feature_flag_info", {"enabled": 0})
    place = lay_down(tmp_path, stop.end(100, "contained"))
    report(tmp_path, locale="en")
    page = (place / "report.html").read_text(encoding="utf-8")
    assert "contain · db1 · 3.0 s" in page, re.findall("contain · [^<]+", page)
    drawn = page[page.index("<svg") : page.index("</svg>")]
    assert (drawn.count('class="track"'), drawn.count('height="10"')) == (1, 3)


def test_timings_name_nobody(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful(operator="Ana Maria", host="db-of-ana"))
    report(tmp_path)
    text = (place / "timings.json").read_text()
    assert "Ana" not in text
    assert "ana" not in text.replace("kanban", "")
    told = json.loads(text)
    assert told["seconds"] == {"disable": 3.4, "verify": 608.6, "total": 1505.0}
    assert (told["steps"]["dump"], told["steps"]["repair"]) == (31.0, 3.0)
    assert (told["green"], told["rehearsal"], told["hosts"], told["companies"]) == (True, False, 2, 240)


def test_without_a_journal_there_is_no_report(tmp_path: Path) -> None:
    (tmp_path / INCIDENT).mkdir()
    nothing: dict[str, Any] = {"files": [], "undecided": [], "keep": [], "chain_broken_at": [], "warnings": []}
    assert report(tmp_path) == {"changed": False, "found": False, **nothing}
    assert not list((tmp_path / INCIDENT).iterdir())


def test_a_moment_that_cannot_be_read_is_told_and_how_one_is_written(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful())
    for text, unread in (("03:04, by support", ["2026-12-01 03:04 -03:00"]), ("2027-01-15 07:50Z", []), ("", [])):
        (place / "words.md").write_text(f"## Detected at\n{text}\n")
        assert report(tmp_path, locale="en")["unread"] == unread
        for name in ("incident.md", "report.html"):
            assert ("When it was detected could not be read in" in (place / name).read_text()) is bool(unread)
            written = (place / name).read_text()
            assert ("Detected, as words.md has it" in written) is (text.startswith("2027"))
        told = read_summary(str(tmp_path), INCIDENT, OBJECTIVES, 30)["summary"]["notes"]
        assert [note["what"] for note in told if note["what"] == "detected_unread"] == ["detected_unread"] * bool(
            unread
        )


def test_fewer_journals_never_write_over_what_more_of_them_told(tmp_path: Path) -> None:
    place = lay_down(tmp_path, *eventful())
    report(tmp_path)
    before = {path.name: path.read_bytes() for path in place.glob("*.*")}
    (place / "journal-1.jsonl").rename(tmp_path / "away")
    for check_mode in (True, False):
        told = report(tmp_path, check_mode)
        assert (told["changed"], told["files"]) == (False, [])
        assert "Only 3 of the 4 runs that timings.json tells of" in told["warnings"][0]
    assert {**before, **{path.name: path.read_bytes() for path in place.glob("*.*")}} == before
    (tmp_path / "away").rename(place / "journal-1.jsonl")
    assert not report(tmp_path)["warnings"]
    # More runs are news.
    (place / "journal-4.jsonl").write_bytes(
        b"".join(stopped(began=99_000, run_id="run-9").end(99_009, "contained").lines)
    )
    assert report(tmp_path)["changed"]


def test_a_run_that_was_cut_is_reported_up_to_there(tmp_path: Path) -> None:
    story = Story("scenario3").play(0, "1. Contain").task(1, "feature_flag", {"total": 5, "changed_count": 5})
    place = lay_down(tmp_path, story)
    file = place / "journal-0.jsonl"
    file.write_bytes(file.read_bytes()[:-9])
    told = report(tmp_path, locale="en")
    assert told["state"] == "open"
    assert "is cut in its last line" in (place / "incident.md").read_text()


def test_both_languages_have_every_text_and_one_that_lacks_is_said() -> None:
    for name, texts in {**_TEXTS, **ITEMS}.items():
        assert len(texts) == len(LOCALES), name
        assert len({frozenset(re.findall(r"{(\w+)}", text)) for text in texts}) == 1, name
    label = Labels("fr")
    assert (label("yes"), label.missing) == ("yes", {"fr"})
    assert Labels("pt_BR").count(1234.5) == "1.234,5"
    assert Labels("pt_BR").count(None) == "não medido"
    assert Labels("en")("nothing of ours") == "nothing of ours"


def test_no_temporary_file_is_left_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = lay_down(tmp_path, *eventful())

    def full(*_given: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    told = report(tmp_path)
    assert [one for one in told["files"] if one["changed"]] == [told["files"][0]]
    assert "No space left on device" in told["warnings"][0]
    assert not list(place.glob(".*.tmp"))


def test_evidence_that_lies_elsewhere_is_told_with_its_place(tmp_path: Path) -> None:
    story = stopped().task(9, "evidence", {"complete": True}, {"elsewhere": ["/srv/other/t0"]}, role="preserve")
    place = lay_down(tmp_path, story.end(12, "contained"))
    report(tmp_path, locale="en")
    assert "Evidence: `/srv/other/t0` on `db1`, for its directory" in (place / "incident.md").read_text()
    assert "/srv/other/t0 on db1, for its directory" in (place / "report.html").read_text()


def rows_of_timeline(place: Path, name: str = "incident.md") -> list[str]:
    text = (place / name).read_text(encoding="utf-8")
    lines = text.partition("kanban:begin timeline")[2].partition("kanban:end timeline")[0].splitlines()
    # The head and the line below it are not rows.
    return [line for line in lines if line.startswith("|")][2:]


def test_each_line_of_a_timeline_over_several_days_has_its_day(tmp_path: Path) -> None:
    place = lay_down(tmp_path, stopped().end(12, "contained"))
    report(tmp_path)
    assert {len(row.split("|")[1].strip()) for row in rows_of_timeline(place)} == {len("08:00:01")}
    lay_down(tmp_path, stopped().end(12, "contained"), repaired(86_400))
    report(tmp_path)
    for name in ("incident.md", "postmortem.md"):
        days = [row.split("|")[1].split()[0] for row in rows_of_timeline(place, name)]
        assert (days[0], days[-1], sorted(days)) == ("2027-01-15", "2027-01-16", days)


def test_hosts_that_nobody_asked_are_not_called_silent(tmp_path: Path) -> None:
    looked = Story("scenario2").task(1, "affected_tenants_info", {"total": 400, "on_count": 120}, {"database": "7/1"})
    silent = Story("scenario3").task(1, "feature_flag", failed=True, unreachable=True)
    for story, is_said in ((looked, False), (silent, True)):
        place = lay_down(tmp_path / str(is_said), story.end(3, "contained"))
        report(tmp_path / str(is_said), locale="en")
        assert ("Not every host answered." in (place / "postmortem.md").read_text(encoding="utf-8")) is is_said
