# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.timed [scenario3] [-n 20] [--record]``, as root, from the root of the checkout.

Prints the plan's table (Record actual timings) of all runs, against the objectives and against the ratios on record.
The exit status is 0 unless a run failed, lacks a figure, or missed its objective, or the p95 is not what it has to
reach. A multiple of the pings is judged only if these are alike. What is slower than on record is reported, but judged
by people, because machines are noisy.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.hosts.engine import what_is_missing
from tests.hosts.files import fleet_id
from tests.hosts.machine import HostsError, locked
from tests.playbooks.runner import CHECKOUT
from tests.rehearsal.estate import Estate, bring_up, find, take_down
from tests.rehearsal.run import MARK, end_what_is_left
from tests.rehearsal.steady import assert_steady
from tests.timed import steps
from tests.timed.cases import Case, cases
from tests.timed.figures import Ratios, complaints, ratios, table, uneven, unjudged
from tests.timed.job import TIMINGS, Jobs
from tests.timed.session import CannotPutBackError, Session, what_is_left
from tools.gates import heed_signals

STATE = TIMINGS / "estate"
BASELINE = Path(__file__).with_name("baseline.json")
# As in tests: hosts, application and people stay for the next session; `make hosts-down` removes them.
_KEEP = os.environ.get("KANBAN_HOSTS_KEEP") == "1"
_PROFILE = yaml.safe_load((CHECKOUT / "roles" / "kanban" / "defaults" / "main.yml").read_text(encoding="utf-8"))
CASES = cases(_PROFILE["kanban_rto_seconds_default"])


def _recorded(playbook: str) -> Ratios:
    found: dict[str, Ratios] = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    return found.get(playbook, {})


def _record(session: Session) -> None:
    kept = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {}
    kept[session.case.playbook] = ratios(session.samples)
    BASELINE.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def told(session: Session, bad: Sequence[str]) -> list[str]:
    """Return the results of a session, for people. ``bad``: what fails it."""
    case, count = session.case, len(session.stops)
    loads = f"load {min(session.loads)} to {max(session.loads)} on {os.cpu_count()} cores" if session.loads else ""
    return [
        f"{case.playbook}: {count} runs under load on hosts over SSH, a ping before or after each; {loads}",
        *table(session.samples, case.goals, _recorded(case.playbook)),
        "",
        f"{'Until the stop, step by step':62}     p50       p95       max",
        *steps.table(session.stops),
        *unjudged(session.samples, case.goals),
        *bad,
    ]


def _estate() -> Estate:
    """Make the estate, or find the one that was kept."""
    if _KEEP:
        with contextlib.suppress(HostsError, FileNotFoundError):
            kept = find(STATE)
            if not what_is_left(kept):
                return kept
    estate = bring_up(STATE)
    print(*assert_steady(estate), sep="\n", file=sys.stderr)
    return estate


def _session(case: Case, runs: int) -> Session:
    try:
        estate = _estate()
        session = Session(Jobs(estate, (MARK, str(STATE))), case)
        try:
            session.measure(runs)
        except (CannotPutBackError, HostsError) as error:
            # What was measured until then is still reported.
            session.problems.append(str(error))
        return session
    finally:
        end_what_is_left(STATE)
        if not _KEEP:
            take_down(STATE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and keep; return 0 if all runs met their objectives and the p95 its goals."""
    parser = argparse.ArgumentParser(prog="python -m tests.timed", description=__doc__)
    parser.add_argument("playbook", nargs="?", default="scenario3", choices=(*CASES,))
    parser.add_argument("-n", "--runs", type=int, default=20, help="how many runs (%(default)s)")
    parser.add_argument("--clear", action="store_true", help="measure nothing: remove what a killed call has left")
    parser.add_argument("--record", action="store_true", help=f"put the ratios on record, in {BASELINE.name}")
    options = parser.parse_args(arguments)
    runs = max(1, options.runs)
    # A person's own Ansible settings must have no effect, and runner passes on whatever is there.
    for name in [name for name in os.environ if name.startswith(("ANSIBLE_", "JOB_ID"))]:
        del os.environ[name]
    heed_signals()
    try:
        if missing := what_is_missing():
            raise HostsError(missing)
        TIMINGS.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(Path("/run") / f"kanban-timed-{fleet_id(STATE)}.lock", timeout=10):
            end_what_is_left(STATE)
            if options.clear:
                take_down(STATE)
                return 0
            session = _session(CASES[options.playbook], runs)
    except HostsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what was begun is taken down", file=sys.stderr)
        return 130
    failed = [f"FAILED: {problem}" for problem in session.problems]
    bad = [*complaints(session.samples, session.case.goals, runs), *failed]
    print(*told(session, bad), "", f"Every figure: {session.keep().relative_to(CHECKOUT)}", sep="\n")
    if options.record:
        if doubt := uneven(session.samples):
            bad.append(doubt)
        if bad:
            print(f"NOT RECORDED: {doubt or 'for what is said above'}")
        else:
            _record(session)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
