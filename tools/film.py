"""Film the stop of the demonstration for README: `python -m tools.film` writes `docs/stop.cast` and `docs/stop.svg`.

The run is real: asciinema records it in a terminal of its own, and termtosvg draws the recording, with CSS alone. Two
things are done to it. A copy of the checkout in a neutral directory runs it under another name, so the film has no path
and no account of this machine. It begins when the servers are filled; from there on nothing is cut and no time changed.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tools.gates import ROOT
from tools.tree import files

# Used only if it was just made: mkdir refuses whatever has that name already.
COPY = Path("/var/tmp/kanban_rollback")  # noqa: S108 # nosec B108
TOOLS = ROOT / ".venv-film" / "bin"
CAST, FILM = ROOT / "docs" / "stop.cast", ROOT / "docs" / "stop.svg"
COMMAND = ".venv-demo/bin/python -m tests.demo up"
# What the demonstration prints when its servers are filled.
BEGINS = "BEFORE"
MAX_SECONDS = 60
MAX_BYTES = 200_000
# Shorter frames cannot be read, and each one makes the file larger.
FRAME_MS = 150
LAST_FRAME_MS = 6000


def from_where_it_begins(cast: str) -> str:
    """Return a recording from the event on that has ``BEGINS``, with its clock from there; the whole if none has."""
    header, *lines = cast.splitlines()
    events = [json.loads(line) for line in lines]
    first = next((number for number, event in enumerate(events) if BEGINS in event[2]), 0)
    kept = [[round(moment - events[first][0], 3), kind, text] for moment, kind, text in events[first:]]
    return "\n".join([header, *map(json.dumps, kept)]) + "\n"


def complaints(cast: str, names: Iterable[str]) -> list[str]:
    """Return what keeps a recording from being published: it is too long, or has a name of this machine."""
    events = [json.loads(line) for line in cast.splitlines()[1:]]
    text = "".join(event[2] for event in events)
    found = [f"it names {name}" for name in names if name and name in cast + text]
    if not events or events[-1][0] > MAX_SECONDS:
        found.append(f"it takes {events[-1][0] if events else 0:.0f} s, of {MAX_SECONDS} at most")
    return found


def of_this_machine() -> set[str]:
    """Return what must not be in a film: where this checkout and the home are, and the machine's name."""
    return {str(ROOT), str(ROOT.parent), str(Path.home()) + "/", socket.gethostname()} - {"/", "//", "localhost"}


def _run(*argv: str | Path, cwd: Path = COPY, env: dict[str, str] | None = None) -> None:
    # Nothing is asked: without input, no key ends up in the recording.
    subprocess.run(argv, cwd=cwd, env=env, check=True, stdin=subprocess.DEVNULL, timeout=1500)  # noqa: S603


def _environment() -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(COPY),
        "ASCIINEMA_CONFIG_HOME": str(COPY / ".cache" / "asciinema"),
        "LOGNAME": "ana",
        "LC_ALL": "C.UTF-8",
        "SHELL": "/bin/sh",
        "TERM": "xterm-256color",
        "TZ": "UTC",
    }


def record() -> None:
    """Make the copy with its environment, record the command there, and remove everything of it."""
    COPY.mkdir(mode=0o755)
    try:
        for name in files():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name, follow_symlinks=False)
        _run("make", "--silent", "venv-demo")
        size = ("--cols", "100", "--rows", "30")
        _run(TOOLS / "asciinema", "rec", "-q", "--overwrite", *size, "-c", COMMAND, CAST, env=_environment())
    finally:
        _run("make", "--silent", "demo-down")
        shutil.rmtree(COPY)


def main() -> int:
    """Record, check and draw; return an exit status."""
    record()
    CAST.write_text(from_where_it_begins(CAST.read_text(encoding="utf-8")), encoding="utf-8")
    wrong = complaints(CAST.read_text(encoding="utf-8"), of_this_machine())
    if not wrong:
        draws = ("render", CAST, FILM, "-m", str(FRAME_MS), "-D", str(LAST_FRAME_MS))
        _run(TOOLS / "termtosvg", *draws, cwd=ROOT)
        if (size := FILM.stat().st_size) > MAX_BYTES:
            wrong.append(f"it has {size:,} bytes, of {MAX_BYTES:,} at most")
    print("\n".join(f"film: not fit to be published: {text}" for text in wrong) or f"film: {FILM}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
