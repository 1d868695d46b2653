"""The table of several rounds of drills."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools import lanes, rounds
from tools.rounds import Played, Round, beyond, held, read, skipped, table

JUNIT = """<testsuites><testsuite>
<testcase classname="tests.drills.test_row" name="test_held" time="40.4"/>
<testcase classname="tests.drills.test_redis" name="test_killed" time="50"><failure message="on again"/></testcase>
<testcase classname="tests.drills.test_left" name="test_left" time="30"/>
<testcase classname="tests.drills.test_left" name="test_left" time="2"><error message="a lock"/></testcase>
<testcase classname="tests.drills.test_app" name="test_app" time="0"><skipped type="pytest.skip"
message="the hosts need root">tests/hosts/plugin.py:26: the hosts need root</skipped></testcase>
</testsuite></testsuites>"""
ROW: Round = {"row": Played("passed", 40.4)}
NO_ROOT = Played("skipped", 0.0, "the hosts need root")


def test_what_became_of_each_drill_is_read(tmp_path: Path) -> None:
    (tmp_path / "drills-1.xml").write_text(JUNIT)
    assert read(tmp_path / "drills-1.xml") == {
        "drills.test_row::test_held": Played("passed", 40.4),
        "drills.test_redis::test_killed": Played("FAILED", 50.0),
        "drills.test_left::test_left": Played("FAILED", 32.0),
        "drills.test_app::test_app": NO_ROOT,
    }
    (tmp_path / "drills-2.xml").write_text(JUNIT[:100])
    assert read(tmp_path / "drills-2.xml") == read(tmp_path / "drills-3.xml") == {}


def test_what_passed_only_because_the_machine_was_loaded_is_said(tmp_path: Path) -> None:
    slow = "off after 23.1 s, 20 s where nothing else loads the machine"
    properties = f'<properties><property name="off" value="3 s"/><property name="beyond" value="{slow}"/></properties>'
    case = f'<testcase classname="tests.drills.test_row" name="test_held" time="9">{properties}</testcase>'
    (tmp_path / "drills-1.xml").write_text(f"<testsuite>{case}</testsuite>")
    played = read(tmp_path / "drills-1.xml")
    assert played == {"drills.test_row::test_held": Played("passed", 9.0, "", slow)}
    assert beyond([ROW, played]) == [
        f"PASSED BY A BOUND THAT GREW WITH THE LOAD, round 2: drills.test_row::test_held: {slow}"
    ]
    assert beyond([{"row": Played("FAILED", 9.0, "", slow)}]) == []


def test_each_drill_has_a_line_and_each_round_a_column() -> None:
    lines = table([ROW, {"row": Played("FAILED", 61.5), "redis": Played("passed", 50.0)}])
    assert [line.split() for line in lines] == [
        ["drill", "round", "1", "round", "2"],
        ["row", "passed", "40", "s", "FAILED", "62", "s"],
        ["redis", "-", "0", "s", "passed", "50", "s"],
        ["passed", "1", "40", "s", "1", "112", "s"],
    ]
    assert len({len(line) for line in lines}) == 1
    # A whole round takes hours.
    assert table([{"row": Played("passed", 14820.0)}])[-1].split() == ["passed", "1", "14820", "s"]


@pytest.mark.parametrize(
    ("second", "holds"),
    [
        (ROW, True),
        ({"row": Played("FAILED", 40.0)}, False),
        ({}, False),
        ({**ROW, "redis": Played("passed", 1.0)}, False),
        ({"row": NO_ROOT}, False),
    ],
)
def test_it_holds_only_when_the_same_drills_passed_in_each_round(second: Round, holds: bool) -> None:
    assert held([ROW, second], ROW) is holds
    # What was to be played and has no result in any round proves nothing either.
    assert held([ROW, ROW], [*ROW, "redis"]) is False


def test_it_does_not_hold_where_each_round_skips_the_same_and_says_why() -> None:
    clock = Played("skipped", 0.0, "libfaketime is not installed (apt-get install libfaketime)")
    each = {**ROW, "redis": NO_ROOT, "clock": clock, "messages": NO_ROOT}
    assert held([each] * 3, each) is False
    assert held([{"redis": NO_ROOT}] * 3, ["redis"]) is False
    assert held([{}] * 3, []) is False
    assert skipped([each] * 3) == [
        "SKIPPED, so it does not hold: the hosts need root: redis, messages",
        "SKIPPED, so it does not hold: libfaketime is not installed (apt-get install libfaketime): clock",
    ]
    assert skipped([ROW] * 3) == []


def test_what_was_played_is_not_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "JUNIT", tmp_path)
    drills = {
        "drills.test_row::test_held": "tests/drills/test_row.py::test_held",
        "drills.test_redis::test_killed": "tests/drills/test_redis.py::test_killed",
        "drills.test_redis::test_frozen[a : b]": "tests/drills/test_redis.py::test_frozen[a : b]",
        "integration.test_grants::test_each": "tests/integration/test_grants.py::test_each",
    }
    parts = ("test_row", "test_redis", "integration")
    assert list(rounds.left(1, drills)) == [f"drills-1-{part}-0.xml" for part in parts]
    # One lane would need hours for all tests of a directory.
    many = [f"tests/integration/test_many.py::test_{number}" for number in range(rounds.TOGETHER + 1)]
    assert rounds.left(1, {one: one for one in many}) == {
        "drills-1-integration-0.xml": many[:-1],
        "drills-1-integration-1.xml": many[-1:],
    }
    assert list(rounds.left(1, {one: one.replace("integration", "drills") for one in many})) == [
        "drills-1-test_many-0.xml"
    ]
    # A lane that was stopped has left no file of its place: the later ones stay, and the last one of a drill counts.
    case = (
        '<testsuite><testcase classname="tests.integration.test_many" name="test_{}" time="1">{}</testcase></testsuite>'
    )
    for place, skips in ((2, "<skipped/>"), (10, "")):
        (tmp_path / f"drills-1-integration-{place}.xml").write_text(case.format("40", skips))
    played = {one.removeprefix("tests/").replace("/", ".").replace(".py", ""): one for one in many}
    assert rounds.left(1, played) == {"drills-1-integration-11.xml": many[:-1]}
    for place in (2, 10):
        (tmp_path / f"drills-1-integration-{place}.xml").unlink()
    # Ended in mid-drill: that one has no name. One that has failed stays failed.
    ended = JUNIT.replace("</testsuite>", '<testcase time="1"/></testsuite>')
    (tmp_path / "drills-1-test_redis-0.xml").write_text(ended)
    assert rounds.left(1, drills) == {
        "drills-1-test_redis-1.xml": ["tests/drills/test_redis.py::test_frozen[a : b]"],
        "drills-1-integration-0.xml": ["tests/integration/test_grants.py::test_each"],
    }
    assert len(rounds.of_round(1)) == 4
    # What was skipped is played once what it needs is there, and what became of it then counts.
    app = {"drills.test_app::test_app": "tests/drills/test_app.py::test_app"}
    assert rounds.left(1, app) == {"drills-1-test_app-0.xml": ["tests/drills/test_app.py::test_app"]}
    passed = '<testsuite><testcase classname="tests.drills.test_app" name="test_app" time="9"/></testsuite>'
    (tmp_path / "drills-1-test_redis-1.xml").write_text(passed)
    assert rounds.of_round(1)["drills.test_app::test_app"] == Played("passed", 9.0)
    assert rounds.of_round(2) == {}


def test_a_drill_is_known_again_by_its_name_in_a_junit_file() -> None:
    asked = "tests/drills/test_controller_killed.py::test_controller_killed[contain : Raise the fence]"
    name = "drills.test_controller_killed::test_controller_killed[contain : Raise the fence]"
    assert rounds.named(f"{asked}\n\n1/61 tests collected (60 deselected) in 0.02s\n") == {name: asked}


def test_what_was_played_of_something_else_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "JUNIT", tmp_path)
    monkeypatch.setattr(rounds, "_PLAYED", tmp_path / "played")
    path = tmp_path / "drills-1-test_a.xml"
    rounds.begin(resume=True, now="this")
    for resume, stays in ((True, True), (False, False)):
        path.write_text(JUNIT)
        rounds.begin(resume, "this")
        assert path.exists() is stays
    path.write_text(JUNIT)
    (tmp_path / "played").write_text("another")
    rounds.begin(resume=True, now="this")
    assert not path.exists()


@pytest.fixture
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One drill that somebody chooses, and what becomes of its checkouts."""
    ended: list[str] = []
    monkeypatch.setattr(sys, "argv", ["rounds", "--faults", "--resume", "--rounds", "2", "-k", "test_row_held"])
    monkeypatch.setattr(rounds, "heed_signals", lambda: None)
    monkeypatch.setattr(rounds, "JUNIT", tmp_path)
    monkeypatch.setattr(rounds, "_PLAYED", tmp_path / "drills-played")
    monkeypatch.setattr(
        rounds,
        "listed",
        lambda _: {"drills.test_row_held::test_row_held": "tests/drills/test_row_held.py::test_row_held"},
    )
    monkeypatch.setattr(lanes, "clear", lambda: ended.append("checkouts"))
    return ended


