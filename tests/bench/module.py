# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module as Ansible does on a host: in its own process, with JSON options on standard input and JSON back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .entry import CHECKOUT, CannotMeasure

_WITH_PEAK = Path(__file__).with_name("with_peak.py")
_PACKAGE = "ansible_collections.chatia.kanban_rollback.plugins.modules"


@dataclass(frozen=True)
class Finished:
    """A module that has ended. ``started``: of ``time.monotonic``; ``peak_mb``: its greatest resident set."""

    result: Mapping[str, Any]
    started: float
    seconds: float
    peak_mb: float


def run_module(name: str, options: Mapping[str, Any], *, timeout: float = 600, may_fail: bool = False) -> Finished:
    """Run a module; raises CannotMeasure when it fails (unless ``may_fail``), prints no JSON or takes too long."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / ".ansible" / "collections")}
    with tempfile.TemporaryFile() as peak:
        started = time.monotonic()
        try:
            done = subprocess.run(
                [sys.executable, str(_WITH_PEAK), str(peak.fileno()), f"{_PACKAGE}.{name}"],
                input=json.dumps({"ANSIBLE_MODULE_ARGS": dict(options)}),
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
                env=environment,
                pass_fds=[peak.fileno()],
            )
        except subprocess.TimeoutExpired as error:
            raise CannotMeasure(f"{name} was not done after {timeout:g} s and was ended") from error
        seconds = time.monotonic() - started
        peak.seek(0)
        kilobytes = peak.read()
    try:
        result = json.loads(done.stdout)
        peak_mb = int(kilobytes) * 1024 / 1e6
    except ValueError:
        said = (done.stdout + done.stderr)[-1000:]
        raise CannotMeasure(f"{name} ended with {done.returncode}: {said}") from None
    if result.get("failed") and not may_fail:
        raise CannotMeasure(f"{name} failed: {result.get('msg')}")
    return Finished(result, started, seconds, peak_mb)
