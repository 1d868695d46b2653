"""Run parts of a round of drills side by side, each lane in a checkout of its own.

An estate belongs to a checkout, so the first lane is this one and each further lane a clone of its commit below
`.cache/lanes`, with the same environments.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.gates import CACHE, ROOT, run
from tools.jobs import Ended, Job, Queue

_CLONES = CACHE / "lanes"
# Hosts of two estates that start in the same seconds keep each other from being ready in time.
_STAGGER = 45
# How often it is said where each part is, in seconds.
_HEARTBEAT = 300
_DOWN = [sys.executable, "-m", "tests.drills", "down"]
# Nobody but its lane makes hosts in a clone; in this checkout somebody may be at work with others.
_CLONE_DOWN = ["make", "--silent", "hosts-down"]


def down(where: Path) -> str:
    """Remove the estate of a checkout; return a complaint, or nothing."""
    complaint = run(_DOWN if where == ROOT else _CLONE_DOWN, cwd=where)
    return f"the estate of {where.name} is not down: {complaint}" if complaint else ""


def checkouts(number: int) -> list[Path]:
    """Return this checkout and fresh clones of its commit for the other lanes; `clear` removes them."""
    clear()
    clones = [_CLONES / str(lane) for lane in range(2, number + 1)]
    for clone in clones:
        _call(["git", "clone", "--quiet", "--no-tags", str(ROOT), str(clone)], ROOT)
        for environment in ROOT.glob(".venv*"):
            (clone / environment.name).symlink_to(environment)
        # What decides whether the clone is as committed must not see them.
        with (clone / ".git" / "info" / "exclude").open("a") as exclude:
            exclude.write(".venv*\n")
        _call(["make", "--silent", "link"], clone)
    return [ROOT, *clones]


def clear() -> None:
    """Remove clones, with the estates that a killed call has left in them."""
    for clone in sorted(_CLONES.glob("*")):
        if (clone / ".venv").exists() and (complaint := down(clone)):
            raise SystemExit(f"{complaint}, so its checkout stays")
    shutil.rmtree(_CLONES, ignore_errors=True)


def play(parts: Sequence[Job], where: Sequence[Path]) -> list[str]:
    """Run all parts in these checkouts, the first ones first, and remove the estates; return complaints."""
    complaints: list[str] = []
    if not parts:
        return complaints

    def note(ended: Ended) -> None:
        complaints.extend([f"{ended.name}: {ended.complaint}"] if ended.complaint else [])

    try:
        # The output of a single lane is passed through.
        Queue(where, note, _HEARTBEAT, stagger=_STAGGER, through=len(where) == 1).run(parts)
    finally:
        complaints += [complaint for one in where if (complaint := down(one))]
    return complaints


def _call(argv: Sequence[str], where: Path) -> None:
    complaint = run(argv, cwd=where, timeout=300)
    if complaint:
        raise SystemExit(f"{' '.join(argv)}: {complaint}")
