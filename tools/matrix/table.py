"""The table of docs/support.md: one line for each cell, of which those of this run are new. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BEGIN, END = "<!-- made by make matrix -->", "<!-- end of what make matrix makes -->"
NOT_RUN = "not run"
_HEADING = ("cell", "what varies", "found", "tests", "date", "passed", "failed", "skipped", "seconds")


@dataclass(frozen=True)
class Line:
    """The result of a cell: `found` is what the server or interpreter answered, or why it was not available."""

    cell: str
    what: str
    found: str = NOT_RUN
    tests: str = ""
    date: str = ""
    counts: tuple[int, int, int] | None = None
    seconds: int = 0

    def text(self) -> str:
        """Return the line in Markdown."""
        figures = [*map(str, self.counts), str(self.seconds)] if self.counts else [""] * 4
        texts = (f"`{self.cell}`", self.what, self.found, self.tests, self.date, *figures)
        return f"| {' | '.join(text.replace('|', '/') for text in texts)} |"


def cell_of(line: str) -> str:
    """Return the name of the cell that a line of the table is about; nothing for any other line."""
    parts = line.split("`")
    return parts[1] if line.startswith("| `") and len(parts) > 2 else ""


def merged(document: str, new: Mapping[str, Line], cells: Sequence[Line]) -> str:
    """Return the document with the lines of this run in its table.

    `cells`: all that there are, in order, each with the line that says "not run". Lines of removed cells are dropped.
    Raises ValueError for a document without the two marks.
    """
    if document.count(BEGIN) != 1 or document.count(END) != 1:
        raise ValueError(f"the table goes between {BEGIN} and {END}, each once")
    before, rest = document.split(BEGIN)
    between, after = rest.split(END)
    older = {cell_of(line): line for line in between.splitlines() if NOT_RUN not in line}
    lines = [new[one.cell].text() if one.cell in new else older.get(one.cell, one.text()) for one in cells]
    rule = "|".join(["---"] * 5 + ["--:"] * 4)
    return "\n".join([f"{before}{BEGIN}", f"| {' | '.join(_HEADING)} |", f"|{rule}|", *lines, f"{END}{after}"])
