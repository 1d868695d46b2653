# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A primary that loses its power for good in the middle of a run, and its replica that takes over.

The application finds the new primary by itself, and people go on. The estate is made again for the next drill.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

from tests.drills.drill import HASTY, Drill
from tests.hosts.host import until
from tests.playbooks.runner import Running
from tests.staging.settings import DATA

ON = DATA.expected_on()
SAYS = (f"CONTAINED: Kanban V2 is off for all {DATA.tenants} tenants ({ON} were switched off now)",)
KEPT = f"no prior value is missing: the kill had switched off {ON} on db1, and {ON} are recorded here"
# The old primary is gone for good, and the person who types the command knows that by now.
ON_DB2 = {**HASTY, "kanban_db_hosts": "db2"}
_MORE = 5
_SYNCHRONOUS = "ALTER SYSTEM SET synchronous_standby_names = 'db2'; SELECT pg_reload_conf()"
_IS_SYNCHRONOUS = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
_STOP_LISTENING = "ALTER SYSTEM SET primary_conninfo = ''; SELECT pg_reload_conf()"
_LISTENING = "SELECT count(*) FROM pg_stat_wal_receiver"


def make_synchronous(drill: Drill) -> None:
    """Have each commit on db1 wait for db2."""
    db1 = drill.estate.fleet["db1"]
    db1.psql(_SYNCHRONOUS)
    until(lambda: db1.psql(_IS_SYNCHRONOUS) == "1", "the replica to be synchronous", timeout=30)


def cut_replication(drill: Drill) -> None:
    """Stop the replica from receiving anything; the primary is not told and waits for nobody."""
    db2 = drill.estate.fleet["db2"]
    db2.psql(_STOP_LISTENING)
    until(lambda: db2.psql(_LISTENING) == "0", "the replica to stop listening", timeout=30)
    # The replica may or may not have received what was acknowledged a moment ago.
    drill.unheard = (time.time() - 1, float("inf"))


@contextlib.contextmanager
def stopped_at(drill: Drill, running: Running, words: str) -> Iterator[None]:
    """Freeze the controller at these words for as long as the block takes, so that the moment is certain."""
    running.says(words, timeout=200)
    os.kill(running.pid, signal.SIGSTOP)
    try:
        yield
        # An open connection would be waited for until TCP gives up.
        drill.estate.site.disconnect()
    finally:
        os.kill(running.pid, signal.SIGCONT)


def fail_over(drill: Drill) -> None:
    """Pull the primary's power and promote the replica, while people work before and after it."""
    fleet = drill.estate.fleet
    _work(drill)
    drill.ground.give_up()
    drill.messages_wait = True
    fleet["db1"].kill()
    drill.place.primary, drill.place.gone = "db2", frozenset({"db1"})
    if drill.unheard:
        drill.unheard = (drill.unheard[0], time.time())
    assert fleet["db2"].psql("SELECT pg_promote(true, 120)", timeout=130) == "t"
    _work(drill)


def _work(drill: Drill) -> None:
    goal = len(drill.crowd.messages()) + _MORE
    until(lambda: len(drill.crowd.messages()) >= goal, f"{_MORE} more messages", timeout=120)


def ask_old_primary(drill: Drill, sql: str) -> str:
    """Ask the old primary's disk, started alone: no network, no replication."""
    db1 = drill.estate.fleet["db1"]
    db1.start()
    db1.wait_until_ready()
    db1.cut()
    return drill.estate.site.psql("db1", sql)
