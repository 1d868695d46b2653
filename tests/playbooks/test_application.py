# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The staging application under pm2 on the hosts: there within seconds, restarted by pm2, and gone without a trace."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.hosts.host import until
from tests.playbooks.application import ACCOUNT, DIRECTORY, HOSTS, PM2_HOME, PORTS, running
from tests.playbooks.place import Site
from tests.staging.local import ask


@pytest.mark.drill
def test_it_runs_under_pm2_survives_a_kill_and_leaves_nothing(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "account"
    keys = site.redis("DBSIZE")
    began = time.monotonic()
    with running(site) as application:
        assert time.monotonic() - began < 90
        listed = {name: application.processes(name) for name in HOSTS}
        for processes in listed.values():
            assert [(each["name"], each["pm2_env"]["status"]) for each in processes] == [("chatia", "online")] * 2
        told = [ask(f"{url}/health/kanban")[1] for url in application.urls]
        assert [(each["on"], each["total"], each["port"]) for each in told] == [(60, 200, port) for port in PORTS * 2]
        assert [each["pid"] for each in told] == [each["pid"] for name in HOSTS for each in listed[name]]
        assert ask(f"{application.urls[0]}/staging/misbehave", {"fail": 1})[0] == 403

        app1, killed = site.fleet["app1"], listed["app1"][0]["pid"]
        with application.load(path) as load:
            time.sleep(1.5)
            app1.run(["kill", "-KILL", str(killed)])
            time.sleep(1.5)
        until(lambda: application.processes("app1")[0]["pm2_env"]["status"] == "online", "pm2", timeout=20)
        application.wait()
        first = application.processes("app1")[0]
        assert (first["pm2_env"]["restart_time"], first["pid"] != killed) == (1, True)
        report = application.verify(path)
        assert report.holds, report
        assert report.acknowledged > 10
        assert load.figures.of() > 50

        application.misbehave(crash_on_open=True)
        tenant = 4
        login = {"email": "pessoa10@example.com", "password": application.secrets.password}
        token = ask(f"{application.urls[0]}/auth/login", login)[1]["token"]
        ticket = ask(f"{application.urls[0]}/tickets", token=token)[1]["tickets"][0]["id"]
        for try_ in range(2):
            try:
                ask(f"{application.urls[0]}/tickets/{ticket}", token=token)
                raise AssertionError(f"it did not crash at try {try_}")
            except OSError:
                application.wait()
        log = app1.run(["cat", application.log_files[0]]).stdout
        assert log.count("\nTypeError: Cannot read properties of undefined (reading 'lane')\n    at ") == 2
        site.psql("db1", f"""UPDATE "Companies" SET settings = '{{"kanbanV2Enabled": false}}' WHERE id = {tenant}""")
        until(lambda: not ask(f"{application.urls[0]}/health/kanban?tenant={tenant}")[1]["v2"], "V1", timeout=5)
        assert ask(f"{application.urls[0]}/tickets/{ticket}", token=token)[1]["version"] == 1
    for name in HOSTS:
        host = site.fleet[name]
        assert host.run(["pgrep", "--uid", ACCOUNT], check=False).stdout == ""
        assert host.run(["ls", DIRECTORY, PM2_HOME], check=False).stdout == ""
    assert site.redis("DBSIZE") == keys
    assert site.psql("db1", "SELECT datname FROM pg_database WHERE datname LIKE '%_app'") == ""
    assert site.psql("db1", 'SELECT count(*) FROM "Companies"') == "3000"
