"""The table of several rounds of drills."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import rounds
from tools.rounds import Round, held, read, table

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.drills.test_row" name="test_held" time="40.4"/>
<testcase classname="tests.drills.test_redis" name="test_killed" time="50"><failure message="on again"/></testcase>
<testcase classname="tests.drills.test_left" name="test_left" time="30"/>
<testcase classname="tests.drills.test_left" name="test_left" time="2"><error message="a lock"/></testcase>
<testcase classname="tests.drills.test_app" name="test_app" time="0"><skipped/></testcase>
</testsuite></testsuites>"""
ROW: Round = {"row": ("passed", 40.4)}


def test_what_became_of_each_drill_is_read(tmp_path: Path) -> None:
    (tmp_path / "drills-1.xml").write_text(JUNIT)
    assert read(tmp_path / "drills-1.xml") == {
        "drills.test_row::test_held": ("passed", 40.4),
        "drills.test_redis::test_killed": ("FAILED", 50.0),
        "drills.test_left::test_left": ("FAILED", 32.0),
        "drills.test_app::test_app": ("skipped", 0.0),
    }
    (tmp_path / "drills-2.xml").write_text(JUNIT[:100])
    assert read(tmp_path / "drills-2.xml") == read(tmp_path / "drills-3.xml") == {}


def test_each_drill_has_a_line_and_each_round_a_column() -> None:
    lines = table([ROW, {"row": ("FAILED", 61.5), "redis": ("passed", 50.0)}])
    assert [line.split() for line in lines] == [
        ["drill", "round", "1", "round", "2"],
        ["row", "passed", "40", "s", "FAILED", "62", "s"],
        ["redis", "-", "0", "s", "passed", "50", "s"],
        ["passed", "1", "40", "s", "1", "112", "s"],
    ]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("second", "holds"),
    [
        (ROW, True),
        ({"row": ("FAILED", 40.0)}, False),
        ({}, False),
        ({**ROW, "redis": ("passed", 1.0)}, False),
        ({"row": ("skipped", 0.0)}, False),
    ],
)
def test_it_holds_only_when_the_same_drills_passed_in_each_round(second: Round, holds: bool) -> None:
    assert held([ROW, second]) is holds


def test_what_passed_is_not_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "JUNIT", tmp_path)
    whole = '<testsuite><testcase classname="tests.drills.test_a" name="test_a" time="1"/></testsuite>'
    (tmp_path / "drills-1-test_a.xml").write_text(whole)
    (tmp_path / "drills-1-test_b.xml").write_text(JUNIT)
    (tmp_path / "drills-1-test_c.xml").write_text(whole[:-12])
    paths = {name: tmp_path / f"drills-1-test_{name}.xml" for name in "abcd"}
    assert [name for name, _path in rounds.left(paths)] == ["b", "c", "d"]
    assert list(rounds.of_round(1)) == ["drills.test_a::test_a", *read(tmp_path / "drills-1-test_b.xml")]
    assert rounds.of_round(2) == {}


def test_what_was_played_on_another_commit_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "JUNIT", tmp_path)
    monkeypatch.setattr(rounds, "_COMMIT", tmp_path / "commit")
    path = tmp_path / "drills-1-test_a.xml"
    rounds.begin(resume=True)
    for resume, stays in ((True, True), (False, False)):
        path.write_text(JUNIT)
        rounds.begin(resume)
        assert path.exists() is stays
    path.write_text(JUNIT)
    (tmp_path / "commit").write_text("another")
    rounds.begin(resume=True)
    assert not path.exists()
