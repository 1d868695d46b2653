# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The staging application on the fleet's application hosts, under pm2 as a user of its own, and gone afterwards."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from tests.hosts import files
from tests.hosts.engine import engine
from tests.hosts.fleet import Fleet
from tests.hosts.host import Host, until
from tests.hosts.machine import HostsError
from tests.playbooks.place import Site
from tests.staging import account
from tests.staging.app.misbehaviour import SECONDS
from tests.staging.load import Load
from tests.staging.local import ask
from tests.staging.settings import DATA, Secrets, email, environment, fill

HOSTS = ("app1", "app2")
PORTS = (8080, 8081)
NAME = USER = ROLE = "chatia"
ACCOUNT = "app"
PM2_HOME = "/home/app/.pm2"
DIRECTORY = "/home/app/chatia"
TEMPLATE = "kanban_application"
SOURCE = Path(account.__file__).parent
# What the application writes to Redis.
KEYS = ("staging:*", "kanban:*", "contacts:*", "sessions:*")
_START_SECONDS = 90
# In discrete mode it prints nothing of its own before what it was asked for, and does not look for news.
_PM2 = ("env", f"PM2_HOME={PM2_HOME}", "PM2_DISCRETE_MODE=true", "pm2")
# pm2 and all that it keeps running, at once: nothing of it is needed any more.
_END = f"""
while pids=$(pgrep --uid {ACCOUNT}); do kill -KILL $pids || :; sleep 0.05; done
rm -rf {DIRECTORY} {PM2_HOME}
"""
_FORGET = """
for _, pattern in ipairs(ARGV) do for _, key in ipairs(redis.call('KEYS', pattern)) do redis.call('UNLINK', key) end end
"""
_POST = """
import sys, urllib.request
url, body = sys.argv[1], sys.stdin.buffer.read()
request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
print(urllib.request.urlopen(request, timeout=5).read().decode())
"""


