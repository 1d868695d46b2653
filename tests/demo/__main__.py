# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.demo up [stop|corruption]` and `down`, from the root of the checkout."""

from __future__ import annotations

import argparse
import sys

from tools.gates import heed_signals

from . import place


def main() -> int:
    """Run one command; 0 done, 1 failed (or the playbook's own status), 130 interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up", help="start servers, fill them and show a story on them")
    start.add_argument(
        "story",
        nargs="?",
        choices=("stop", "corruption"),
        default="stop",
        help="stop (the default), or corruption: stop, repair the data, undo the repair",
    )
    start.add_argument("--tenants", type=_positive, default=10_000)
    start.add_argument("--tickets", type=_positive, default=200_000)
    commands.add_parser("down", help="remove every process and file of the demonstration")
    arguments = parser.parse_args()

    heed_signals()
    try:
        with place.locked():
            return _run(arguments)
    except place.DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted. `make demo-down` removes what is left.", file=sys.stderr)
        return 130


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "down":
        print("The demonstration is down." if place.down() else "There was no demonstration.")
        return 0
    # Drivers are needed from here on; `down` works without them.
    import psycopg2

    from tests.support.server import ServerError

    from . import up

    try:
        return up.up(up.shape(arguments.tenants, arguments.tickets), arguments.story)
    except (ServerError, psycopg2.Error, OSError) as error:
        raise place.DemoError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
