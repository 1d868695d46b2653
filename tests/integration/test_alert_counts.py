# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figure that makes corrupt data an alert: what postgres_exporter counts is what integrity_info counts."""

from __future__ import annotations

import re
import shutil
import subprocess
import urllib.request
from typing import Any

import pytest
import yaml

from tests.documents import started
from tests.integration.alerts import WITH_US
from tests.integration.integrity import by_name, load
from tests.integration.module import ROOT
from tests.integration.place import Database
from tests.support.processes import free_port, wait_until

SHIPPED = ROOT / "extensions/prometheus"
FILE = SHIPPED / "kanban_integrity.queries.yml"
QUERIES = yaml.safe_load(FILE.read_text(encoding="utf-8"))
RULES = yaml.safe_load((SHIPPED / "kanban_v2.rules.yml").read_text(encoding="utf-8"))
PROFILE = yaml.safe_load((ROOT / "roles/kanban/defaults/main.yml").read_text(encoding="utf-8"))
EXPORTER = shutil.which("prometheus-postgres-exporter") or shutil.which("postgres_exporter")


def checks() -> list[dict[str, Any]]:
    """Return the profile's checks that are critical if lanes are a table, with the profile's own names."""
    known = {"tables": PROFILE["kanban_tables_default"], "columns": PROFILE["kanban_columns_default"]}

    def named(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: named(part) for key, part in value.items()}
        if isinstance(value, list):
            return [named(part) for part in value]
        found = re.fullmatch(r"\{\{ __kanban_(tables|columns)\.(\w+)(?:\.(\w+))? \}\}", value) if value else None
        if not found:
            return value
        one = known[found[1]][found[2]]
        return one[found[3]] if found[3] else one

    all_of_them = [named(check) for check in PROFILE["kanban_integrity_checks_default"].values()]
    return [one for one in all_of_them if one.get("severity", "critical") == "critical" and not one.get("unless")]


def counted(db: Database) -> dict[tuple[str, str], int]:
    (query,) = (one["query"] for one in QUERIES.values())
    return {(name, severity): int(rows) for name, severity, rows in db.rows(query)}


def told(port: int) -> dict[tuple[str, str], int]:
    """Return what the exporter reports now; empty if it does not answer yet."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    found = re.findall(r"(?m)^kanban_integrity_rows\{(.*)\} (\S+)$", text)
    labels = [(dict(re.findall(r'(\w+)="([^"]*)"', given)), float(value)) for given, value in found]
    return {(given["check"], given["severity"]): int(value) for given, value in labels}


def test_it_counts_what_integrity_info_counts(db: Database) -> None:
    load(db)
    # What the data set lacks: a tag of another company.
    db.rows('UPDATE "Tags" SET "companyId" = 2 WHERE id IN (SELECT id FROM "Tags" WHERE "companyId" = 1 LIMIT 1)')
    asked = checks()
    assert {one["name"] for one in asked} == {name for name, _severity in counted(db)}
    result = by_name(db.modules().ok("integrity_info", checks=asked))
    assert {(name, one["severity"]): one["count"] for name, one in result.items()} == counted(db)
    # Each has found something, or this would compare nothing with nothing.
    assert all(counted(db).values()), counted(db)


def test_each_metric_of_ours_that_a_rule_asks_for_is_counted_here() -> None:
    rules = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    # kanban_dnd_duration_seconds is the application's own.
    asked = {name for text in rules for name in re.findall(r"\bkanban_\w+", text) if "dnd" not in name}
    given = {
        f"{space}_{name}"
        for space, one in QUERIES.items()
        for metric in one["metrics"]
        for name, how in metric.items()
        if how["usage"] != "LABEL"
    }
    assert asked == given == {"kanban_integrity_rows"}
    labels = {name for metric in QUERIES["kanban_integrity"]["metrics"] for name in metric}
    assert {"check", "severity"} <= labels


@pytest.mark.skipif(not EXPORTER, reason="no postgres_exporter here; .ci/run installs it")
def test_the_exporter_tells_it(db: Database) -> None:
    load(db)
    port, server = free_port(), db.server
    role, password = db.role("exporter"), "as-strong-as-the-exporter-asks-for"
    # It refuses a server that hashes passwords as rarely as ours does where it can.
    db.rows(f"""DO $$ BEGIN
      IF EXISTS (SELECT FROM pg_settings WHERE name = 'scram_iterations') THEN SET scram_iterations = 4096; END IF;
      ALTER ROLE {role} SUPERUSER PASSWORD '{password}';
    END $$""")
    source = f"host={server.host} port={server.port} user={role} dbname={db.name} password={password}"
    around = {"DATA_SOURCE_NAME": f"{source} sslmode=disable options=-cstatement_timeout=20s"}
    options = ("--disable-default-metrics", "--disable-settings-metrics", f"--extend.query-path={FILE}")
    argv = [str(EXPORTER), f"--web.listen-address=127.0.0.1:{port}", *options]
    started.note(argv, FILE.parent)
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*WITH_US, *argv], env=around, stdout=quiet, stderr=quiet) as exporter:
        try:
            assert wait_until(lambda: bool(told(port)), 30)
            assert told(port) == counted(db)
        finally:
            exporter.terminate()
            exporter.wait(10)