def make_template(fleet: Fleet) -> None:
    """Make the application's database, of which each test gets a copy, if it is not there yet."""
    db1 = fleet["db1"]
    if db1.psql(f"SELECT 1 FROM pg_database WHERE datname = '{TEMPLATE}'"):
        return
    # Under another name until it is whole: a test that was interrupted leaves nothing that looks like it.
    unfinished = f"{TEMPLATE}_unfinished"
    db1.psql(f"DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")
    db1.psql(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'") or db1.psql(f"CREATE ROLE {ROLE} LOGIN")
    db1.psql(f"CREATE DATABASE {unfinished} OWNER {ROLE}")
    session = psycopg2.connect(
        host=db1.address, user="postgres", password=fleet.postgres_password, dbname=unfinished, connect_timeout=5
    )
    try:
        # The tables are the application's own.
        with session, session.cursor() as cursor:
            cursor.execute(f"SET ROLE {ROLE}")
        fill(session, DATA)
    finally:
        session.close()
    db1.psql(f"ALTER DATABASE {unfinished} RENAME TO {TEMPLATE}")


@dataclass
class Application:
    """Two processes on each application host. ``site.database`` is the application's while it runs."""

    site: Site
    window: float
    """Seconds that /metrics looks back."""
    secrets: Secrets = field(default_factory=Secrets)
    database_password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    @property
    def urls(self) -> list[str]:
        """The base URL of each process, as this machine reaches it."""
        return [f"http://{self.site.fleet[name].address}:{port}" for name in HOSTS for port in PORTS]

    @property
    def log_files(self) -> list[str]:
        """The error logs on each host, as pm2 names them."""
        return [f"{PM2_HOME}/logs/{NAME}-error-{number}.log" for number in range(len(PORTS))]

    @property
    def variables(self) -> dict[str, Any]:
        """The profile's variables that name this application."""
        return {
            "kanban_app_url": f"http://127.0.0.1:{PORTS[0]}",
            "kanban_app_public_url": self.urls[0],
            "kanban_app_process_urls": [f"http://127.0.0.1:{port}" for port in PORTS],
            "kanban_app_pm2_home": PM2_HOME,
            "kanban_app_pm2_names": [NAME],
            "kanban_app_log_files": self.log_files,
            "kanban_app_user": email(1),
            "kanban_app_password": self.secrets.password,
            # Its sockets let anybody in.
            "kanban_metrics": {"socket_latency": {"auth": {}}},
        }

    def pm2(self, host: str, *command: str) -> str:
        """Run pm2 on a host as the application's user and return what it says."""
        return self.site.fleet[host].run([*_PM2, *command], user=ACCOUNT).stdout

    def processes(self, host: str) -> list[dict[str, Any]]:
        """Return what pm2 knows of the processes on a host."""
        listed: list[dict[str, Any]] = json.loads(self.pm2(host, "jlist"))
        return listed

    def misbehave(self, **wanted: Any) -> None:
        """Tell all processes how to be broken (see tests/staging/app/misbehaviour.py); None ends it."""
        argv = ["python3", "-c", _POST, f"http://127.0.0.1:{PORTS[0]}/staging/misbehave"]
        self.site.fleet[HOSTS[0]].run(argv, stdin=json.dumps(wanted))
        # A process reads it when it is asked for something, unless it has just done so.
        time.sleep(SECONDS)
        for url in self.urls:
            ask(f"{url}/health/kanban")

    def log_errors(self, host: str, count: int) -> None:
        """Write that many errors into the log of a host's first process, as if it had just logged them."""
        line = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}.000Z ERROR [Kanban] it broke again"
        script = 'for _line in $(seq "$1"); do echo "$2"; done >> "$3"'
        self.site.fleet[host].run(["sh", "-ec", script, "sh", str(count), line, self.log_files[0]], user=ACCOUNT)

    def load(self, path: Path, *, tenants: Sequence[int] = range(1, 201), rate: float = 60) -> Load:
        """Describe people at work, from this machine: ``with application.load(path) as load``."""
        return Load(self.urls, path, tenants=tenants, password=self.secrets.password, rate=rate)

    def verify(self, path: Path) -> account.Report:
        """Compare a load's account with the database."""
        session = self.site.connect()
        try:
            return account.verify(path, session)
        finally:
            session.close()

    def wait(self, timeout: float = _START_SECONDS) -> None:
        """Wait until every process is healthy. Raises HostsError with the ends of their logs."""

        def healthy() -> bool:
            try:
                return all(ask(f"{url}/health", timeout=3)[0] == 200 for url in self.urls)
            except OSError:
                return False

        try:
            until(healthy, "the application", timeout=timeout)
        except HostsError as error:
            logs = [self.pm2(name, "logs", "--nostream", "--lines", "20") for name in HOSTS]
            raise HostsError("\n".join([str(error), *logs])) from error

    def start(self) -> None:
        """Copy it to the hosts, give it its database, and start it under pm2."""
        make_template(self.site.fleet)
        # The password goes by standard input, past every argument list.
        self.site.fleet["db1"].psql(
            f"ALTER ROLE {ROLE} PASSWORD '{self.database_password}';"
            f"CREATE DATABASE {self.site.database} TEMPLATE {TEMPLATE} OWNER {ROLE}"
        )
        # A killed call leaves it where everything else of the site is removed.
        with tempfile.TemporaryDirectory(dir=self.site.directory) as name:
            copied = Path(name) / "chatia"
            shutil.copytree(SOURCE / "app", copied / "app", ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copy(SOURCE / "server.py", copied)
            # The database's password is in it.
            files.write(copied / "ecosystem.json", json.dumps(self._ecosystem()))
            with ThreadPoolExecutor() as pool:
                list(pool.map(lambda host: self._start_on(host, copied), self._hosts))
        self.wait()

    @property
    def _hosts(self) -> list[Host]:
        return [self.site.fleet[name] for name in HOSTS]

    def _start_on(self, host: Host, copied: Path) -> None:
        engine("cp", str(copied), f"{host.container}:{DIRECTORY}")
        pm2 = f"runuser -u {ACCOUNT} -- {' '.join(_PM2)}"
        host.run(["sh", "-ec", f"chown -R {ACCOUNT}: {DIRECTORY}; {pm2} start --silent {DIRECTORY}/ecosystem.json"])

    def _ecosystem(self) -> dict[str, Any]:
        fleet = self.site.fleet
        # The one that takes writes, which a driver finds out by itself.
        database = {
            "host": ",".join(fleet[name].address for name in ("db1", "db2")), "port": 5432,
            "dbname": self.site.database, "user": ROLE, "password": self.database_password,
        }  # fmt: skip
        redis = {"host": fleet["redis1"].address, "port": 6379}
        settings = environment(
            database, redis, self.secrets, host="0.0.0.0", state=DIRECTORY, window=self.window  # noqa: S104
        )  # fmt: skip
        app = {
            "name": NAME, "cwd": DIRECTORY, "script": "server.py", "interpreter": "/usr/bin/python3",
            "exec_mode": "fork", "instances": len(PORTS), "increment_var": "PORT",
            "env": {**settings, "PORT": PORTS[0], "PGTARGETSESSIONATTRS": "read-write"},
            "max_memory_restart": "300M", "kill_timeout": 3000,
            # A process that crashes over and over is restarted for as long as the incident lasts, as a container
            # engine would do: nobody has to log in once the cause is gone.
            "max_restarts": 100_000, "restart_delay": 200,
        }  # fmt: skip
        return {"apps": [app]}

    def stop(self) -> None:
        """End it and remove every trace, on hosts that the test broke as well."""
        for name in self.site.broken.intersection(HOSTS):
            self.site.mend(name)
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: host.run(["sh", "-ec", _END]), self._hosts))
        self.site.redis("EVAL", _FORGET, "0", *KEYS)
        self.site.fleet["db1"].psql(f"DROP DATABASE IF EXISTS {self.site.database} WITH (FORCE)")


@contextlib.contextmanager
def running(site: Site, *, window: float = 10) -> Iterator[Application]:
    """Have the application run on app1 and app2, with a database of its own on db1 and db2 as the site's.

    ``window``: seconds that /metrics looks back; a minute would be the longest part of most tests.
    """
    kept, site.database = site.database, f"{site.database}_app"
    application = Application(site, window)
    try:
        application.start()
        yield application
    finally:
        try:
            application.stop()
        finally:
            site.database = kept
