"""No Python file over 300 lines: a longer one lacks a wall.

A module's documentation blocks do not count, because users read them as a separate page.
"""

from __future__ import annotations

import ast
from pathlib import Path

from tools.gates import ROOT
from tools.tree import files

LIMIT = 300
DOCUMENTATION = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
WATCHED = {"plugins", "playbooks", "tests", "tools"}


def code_lines(path: Path) -> int:
    """Return how many lines a Python file has besides its DOCUMENTATION, EXAMPLES and RETURN."""
    text = path.read_text(encoding="utf-8")
    count = len(text.splitlines())
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id in DOCUMENTATION for target in node.targets
        ):
            count -= (node.end_lineno or node.lineno) - node.lineno + 1
    return count


def too_long() -> list[str]:
    """Return one complaint per Python file that is over the limit."""
    counts = {name: code_lines(ROOT / name) for name in files() if name.suffix == ".py" and name.parts[0] in WATCHED}
    return [f"{name}: {count} lines, {LIMIT} at most" for name, count in counts.items() if count > LIMIT]
