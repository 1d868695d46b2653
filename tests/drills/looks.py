# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run claims on its last screen, against the facts, read without the collection and without the network."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.hosts.host import Host
from tests.hosts.machine import HostsError
from tests.playbooks.place import BLOCK, IS_ON
from tests.playbooks.runner import Run
from tests.rehearsal.checksums import COMPARE, compared
from tests.rehearsal.estate import Estate
from tests.rehearsal.steady import corruption

# A board's writes, on no rows: a fence refuses the statement, not its rows.
WRITES = {
    "Tags": 'DELETE FROM "Tags" WHERE false',
    "TicketTags": 'INSERT INTO "TicketTags" SELECT * FROM "TicketTags" WHERE false',
    "Tickets": 'UPDATE "Tickets" SET "kanbanLane" = 1 WHERE false',
}
_DUMPS = "/var/lib/postgresql/.local/state/kanban_rollback/dumps"
_LATCHED = f"""
BEGIN; SET LOCAL lock_timeout = '3s';
UPDATE "Companies" SET settings = '{{"kanbanV2Enabled": true}}' WHERE id = 2;
SELECT {IS_ON} FROM "Companies" WHERE id = 2; ROLLBACK
"""
_FENCE, _BLOCK, _DUMP = ": fence proven for", ": write block held by", ": dump of"


_Look = Callable[["Place", Run], str]


@dataclass
class Place:
    """An estate and the hosts that take writes on it; a drill that fails over sets them and the hosts gone for good."""

    estate: Estate
    primary: str = "db1"
    master: str = "redis1"
    gone: frozenset[str] = frozenset()

    @property
    def hosts(self) -> list[Host]:
        """The hosts that can be looked at."""
        return [host for host in self.estate.fleet.hosts if host.name not in self.gone]

    def psql(self, sql: str) -> str:
        """Run SQL on the primary as the superuser."""
        return self.estate.site.psql(self.primary, sql)

    def redis(self, *command: str) -> str:
        """Run a command of Redis on the master."""
        return self.estate.fleet[self.master].run(["redis-cli", "--raw", *command]).stdout.strip()

    def run(self, *argv: str) -> tuple[str, str]:
        """Run a program on the primary's host, whatever its status; return its standard output and its error output."""
        done = self.estate.fleet[self.primary].run(argv, check=False, timeout=60)
        return done.stdout, done.stderr.strip()


def says_fenced(place: Place, run: Run) -> bool:
    """Tell whether the last screen reports the primary's fence, or that of all, as proven."""
    return "the fence is proven" in run.screen or f" {place.primary}{_FENCE}" in run.screen


def refused(place: Place) -> list[str]:
    """Return the tables that refuse a board's writes."""
    found = []
    for table, write in WRITES.items():
        try:
            place.psql(f"\\set VERBOSITY sqlstate\n{write}")
        except HostsError as error:
            if "KB001" not in str(error):
                raise
            found.append(table)
    return found


def dumps(place: Place) -> list[str]:
    """Return the directories of finished dumps on the primary's host, oldest first."""
    listed, _complaint = place.run("sh", "-c", f"ls -1tr {_DUMPS} 2>/dev/null")
    return [f"{_DUMPS}/{name}" for name in listed.split()]


def manifest(place: Place, dump: str) -> dict[str, object]:
    """Return what a dump's manifest says."""
    found: dict[str, object] = json.loads(place.run("cat", f"{dump}/manifest.json")[0])
    return found


def _nobody_on(place: Place, _run: Run) -> str:
    number = place.psql(f'SELECT count(*) FROM "Companies" WHERE {IS_ON}')
    return "" if number == "0" else f"{number} companies are on"


def _fenced(place: Place, _run: Run) -> str:
    passed = sorted(WRITES.keys() - set(refused(place)))
    return f"canary writes passed on {', '.join(passed)}" if passed else ""


def _blocked(place: Place, _run: Run) -> str:
    found = place.redis("GET", BLOCK)
    return "" if found == "true" else f"Redis has {found!r} at {BLOCK}"


def _dumped(place: Place, _run: Run) -> str:
    return not_whole(place)


def not_as_listed(host: Host, directory: str, index: str, least: int = 1) -> str:
    """Return what is wrong with the files of a directory by the lists in it; empty if nothing is.

    ``least``: how many files there have to be. Of a server that is down there is a list, and nothing on it.
    """
    done = host.run(["python3", "-c", COMPARE, directory, index], check=False, timeout=60)
    count, wrong = compared(done.stdout) if done.stdout else (-1, [])
    if wrong or count < least:
        return done.stderr.strip() or f"{', '.join(wrong) or directory} is not what {index} says"
    return ""


