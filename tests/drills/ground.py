# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all drills of a session are played on: one estate, restored to health between drills or made again."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.drills.leftovers import FIND, OURS
from tests.hosts.fleet import leftovers as hosts_of
from tests.hosts.host import Host, until
from tests.hosts.machine import HostsError
from tests.playbooks.place import BLOCK, IS_ON, KEPT, LAID_DOWN
from tests.rehearsal import estate as estates
from tests.rehearsal.estate import CHECKOUT, SETTINGS, Estate
from tests.rehearsal.steady import corruption, sentinel
from tests.staging.local import ask
from tests.staging.settings import DATA

STATE = CHECKOUT / ".cache" / "drills"
KEEP = os.environ.get("KANBAN_HOSTS_KEEP") == "1"
_HEALTHY_SECONDS = 40
_BEFORE = "before.json"
_KEYED = """SELECT jsonb_object_agg(id, settings) FROM "Companies" """
# Sessions first, because they hold the locks that the rest needs. The application works meanwhile.
_ENDED = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OURS} OR application_name = 'drill'"
_FORGET = """
SET lock_timeout = '10s';
DROP SCHEMA IF EXISTS kanban_rollback CASCADE;
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'kanban_rollback') THEN
    DROP OWNED BY kanban_rollback CASCADE; DROP ROLE kanban_rollback;
  END IF;
END $$;
UPDATE "Companies" AS c SET settings = was.value FROM
  (SELECT key::int AS id, NULLIF(value, 'null') AS value FROM jsonb_each($settings${settings}$settings$)) AS was
  WHERE c.id = was.id AND c.settings IS DISTINCT FROM was.value;
"""
_CAUGHT_UP = """
SELECT count(*) = 1 AND bool_and(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) < 16e6) FROM pg_stat_replication
"""
_ONE_PLACE = """
SELECT count(*) - count(DISTINCT ("companyId", "kanbanLane", "kanbanOrder")) FROM "Tickets"
 WHERE "kanbanLane" IS NOT NULL AND "kanbanOrder" IS NOT NULL
"""
# Modules that a killed controller left, and their files.
_CLEAR = f"""
pkill -KILL -f 'AnsiballZ|BECOME-SUCCESS|async_wrapper'
{shlex.join([*FIND, "-exec", "rm", "-rf", "{}", "+"])}
{shlex.join(["rm", "-rf", *KEPT, *LAID_DOWN])}
"""
_SERVICES = {
    "postgres-primary": "postgresql@17-main",
    "postgres-replica": "postgresql@17-main",
    "redis": "redis-server",
    "redis-replica": "redis-server",
    "redis-sentinel": "redis-sentinel",
}


