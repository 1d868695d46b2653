"""What one change needs: `python -m tools.check fence` lints what has changed and plays one capability's tests.

Changed is what git would show: edited, added or not yet tracked, against the commit that `--base` names. The capability
is a word in the names of test files. Pure tests and tests with servers are played side by side.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tools.gates import ROOT, Gate, end, heed_signals, run, start
from tools.lint import PLUGINS

PYTEST = ("-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "-n", "2")


def changed(base: str) -> list[Path]:
    """Return the files that differ from a commit and are still there, relative to the checkout."""
    asked = (["diff", "--name-only", "-z", base], ["ls-files", "-z", "--others", "--exclude-standard"])
    said = [
        subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout  # noqa: S603, S607
        for words in asked
    ]
    return sorted({Path(name) for text in said for name in text.split("\0") if name and (ROOT / name).is_file()})


def lint(files: Sequence[Path]) -> list[Gate]:
    """Return the checks that these files need."""
    python = [str(path) for path in files if path.suffix == ".py"]
    yaml = [str(path) for path in files if path.suffix in (".yml", ".yaml")]
    tasks = [name for name in yaml if name.startswith(("roles/", "playbooks/"))]
    typed = [name.replace("plugins/", f"{PLUGINS}/", 1) if name.startswith("plugins/") else name for name in python]
    found = []
    if python:
        found.append(Gate("ruff check", ["ruff", "check", *python]))
        found.append(Gate("ruff format", ["ruff", "format", "--check", "--diff", *python]))
        found.append(Gate("mypy", ["mypy", *typed]))
    if yaml:
        found.append(Gate("yamllint", ["yamllint", "--strict", *yaml]))
    if tasks:
        found.append(Gate("ansible-lint", ["ansible-lint", "--offline", "--strict", "--profile", "production", *tasks]))
    return found


def tests(capability: str) -> list[list[str]]:
    """Return the commands that play a capability's tests: the pure ones, and those with servers."""
    found = []
    for place, environment in (("tests/unit", ".venv-unit"), ("tests/integration", ".venv")):
        files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / place).rglob(f"test_*{capability}*.py"))
        if files:
            found.append([f"{environment}/bin/python", *PYTEST, *files])
    return found


def main(arguments: Sequence[str]) -> int:
    """Check, and return 0 only if everything is as it should be."""
    parser = argparse.ArgumentParser(prog="python -m tools.check", description="Check one change.")
    parser.add_argument("capability", help="a word in the names of test files: fence, flag, repair")
    parser.add_argument("--base", default="HEAD", help="the commit that the change is counted from (%(default)s)")
    options = parser.parse_args(arguments)
    heed_signals()
    began, commands = time.monotonic(), tests(options.capability)
    if not commands:
        parser.error(f"no test file is named test_*{options.capability}*.py")
    playing = [start(command) for command in commands]
    try:
        complaints = [
            f"{gate.name}: {complaint}"
            for gate in lint(changed(options.base))
            if (complaint := run(gate.argv, timeout=gate.timeout))
        ]
        failed = sum(process.wait(timeout=600) != 0 for process in playing)
    finally:
        end(playing)
    print("\n".join([*complaints, f"{len(complaints) + failed} failed, in {time.monotonic() - began:.0f} s"]))
    return 1 if complaints or failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
