# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Prometheus and real Alertmanagers on loopback, with the shipped files, and an application that can die."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.integration.alerts import ENVIRONMENT, TOKEN, WITH_US, documented
from tests.integration.module import ROOT
from tests.support import web
from tests.support.processes import end, free_port, gone, wait_until
from tests.support.redis_server import Certificates

SHIPPED = ROOT / "extensions/prometheus"
PROMETHEUS, ALERTMANAGER = shutil.which("prometheus"), shutil.which("prometheus-alertmanager")
START_SECONDS = 60


class Handler(web.Handler):
    def do_GET(self) -> None:  # noqa: N802 - the library names it
        self.send(200, b"# TYPE x gauge\nx 1\n", **{"Content-Type": "text/plain; version=0.0.4"})


@dataclass
class Application:
    """What Prometheus scrapes; it can die and come back on the same port."""

    port: int = field(default_factory=free_port)
    stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def start(self) -> None:
        self.stack.enter_context(web.serving(web.Server(Handler, port=self.port, share=True)))

    def end(self) -> None:
        self.stack.close()


@contextlib.contextmanager
def scraped() -> Iterator[Application]:
    """Yield a healthy application."""
    application = Application()
    application.start()
    try:
        yield application
    finally:
        application.end()


@dataclass
class Alertmanager:
    """A running Alertmanager; ``alerts`` are those that it has now."""

    port: int

    @property
    def alerts(self) -> list[Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v2/alerts", timeout=10) as answer:
            found: list[Any] = json.load(answer)
        return found


@contextlib.contextmanager
def alertmanager(directory: Path, receiver: int, certificates: Certificates | None = None) -> Iterator[Alertmanager]:
    """Run an Alertmanager with the shipped configuration, which here repeats every few seconds instead of minutes.

    With certificates it speaks TLS according to docs/alerts.md.
    """
    assert ALERTMANAGER
    directory.mkdir()
    (directory / "token").write_text(TOKEN)
    given = yaml.safe_load((SHIPPED / "alertmanager.yml").read_text(encoding="utf-8"))
    given["route"]["routes"][0] |= {"group_interval": "2s", "repeat_interval": "3s"}
    (hook,) = given["receivers"][1]["webhook_configs"]
    hook["url"] = f"http://127.0.0.1:{receiver}/alerts"
    hook["http_config"]["authorization"]["credentials_file"] = str(directory / "token")
    if certificates:
        hook["url"] = f"https://127.0.0.1:{receiver}/alerts"
        files = {"ca_file": certificates.ca, "cert_file": certificates.certificate, "key_file": certificates.key}
        shown = yaml.safe_load(documented("- url: https:"))[0]["http_config"]["tls_config"]
        assert set(shown) == set(files)
        hook["http_config"]["tls_config"] = {name: str(path) for name, path in files.items()}
    (directory / "alertmanager.yml").write_text(yaml.safe_dump(given))
    port = free_port()
    options = (f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=")
    paths = (f"--config.file={directory}/alertmanager.yml", f"--storage.path={directory}/data")
    with _running([ALERTMANAGER, *options, *paths], directory, f"http://127.0.0.1:{port}/-/ready"):
        yield Alertmanager(port)


@contextlib.contextmanager
def prometheus(directory: Path, scrapes: int, *tells: Alertmanager) -> Iterator[None]:
    """Run a Prometheus with the shipped rules, which here wait seconds instead of minutes."""
    assert PROMETHEUS
    directory.mkdir()
    rules = yaml.safe_load((SHIPPED / "kanban_v2.rules.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        # Nobody counts rows here, and the alert about that is not part of what is tested.
        group["rules"] = [rule for rule in group["rules"] if rule["alert"] != "KanbanDataNotCounted"]
        for rule in group["rules"]:
            if "for" in rule:
                rule["for"] = "2s"
    (directory / "rules.yml").write_text(yaml.safe_dump(rules))
    targets = [f"127.0.0.1:{one.port}" for one in tells]
    settings = {
        "global": {
            "scrape_interval": "1s",
            "evaluation_interval": "1s",
            "external_labels": {"environment": ENVIRONMENT},
        },
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": targets}]}]},
        "scrape_configs": [{"job_name": "chatia", "static_configs": [{"targets": [f"127.0.0.1:{scrapes}"]}]}],
    }
    (directory / "prometheus.yml").write_text(json.dumps(settings))
    port = free_port()
    options = (f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s")
    paths = (f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data")
    with _running([PROMETHEUS, *options, *paths], directory, f"http://127.0.0.1:{port}/-/ready"):
        yield


@contextlib.contextmanager
def _running(argv: list[str], directory: Path, ready: str) -> Iterator[None]:
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*WITH_US, *argv], stdout=log, stderr=log, start_new_session=True)
        try:
            assert wait_until(lambda: _answers(ready), START_SECONDS), (directory / "log").read_text()
            yield
        finally:
            end([process.pid], [signal.SIGTERM], 10)
            assert gone([process.pid], 5)
            process.wait(5)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - a server of ours on loopback
            return bool(answer.status == 200)
    except OSError:
        return False
