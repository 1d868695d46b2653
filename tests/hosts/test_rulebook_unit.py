# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""systemd accepts the rulebook's unit as its page has it, and its log is read as that page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.documents.started import note
from tests.hosts.fleet import Fleet
from tests.hosts.host import until

pytest_plugins = ["tests.hosts.plugin"]
PAGE = Path(__file__).parents[2] / "docs/alerts.md"
UNIT, SECRETS = "/etc/systemd/system/kanban-rulebook.service", "/etc/kanban-rulebook.env"
CLEAR = f"systemctl stop kanban-rulebook; rm -f {UNIT} {SECRETS}; systemctl daemon-reload; systemctl reset-failed"


def test_the_unit_of_the_rulebook_is_taken_and_its_log_read(fleet: Fleet) -> None:
    page, host = PAGE.read_text(), fleet["app1"]
    (unit,) = re.findall(rf"```ini\n(# {UNIT}\n\[Unit\]\n.*?)```", page, re.DOTALL)
    (line,) = re.findall(r"`(journalctl [^`]*)`", page)
    program = re.findall(r"^ExecStart=(\S+)", unit, re.MULTILINE)[0]
    try:
        host.run(["useradd", "--system", "kanban"])
        host.run(["sh", "-c", f"umask 077; cat > {SECRETS}"], stdin="KANBAN_ALERTS_TOKEN=of-this-test-alone\n")
        host.run(["sh", "-c", f"cat > {UNIT}"], stdin=unit)
        # The only complaint is that the program is not installed there.
        verified = host.run(["systemd-analyze", "verify", UNIT], check=False)
        complaints = [said for said in (verified.stdout + verified.stderr).splitlines() if said.strip()]
        assert len(complaints) == 1
        assert f"Command {program} is not executable" in complaints[0]
        host.run(["systemctl", "daemon-reload"])
        host.run(["systemctl", "start", "kanban-rulebook"], check=False)
        argv = shlex.split(line)
        note(argv, PAGE.parent)
        # systemd's own line: the line of the process that found no program has no unit if it ended too soon.
        until(lambda: "status=203/EXEC" in host.run(argv).stdout, "its log to tell why", timeout=15)
        # systemd restarts it for as long as it takes.
        assert host.run(["systemctl", "show", "-P", "Restart", "kanban-rulebook"]).stdout.strip() == "always"
    finally:
        host.run(["sh", "-c", f"{CLEAR}; userdel kanban"], check=False)
