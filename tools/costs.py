"""What a build costs: `python -m tools.costs` prints the seconds by cause of each stage, and how often each occurs.

Whatever takes time notes it where it is done, as a line in `.cache/costs/<stage>.jsonl`; `make test` names the stage
and removes the lines of the last build. Without a stage nothing is noted.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tools.gates import CACHE

COSTS = CACHE / "costs"
# In the environment of a stage: its name.
STAGE = "KANBAN_STAGE"
# In the order of the table. Modules are counted where tests run them alone, not those of a playbook.
CAUSES = ("playbook", "module", "sql", "database", "server", "hosts", "environment")
# As Ansible prints it, and the live view.
_TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[", re.MULTILINE)
_open = False


def note(cause: str, seconds: float, *, stage: str = "", **counts: float) -> None:
    """Note that something took seconds; `counts` are added up beside it."""
    stage = stage or os.environ.get(STAGE, "")
    if not stage or _open:
        return
    COSTS.mkdir(parents=True, exist_ok=True)
    with (COSTS / f"{stage}.jsonl").open("a", encoding="utf-8") as file:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        entry = {"cause": cause, "test": test, "seconds": round(seconds, 4), "count": 1, **counts}
        file.write(json.dumps(entry) + "\n")


def note_playbooks(output: str, seconds: float) -> None:
    """Note a run of ansible-playbook, or of a program that ran several, by what it printed."""
    note("playbook", seconds, count=max(1, output.count("PLAY RECAP")), tasks=len(_TASK.findall(output)))


@contextlib.contextmanager
def spent(cause: str) -> Iterator[None]:
    """Note how long the block took; what it does itself is part of it and not noted once more."""
    global _open  # noqa: PLW0603 - one process notes one thing at a time
    outer, _open, began = _open, True, time.monotonic()
    try:
        yield
    finally:
        _open = outer
        note(cause, time.monotonic() - began)


def read(path: Path) -> dict[str, dict[str, float]]:
    """Return the sums of a stage's lines: cause to seconds, count and whatever else was counted."""
    sums: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for line in path.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        for name, value in entry.items():
            if name not in ("cause", "test"):
                sums[entry["cause"]][name] += value
    return sums


def main() -> int:
    """Print the table: a line per stage, seconds and count per cause."""
    heads = "".join(f" {cause:>17}" for cause in CAUSES)
    print(f"{'stage':<14} {'tests':>6} {'seconds':>8}{heads}   tasks a run")
    for path in sorted(COSTS.glob("*.jsonl")):
        sums = read(path)
        cells = [f"{sums[cause]['seconds']:8.0f} s {sums[cause]['count']:6.0f}" for cause in CAUSES]
        playbook = sums["playbook"]
        tasks = playbook["tasks"] / playbook["count"] if playbook["count"] else 0
        print(
            f"{path.stem:<14} {sums['stage']['tests']:6.0f} {sums['stage']['seconds']:8.0f}"
            + "".join(f" {cell:>17}" for cell in cells)
            + f"   {tasks:5.0f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
