# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real pm2 from npm, and its daemons in homes that belong to a test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support import accounts, processes

PM2 = "pm2@7.0.4"
# What an application's environment has, and what must never be shown.
SECRET = "tr0ub4dor-and-3"


def install(place: Path) -> Path:
    """Install pm2 in a directory that every account can reach, and return the program; skips if npm cannot."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, so there is no pm2 to try")
    command = [npm, "install", "--prefix", str(place), "--no-audit", "--no-fund", "--no-save", PM2]
    environment = {**os.environ, "HOME": str(place), "npm_config_cache": str(place / "cache")}
    try:
        done = subprocess.run(command, cwd=place, env=environment, check=False, capture_output=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("pm2 could not be installed within 120 s")
    if done.returncode:
        pytest.skip(f"pm2 could not be installed: {done.stderr.decode(errors='replace')[-200:]}")
    return place / "node_modules/.bin/pm2"


@dataclass
class Daemon:
    """A pm2 daemon of a test's own; the environment of its processes holds a secret."""

    program: Path
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    pids: list[int] = field(default_factory=list)

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run pm2 as the home's owner and return what it printed; it must succeed."""
        environment = accounts.environment(
            {
                "PM2_HOME": str(self.home),
                "HOME": str(self.home),
                "PM2_DISCRETE_MODE": "true",
                "DB_PASSWORD": SECRET,
                **self.environment,
            }
        )
        account = accounts.drop(accounts.unprivileged())
        command = [str(self.program), *arguments]
        done = subprocess.run(
            command, cwd=cwd or self.home, env=environment, check=True, capture_output=True, timeout=60, **account
        )
        self._note()
        return bytes(done.stdout).decode(errors="replace")

    def start(self, script: str, name: str, *arguments: str) -> Path:
        """Start a script under a name; ``arguments`` are pm2's, and the script's after ``--``."""
        path = self.home / f"{name}.js"
        path.write_text(script)
        self.run("start", str(path), "--name", name, *arguments)
        return path

    def start_all(self, options: Mapping[str, Mapping[str, object]] | None = None, /, **scripts: str) -> None:
        """Start several scripts at once, by their names, because each call of pm2 takes its time.

        :param options: pm2's own options for some of them, by their names.
        """
        for name, script in scripts.items():
            (self.home / f"{name}.js").write_text(script)
        given = options or {}
        apps = [{"name": name, "script": str(self.home / f"{name}.js"), **given.get(name, {})} for name in scripts]
        (self.home / "all.json").write_text(json.dumps({"apps": apps}))
        self.run("start", str(self.home / "all.json"))

    def log(self, name: str) -> Path:
        """Return a log file's path, for instance of ``api-error``."""
        return self.home / "logs" / f"{name}.log"

    @property
    def pid(self) -> int:
        """The daemon's process id."""
        return int((self.home / "pm2.pid").read_text())

    def _note(self) -> None:
        if (self.home / "pm2.pid").exists() and self.pid not in self.pids:
            self.pids.append(self.pid)


@contextmanager
def daemon(program: Path, home: Path, environment: Mapping[str, str] | None = None) -> Iterator[Daemon]:
    """Yield a daemon in a home of an unprivileged account; whatever still runs there at the end is ended."""
    accounts.own_directory(home, accounts.unprivileged())
    made = Daemon(program, home, environment or {})
    try:
        yield made
    finally:
        family = [*made.pids, *(child for pid in made.pids for child in processes.descendants(pid))]
        if any(processes.alive(pid) for pid in made.pids):
            made.run("kill")
        processes.end([pid for pid in family if processes.alive(pid)], (), 10)
