"""Ask whether the packages installed here have known vulnerabilities: `python -m tools.audit`.

pip-audit asks OSV, whose records cover packages of Python and Ansible. It asks for all packages of the environment and
their dependencies: that is what lints, tests and runs the playbooks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

# A private OSV, for use where OSV itself cannot be reached.
URL = os.environ.get("KANBAN_OSV_URL", "https://api.osv.dev/v1/query")
# One request for each package.
SECONDS = 300
# By the name of a vulnerability: why it does not affect this project.
ACCEPTED: Mapping[str, str] = {}


def read(text: str) -> list[str] | None:
    """Return a line for each vulnerability in pip-audit's JSON; None if not every package was asked for."""
    try:
        packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return None
    if not packages or any("skip_reason" in package for package in packages):
        return None
    return [
        f"{package['name']} {package['version']}: {found['id']}, "
        f"mended in {' or '.join(found['fix_versions']) or 'no version yet'}"
        for package in packages
        for found in package["vulns"]
        if found["id"] not in ACCEPTED
    ]


def audit(url: str = URL) -> list[str]:
    """Return the known vulnerabilities of the packages installed here.

    If nobody could be asked, that is printed and is not a complaint: lint has to work without a network.
    """
    argv = [sys.executable, "-m", "pip_audit", "--local", "--format", "json", "--progress-spinner", "off"]
    argv += ["--timeout", "10", "--vulnerability-service", "osv", "--osv-url", url]
    try:
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=SECONDS)  # noqa: S603
    except subprocess.TimeoutExpired:
        print(f"NOT AUDITED: {url} did not answer for every package within {SECONDS} s")
        return []
    found = read(done.stdout)
    if found is None:
        why = (done.stderr.strip() or done.stdout.strip() or "no reason given").splitlines()
        print(f"NOT AUDITED: {url} could not be asked: {why[len(why) - 1]}")
        return []
    return found


if __name__ == "__main__":
    complaints = audit()
    print("\n".join(complaints) or "nothing to say")
    sys.exit(1 if complaints else 0)
