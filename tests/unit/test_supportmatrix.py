"""The table of docs/support.md: new lines replace their older ones, and all others stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.matrix import __main__ as matrix
from tools.matrix.cells import Cell, Ready
from tools.matrix.table import BEGIN, END, Line, cell_of, merged

ALL = [Line("a", "PostgreSQL 13"), Line("b", "Redis 8"), Line("c", "Python 3.14")]
PLAYED = Line("b", "Redis 8", "Redis 8.0.2", "redis", "2026-11-27", (12, 1, 2), 34)
EMPTY = f"# Support\n\n{BEGIN}\n{END}\n\nWhat is not tested.\n"


def lines(document: str) -> dict[str, str]:
    return {cell_of(line): line for line in document.splitlines() if cell_of(line)}


def test_a_line_has_what_was_found_and_what_came_of_it() -> None:
    assert PLAYED.text() == "| `b` | Redis 8 | Redis 8.0.2 | redis | 2026-11-27 | 12 | 1 | 2 | 34 |"
    none = Line("c", "Python 3.14", "not installable here: no | such", "playbooks", "2026-11-27")
    assert none.text() == "| `c` | Python 3.14 | not installable here: no / such | playbooks | 2026-11-27 |  |  |  |  |"


def test_what_was_not_played_says_so_and_what_was_played_before_keeps_its_date() -> None:
    first = merged(EMPTY, {"b": PLAYED}, ALL)
    assert list(lines(first)) == ["a", "b", "c"]
    assert lines(first)["b"] == PLAYED.text()
    assert "| not run |" in lines(first)["a"]
    later = Line("a", "PostgreSQL 13", "PostgreSQL 13.23", "database", "2026-12-01", (5, 0, 0), 6)
    second = merged(first, {"a": later}, ALL)
    assert lines(second) == {**lines(first), "a": later.text()}
    assert merged(second, {}, ALL) == second
    renamed = [*ALL[:2], Line("c", "Python 3.15")]
    assert lines(merged(second, {}, renamed)) == {**lines(second), "c": renamed[2].text()}


def test_what_stands_around_the_table_stays_and_a_cell_that_is_gone_goes() -> None:
    document = merged(merged(EMPTY, {"b": PLAYED}, ALL), {}, ALL[2:])
    assert list(lines(document)) == ["c"]
    assert document.startswith("# Support\n\n")
    assert document.endswith(f"{END}\n\nWhat is not tested.\n")


@pytest.mark.parametrize("document", ["", EMPTY + EMPTY, EMPTY.replace(END, "")])
def test_a_document_without_a_place_for_it_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="each once"):
        merged(document, {}, ALL)


def test_sanity_that_is_killed_is_not_counted_by_what_an_earlier_run_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(matrix, "JUNIT", tmp_path)
    monkeypatch.setattr(matrix, "_ask", lambda *_given: "ansible-core 2.21.5")
    monkeypatch.setattr(matrix, "run", lambda *_given, **_named: "not finished after 1800 s")
    (tmp_path / "sanity.xml").write_text("<testsuite><testcase/><testcase/></testsuite>")
    cell = Cell("s", "ansible-core 2.21", "sanity", "ansible", Ready)
    for _try in range(2):
        assert matrix.play(cell).counts == (0, 1, 0)