def not_whole(place: Place) -> str:
    """Return what is wrong with the newest dump by its own manifest and its table of contents; empty if nothing is."""
    found = dumps(place)
    if not found:
        return "there is no dump"
    if wrong := not_as_listed(place.estate.fleet[place.primary], found[-1], "manifest.json"):
        return wrong
    listed, _complaint = place.run("pg_restore", "--list", found[-1])
    lacking = [table for table in WRITES if f"TABLE DATA public {table} " not in listed]
    return f"{', '.join(lacking)} not in it" if lacking else ""


def _at_primary(words: str, look: _Look) -> _Look:
    """Look if the words are said of the current primary; nobody can look at a host that is gone."""
    return lambda place, run: look(place, run) if f" {place.primary}{words}" in run.screen else ""


def _blocked_at_each(place: Place, run: Run) -> str:
    found = {host.name: _block_of(place, host) for host in place.hosts if f" {host.name}{_BLOCK}" in run.screen}
    return ", ".join(f"{name} has {value!r} at {BLOCK}" for name, value in found.items() if value != "true")


def _block_of(place: Place, host: Host) -> str:
    try:
        return host.run(["redis-cli", "--raw", "GET", BLOCK]).stdout.strip()
    except HostsError:
        # What is said of a Redis that is down must hold on the current master.
        return place.redis("GET", BLOCK)


def _kept(place: Place, run: Run) -> str:
    found = evidence(place, run)
    if not found:
        return "no line says where"
    lacking = []
    for name, directory in found:
        host = place.estate.fleet[name]
        listed = host.run(["find", directory, "-name", "index.json", "-size", "+0"], check=False).stdout.strip()
        lacking += [] if listed else [f"there is no index in {name}:{directory}"]
        lacking.append(not_as_listed(host, directory, "index.json", least=0))
    return "; ".join(text for text in lacking if text)


def evidence(place: Place, run: Run) -> list[tuple[str, str]]:
    """Return the directories of evidence that the last screen names: host and path."""
    return [
        (host.name, directory)
        for host in place.hosts
        for directory in re.findall(rf" {host.name}: \d+ files of evidence, .*? in (/[^,; ]+)", run.screen)
    ]


def _sound(place: Place, _run: Run) -> str:
    found = {kind: number for kind, number in corruption(place.estate, place.primary).items() if number}
    return f"corrupt: {found}" if found else ""


def _latched(place: Place, _run: Run) -> str:
    return "" if place.psql(_LATCHED) == "f" else "a write of `true` stayed"


def _lowered(place: Place, _run: Run) -> str:
    tables = refused(place)
    return f"{', '.join(tables)} still refuse" if tables else ""


def _released(place: Place, _run: Run) -> str:
    found = place.redis("GET", BLOCK)
    return f"Redis has {found!r} at {BLOCK}" if found else ""


# Words of the last screen, and the look that may contradict them. What is said of one host is also said when the
# first line says nothing because something else does not hold.
CLAIMS: dict[str, _Look] = {
    "CONTAINED: ": _nobody_on,
    "the fence is proven": _fenced,
    "the write block is held": _blocked,
    "evidence is kept": _kept,
    "the dump is proven": _dumped,
    "the checks found nothing corrupt": _sound,
    "the latch is up": _latched,
    "the fence is lowered": _lowered,
    "no write block is held": _released,
    _FENCE: _at_primary(_FENCE, _fenced),
    _BLOCK: _blocked_at_each,
    _DUMP: _at_primary(_DUMP, _dumped),
}
# What a stop that ends with 0 must claim.
WHOLE = tuple(CLAIMS)[:6]


def contradictions(place: Place, run: Run) -> list[str]:
    """Return what the last screen claims falsely; what nobody can see must not be claimed either."""
    found = []
    # The opposite of a claim is not a claim.
    screen = run.screen.replace("NOT CONTAINED: ", "")
    for words, look in CLAIMS.items():
        if words in screen:
            try:
                problem = look(place, run)
            except HostsError as error:
                problem = f"nobody can see it: {error}"
            found += [f"the screen says {words.strip()!r}, but {problem}"] if problem else []
    return found
