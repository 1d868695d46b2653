"""Run cells of the support matrix and write their lines into docs/support.md; see tools/matrix/__init__.py."""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import time
from pathlib import Path

from tools.gates import CACHE, JUNIT, ROOT, environment, run
from tools.matrix.cells import CELLS, TESTS, Cell, Ready
from tools.matrix.programs import Unavailable
from tools.matrix.table import Line, merged
from tools.summary import read_junit

DOCUMENT = ROOT / "docs" / "support.md"
# For one cell, in seconds. On two cores that do nothing else the longest takes four minutes.
CELL_SECONDS = 1800
# As in make: a test that fails for lack of a processor is retried once.
_PYTEST = ("-m", "pytest", "-q", "--reruns", "1", "--max-suite-reruns", "3", "-o", "cache_dir=.cache/pytest-matrix")


def _ask(cell: Cell, ready: Ready) -> str:
    """Return the version that is actually there; raises Unavailable with the last line of why there is none."""
    command = [str(ready.python), "-m", "tools.matrix.ask", cell.asks]
    done = subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=environment(ready.environment), capture_output=True, text=True, timeout=120, check=False
    )
    if done.returncode:
        raise Unavailable((done.stderr.strip().splitlines() or ["no word"])[-1])
    return done.stdout.strip()


def _tests(cell: Cell, ready: Ready, junit: Path) -> str:
    """Run a cell's tests; return "" or the complaint."""
    junit.unlink(missing_ok=True)
    arguments = TESTS[cell.tests]
    if cell.tests == "sanity":
        # It writes a file under a name of its own; a killed run writes none, and any file there is from another run.
        own = JUNIT / "sanity.xml"
        own.unlink(missing_ok=True)
        complaint = run([str(ready.python), *arguments], env=ready.environment, timeout=CELL_SECONDS)
        if own.exists():
            own.replace(junit)
        return complaint
    command = [str(ready.python), *_PYTEST, f"--junitxml={junit}", *arguments]
    return run(command, env=ready.environment, timeout=CELL_SECONDS)


def play(cell: Cell) -> Line:
    """Run one cell and return its line."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        ready = cell.make()
        found = _ask(cell, ready)
    except Unavailable as error:
        return Line(cell.name, cell.what, f"not installable here: {error}", cell.tests, today)
    print(f"#### {cell.name}: {found}", flush=True)
    junit = JUNIT / f"matrix-{cell.name}.xml"
    began = time.monotonic()
    complaint = _tests(cell, ready, junit)
    count = read_junit(junit)
    failed = count.failed or int(bool(complaint) or not count.passed)
    print(f"#### {cell.name}: {count.passed} passed, {failed} failed, {count.skipped} skipped  {complaint}", flush=True)
    counts = (count.passed, failed, count.skipped)
    return Line(cell.name, cell.what, found, cell.tests, today, counts, round(time.monotonic() - began))


def main() -> int:
    """Run the named cells, or all; return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m tools.matrix", description="Play cells of the support matrix.")
    parser.add_argument("cells", nargs="*", metavar="cell", help="those to play (all)")
    parser.add_argument("--list", action="store_true", help="name them, and play none")
    options = parser.parse_args()
    unknown = sorted({*options.cells} - {cell.name for cell in CELLS})
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; --list names all")
    chosen = [cell for cell in CELLS if not options.cells or cell.name in options.cells]
    if options.list:
        width = max(len(cell.what) for cell in chosen) + 2
        print(*(f"{cell.name:<18}{cell.what:<{width}}{cell.tests}" for cell in chosen), sep="\n")
        return 0
    # As in make: without byte code, each of thousands of processes would compile its drivers again.
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(CACHE / "byte-code"))
    # Servers that the caller's own variables point to do not belong to the cells.
    for name in [name for name in os.environ if name.startswith("KANBAN_TEST_")]:
        del os.environ[name]
    content = True
    for cell in chosen:
        line = play(cell)
        print(line.text(), flush=True)
        content = content and not (line.counts and line.counts[1])
        # After each cell, so that an interrupted run keeps its results so far.
        order = [Line(one.name, one.what, tests=one.tests) for one in CELLS]
        DOCUMENT.write_text(merged(DOCUMENT.read_text(), {cell.name: line}, order))
    return 0 if content else 1


if __name__ == "__main__":
    sys.exit(main())