class Ground:
    """The estate, healthy whenever a drill asks for it."""

    def __init__(self, state: Path = STATE) -> None:
        self.state = state
        self.estate: Estate
        self._there = False
        self._before: dict[str, str] = {}

    @property
    def settings(self) -> str:
        """The settings of each company before any drill."""
        return self._before["settings"]

    def healthy(self) -> Estate:
        """Return the estate as it was when it was made; one that cannot be put back is made again."""
        if not self._there and KEEP:
            self._find()
        if self._there:
            try:
                self.put_back()
            except (HostsError, OSError) as error:
                print(f"the estate could not be put back, so it is made anew: {error}")
                self._there = False
        if not self._there:
            self._make()
        return self.estate

    def _find(self) -> None:
        try:
            self.estate = estates.find(self.state)
            self._before = json.loads((self.state / _BEFORE).read_text(encoding="utf-8"))
        except (HostsError, OSError, ValueError):
            return
        self._there = True

    def _make(self) -> None:
        try:
            self.estate = estates.bring_up(self.state, at_work=False)
        except HostsError as error:
            # Once more: on a busy machine a host may not boot in time.
            print(f"the estate could not be made at first: {error}")
            self.estate = estates.bring_up(self.state, at_work=False)
        psql = self.estate.site.psql
        self._before = {"settings": psql("db1", SETTINGS), "keyed": psql("db1", _KEYED)}
        (self.state / _BEFORE).write_text(json.dumps(self._before), encoding="utf-8")
        self._wait_until_healthy()
        self._there = True

    def put_back(self) -> None:
        """Mend hosts and services, forget the incident, put flags back. Raises HostsError if that does not help."""
        estate = self.estate
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._mend, estate.fleet.hosts))
        lead(estate, "redis1")
        estate.site.disconnect()
        estate.fleet["db1"].psql(_ENDED)
        estate.site.psql("db1", _FORGET.replace("{settings}", self._before["keyed"]))
        estate.site.redis("DEL", BLOCK, f"{{{BLOCK}}}:owner", "staging:misbehave")
        shutil.rmtree(estate.incidents, ignore_errors=True)
        shutil.rmtree(estate.state / "people", ignore_errors=True)
        self._wait_until_healthy()
        # A killed Redis comes back with its last snapshot, which may have the block of an earlier drill.
        until(lambda: all(map(_saved, estate.fleet.hosts)), "Redis to have it on disk", timeout=_HEALTHY_SECONDS)

    def _mend(self, host: Host) -> None:
        self.estate.site.mend(host.name)
        service = _SERVICES.get(host.role)
        start = f"systemctl start {service}" if service else ""
        # Through standard input: with the script as an argument, the shell would match its own pkill pattern.
        host.run(["sh", "-s"], stdin=_CLEAR + start, timeout=60, check=False)

    def _wait_until_healthy(self) -> None:
        """Wait until everything answers as it should. Raises HostsError naming what never did."""
        estate, fleet = self.estate, self.estate.fleet
        psql, redis1 = estate.site.psql, [fleet["redis1"].address, "6379"]
        expected = str(DATA.expected_on())
        for what, ready in {
            "the replica to stream": lambda: fleet["db1"].psql(_CAUGHT_UP) == "t",
            "the replica to have the flags": lambda: (
                psql("db2", f'SELECT count(*) FROM "Companies" WHERE {IS_ON}') == expected
            ),
            "redis1 to be the master": lambda: sentinel(estate, "get-master-addr-by-name", "mymaster") == redis1,
            "redis2 to follow": lambda: "master_link_status:up" in _replication(fleet["redis2"]),
            "each process to be healthy and to serve V2 to those who had it": lambda: (
                _served(estate) == [DATA.expected_on()] * len(estate.application.urls)
            ),
        }.items():
            until(ready, what, timeout=_HEALTHY_SECONDS)
        if psql("db1", SETTINGS) != self.settings:
            raise HostsError("settings are not as they were")
        # Each later drill would find what one drill has damaged.
        found = {**corruption(estate), "cards in one place": int(psql("db1", _ONE_PLACE))}
        if damage := {kind: number for kind, number in found.items() if number}:
            raise HostsError(f"rows are corrupt: {damage}")

    def give_up(self) -> None:
        """Have the estate made again for the next drill: what is done to it now cannot be mended."""
        self._there = False
        (self.state / _BEFORE).unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove every trace."""
        self._there = False
        estates.take_down(self.state)

    @property
    def left(self) -> list[str]:
        """What the engine still has of the estate."""
        return hosts_of(self.state / "hosts")


def lead(estate: Estate, name: str) -> None:
    """Have Sentinel make a Redis the master, if it is not. Raises HostsError if that does not happen."""
    leads = [estate.fleet[name].address, "6379"]

    def done() -> bool:
        if sentinel(estate, "get-master-addr-by-name", "mymaster") != leads:
            # Sentinel refuses while it knows no healthy replica or another failover is not over.
            sentinel(estate, "failover", "mymaster")
            return False
        return "role:master" in _replication(estate.fleet[name])

    until(done, f"{name} to be the master", timeout=_HEALTHY_SECONDS, pause=1)


def _saved(host: Host) -> bool:
    """Have a host's Redis write a snapshot; return whether it did, or the host has no Redis."""
    return (
        host.role not in ("redis", "redis-replica")
        or host.run(["redis-cli", "SAVE"], check=False).stdout.strip() == "OK"
    )


def _replication(host: Host) -> str:
    return host.run(["redis-cli", "INFO", "replication"], check=False).stdout


def _served(estate: Estate) -> list[int]:
    """Return to how many companies each process serves V2."""
    try:
        answers = [ask(f"{url}/health/kanban", timeout=3) for url in estate.application.urls]
    except OSError:
        return []
    return [body["on"] for status, body in answers if status == 200]