def test_an_interrupted_round_says_how_to_go_on_and_leaves_no_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chosen: list[str]
) -> None:
    def interrupted(*_: object) -> list[str]:
        chosen.append("drill")
        raise KeyboardInterrupt

    monkeypatch.setattr(lanes, "play", interrupted)
    with pytest.raises(SystemExit, match=r"^interrupted; --resume goes on where this was ended$"):
        rounds.main()
    assert chosen == ["checkouts", "drill", "checkouts"]
    assert (tmp_path / "drills-played").exists()


@pytest.mark.parametrize(("state", "status"), [("", 0), ("<failure/>", 1)], ids=["passed", "failed"])
def test_what_was_not_chosen_this_time_is_not_judged(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chosen: list[str],
    capsys: pytest.CaptureFixture[str],
    state: str,
    status: int,
) -> None:
    case = '<testcase classname="tests.drills.test_row_held" name="test_row_held" time="1">{}</testcase>'

    def played(*_: object) -> list[str]:
        # By an earlier call, in the first round only, another one as well.
        (tmp_path / "drills-1-test_a-0.xml").write_text(JUNIT)
        for number, found in ((1, ""), (2, state)):
            text = f"<testsuite>{case.format(found)}</testsuite>"
            (tmp_path / f"drills-{number}-test_row_held-0.xml").write_text(text)
        return []

    monkeypatch.setattr(lanes, "play", played)
    assert rounds.main() == status
    drills = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("drills.")]
    assert drills == ["drills.test_row_held::test_row_held"]


@pytest.mark.usefixtures("chosen")
@pytest.mark.parametrize(("changed", "stays"), [("", True), (" M roles/contain/tasks/kill.yml\n", False)])
def test_what_is_not_committed_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str, stays: bool
) -> None:
    """Git names what has changed since the commit, and the same file may have been another one then."""

    def of_played(_faults: bool, command: str, *_: str) -> str:
        return changed if command == "status" else "the commit"

    monkeypatch.setattr(rounds, "of_played", of_played)
    monkeypatch.setattr(lanes, "play", lambda *_: [])
    (tmp_path / "drills-played").write_text("the commit")
    path = tmp_path / "drills-1-test_row_held-0.xml"
    path.write_text(JUNIT)
    rounds.main()
    assert path.exists() is stays
    # Nor is what was played then, once the change is taken back.
    changed = ""
    path.write_text(JUNIT)
    rounds.main()
    assert path.exists() is stays
