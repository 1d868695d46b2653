# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts, the application on them, and the inventory of their team; removed again without a trace."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hosts import files
from tests.hosts.composition import composition
from tests.hosts.fleet import Fleet, load, up
from tests.hosts.fleet import down as hosts_down
from tests.hosts.machine import HostsError
from tests.playbooks.application import Application
from tests.playbooks.place import Site
from tests.rehearsal.people import Crowd
from tests.staging.settings import Secrets

CHECKOUT = Path(__file__).resolve().parents[2]
STATE = CHECKOUT / ".cache" / "rehearsal"
TEAM = CHECKOUT / "molecule" / "default" / "inventory"
DATABASE = "chatia_db"
# Seconds that /metrics looks back: a rehearsal's watch is short, too.
WINDOW = 5
# The companies that the application is broken for, if not for everybody, and those that go on beside them. Company 1 is
# that of the smoke test. An account cannot hold for what is corrupted on purpose, so each crowd has its own.
CROWDS = {"affected": range(2, 31), "sound": range(31, 61)}
_PEOPLE = "people"
_SECRETS = "secrets.json"
_SETTINGS = "settings.txt"
SETTINGS = 'SELECT id, settings FROM "Companies" ORDER BY id'


@dataclass(frozen=True)
class Estate:
    """An estate that is up."""

    state: Path
    application: Application

    @property
    def site(self) -> Site:
        """The hosts and the database."""
        return self.application.site

    @property
    def fleet(self) -> Fleet:
        """The hosts."""
        return self.site.fleet

    @property
    def incidents(self) -> Path:
        """What the runs keep on the controller."""
        return self.state / "incidents"

    @property
    def inventory(self) -> Path:
        """The team's inventory, a directory."""
        return self.state / "inventory"

    @property
    def crowds(self) -> list[Crowd]:
        """The people at work, by their account."""
        return [self.crowd(name, tenants) for name, tenants in CROWDS.items()]

    def crowd(self, name: str, tenants: range) -> Crowd:
        """Describe the people of some companies at work, with an account of this name."""
        return Crowd(self.state / _PEOPLE, name, self.application.urls, tenants, self.application.secrets.password)

    def keep_settings(self) -> None:
        """Keep the settings that each company has before anything is broken."""
        files.write(self.state / _SETTINGS, self.site.psql("db1", SETTINGS))

    @property
    def kept_settings(self) -> str:
        """The settings that each company had."""
        return (self.state / _SETTINGS).read_text(encoding="utf-8")


def bring_up(state: Path = STATE, *, at_work: bool = True) -> Estate:
    """Make a new estate, whatever was left of another. Raises HostsError, and then leaves nothing behind.

    ``at_work``: whether the rehearsals' people begin.
    """
    take_down(state)
    state.mkdir(mode=0o700, parents=True)
    try:
        fleet = up(state / "hosts", composition("redis2", "sentinel1"))
        application = Application(Site(fleet, state, DATABASE), WINDOW)
        made = application.secrets, application.database_password
        secret = {"signing": made[0].signing, "password": made[0].password, "database": made[1]}
        files.write(state / _SECRETS, json.dumps(secret))
        application.start()
        estate = Estate(state, application)
        _write_inventory(estate)
        for crowd in estate.crowds if at_work else ():
            crowd.begin()
    except BaseException:
        # The caller has to get the original error.
        with contextlib.suppress(HostsError):
            take_down(state)
        raise
    return estate


def find(state: Path = STATE) -> Estate:
    """Find the estate that another process made. Raises HostsError if there is none."""
    fleet = load(state / "hosts")
    secret = json.loads((state / _SECRETS).read_text(encoding="utf-8"))
    secrets = Secrets(secret["signing"], secret["password"])
    return Estate(state, Application(Site(fleet, state, DATABASE), WINDOW, secrets, secret["database"]))


def take_down(state: Path = STATE) -> None:
    """Remove people, hosts, networks and files, whatever a killed run left of them. May be called twice."""
    for path in (state / _PEOPLE).glob("*.pid"):
        Crowd(path.parent, path.stem).end(check=False)
    hosts_down(state / "hosts")
    shutil.rmtree(state, ignore_errors=True)


def _write_inventory(estate: Estate) -> None:
    """Write the team's inventory: the team's settings, and what is different on each estate."""
    shutil.copytree(TEAM, estate.inventory)
    shutil.copy(estate.fleet.inventory, estate.inventory / "hosts.yml")
    sentinels = [f"{host.address}:26379" for host in estate.fleet.hosts if host.group == "sentinel"]
    own: dict[str, Any] = {
        **estate.application.variables,
        "kanban_postgresql_db": DATABASE,
        "kanban_redis_sentinels": sentinels,
    }
    # It contains the password of the person who walks through V1.
    files.write(estate.inventory / "group_vars" / "all" / "estate.yml", json.dumps(own, indent=2))
    # What is kept on the controller is removed with the estate; hosts have their own.
    controller = estate.inventory / "host_vars"
    controller.mkdir(mode=0o700)
    files.write(controller / "localhost.yml", json.dumps({"kanban_incidents_dir": str(estate.incidents)}))
