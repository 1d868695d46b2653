# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stages of molecule/ call: ``python -m tests.rehearsal up``, ``steady``, and so on."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys

from tests.hosts.engine import what_is_missing
from tests.hosts.machine import HostsError, locked
from tests.rehearsal import errors, estate, record, steady
from tests.rehearsal.people import WORK
from tests.rehearsal.run import LOCK, MARK


def _alone() -> contextlib.AbstractContextManager[None]:
    """Keep Molecule that somebody called by hand from what `make rehearse` is at work on; its own stages may go on."""
    return contextlib.nullcontext() if MARK in os.environ else locked(LOCK, timeout=5)


def _up(_options: argparse.Namespace) -> list[str]:
    with _alone():
        made = estate.bring_up()
    return [f"{len(made.fleet.hosts)} hosts, {len(made.application.urls)} processes, {len(made.crowds)} crowds at work"]


def _steady(_options: argparse.Namespace) -> list[str]:
    return steady.assert_steady(estate.find())


def _hurts(options: argparse.Namespace) -> list[str]:
    return steady.assert_hurts(estate.find(), options.metric, options.above)


def _errors(options: argparse.Namespace) -> list[str]:
    return errors.log(estate.find(), options.companies)


def _corrupt(_options: argparse.Namespace) -> list[str]:
    return steady.assert_corrupt(estate.find())


def _home(_options: argparse.Namespace) -> list[str]:
    for crowd in estate.find().crowds:
        # Whoever fell silent before would have nothing to miss.
        crowd.expect(*WORK)
        crowd.end()
    return ["everybody has gone home"]


def _plan(_options: argparse.Namespace) -> list[str]:
    return [json.dumps(record.plan(estate.find()))]


def _record(options: argparse.Namespace) -> list[str]:
    return record.keep(estate.find(), options.name)


def _down(_options: argparse.Namespace) -> list[str]:
    with _alone():
        estate.take_down()
    return ["nothing is left"]


def main() -> int:
    """Run one command; return 1 if something is not as it should be, with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.rehearsal", description="The estate of the rehearsals.")
    commands = parser.add_subparsers(required=True)
    for name, action, said in (
        ("up", _up, "make hosts, application and people anew"),
        ("steady", _steady, "wait until all is well, and say the figures"),
        ("corrupt", _corrupt, "wait until something of each kind is corrupt"),
        ("plan", _plan, "print incident and hash of the plan that the last run has left"),
        ("home", _home, "send the people home, so that their accounts can be compared"),
        ("down", _down, "remove every trace"),
    ):
        commands.add_parser(name, help=said).set_defaults(action=action)
    hurts = commands.add_parser("hurts", help="wait until a figure of the application is too high")
    hurts.add_argument("metric")
    hurts.add_argument("above", type=float)
    hurts.set_defaults(action=_hurts)
    logged = commands.add_parser("errors", help="log errors of companies, for each more than for the one before")
    logged.add_argument("companies", type=int, nargs="+")
    logged.set_defaults(action=_errors)
    recorded = commands.add_parser("record", help="keep the plan's table, and print it")
    recorded.add_argument("name")
    recorded.set_defaults(action=_record)
    options = parser.parse_args()
    try:
        if missing := what_is_missing():
            raise HostsError(missing)
        print(*options.action(options), sep="\n")
    except (HostsError, AssertionError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
