# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence of the application's host: processes of a real pm2 without their environment, ends of logs, answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.release import __version__ as ansible_version

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _evidenceplace
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidence import Request, take
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceapplication import Application
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import Moment
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._login import Login
from tests.integration.module import ROOT, Modules, Result
from tests.support import web

SECRET = "tr0ub4dor-and-3"


class Handler(web.Handler):
    """Answers as applications do, healthy or in trouble."""

    def do_GET(self) -> None:  # noqa: N802 - the library names it
        path = self.path.partition("?")[0]
        self.note(self.path, dict(self.headers))
        if path == "/frozen":
            time.sleep(30)
        elif path == "/dripping":
            self.send_response(200)
            self.end_headers()
            for _second in range(100):
                self.wfile.write(b"x")
                time.sleep(0.2)
        elif path == "/elsewhere":
            self.send(302, b"", Location="/metrics")
        else:
            status = 503 if path == "/health" else 200
            body = b"x" * 3_000_000 if path == "/huge" else f"answer of {path}".encode()
            self.send(status, body, **{"Content-Type": "text/plain"})


@dataclass
class Address:
    """Where the server listens, and what it was asked."""

    text: str
    record: Path

    @property
    def asked(self) -> list[tuple[str, dict[str, str]]]:
        return [tuple(row) for row in web.asked(self.record)]


@pytest.fixture
def app(directory: Path) -> Iterator[Address]:
    """A server on loopback."""
    record = directory / "asked"
    with web.serving(web.Server(Handler, record)) as running:
        yield Address(running.url.removeprefix("http://"), record)


def collector(directory: Path, **options: Any) -> Modules:
    given = {"dest": str(directory / "evidence"), "incident_id": "INC-1", "sources": ["application"], "pm2": ""}
    return Modules({**given, **options})


def test_where_the_directory_cannot_be_written_the_other_one_is_told(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_evidenceplace, "DIRECTORIES", (str(directory / "other"),))
    log = directory / "app.log"
    log.write_text("hello\n")
    asked: dict[str, Any] = {"moment": Moment("INC-1"), "sources": ["application"]}
    asked["application"] = Application(pm2="", log_files=[str(log)])
    told, error = take(Login(), Request(dest=f"{log}/evidence", **asked), False)
    place = str(directory / "other/incidents/INC-1/evidence/t0")
    assert (error, told["path"], told["elsewhere"]) == (None, place, [place])
    # The same again finds it there, and says so.
    again, _error = take(Login(), Request(dest=f"{log}/evidence", **asked), False)
    assert (again["changed"], again["elsewhere"]) == (False, [place])
    asked["moment"] = Moment("INC-1", "t1")
    first, _error = take(Login(), Request(dest=str(directory / "first"), **asked), False)
    assert first["elsewhere"] == []


def index_of(result: Result) -> dict[str, Any]:
    (path,) = [file["path"] for file in result["files"] if file["name"] == "index.json"]
    found: dict[str, Any] = json.loads(Path(path).read_text())
    return found


def content(result: Result, name: str) -> bytes:
    (path,) = [file["path"] for file in result["files"] if file["name"] == name]
    return Path(path).read_bytes()


def reasons(result: Result) -> dict[str, str]:
    return {one["part"]: one["reason"] for one in result["missing"]}


def everything(directory: Path) -> str:
    return "".join(path.read_text(errors="replace") for path in directory.rglob("*") if path.is_file())


def test_answers_are_kept_with_their_status_and_without_secrets(directory: Path, app: Address) -> None:
    address = app.text
    urls = [
        f"http://{address}/metrics/performance",
        f"http://operator:{SECRET}@{address}/health?token={SECRET}#part",
        f"http://{address}/elsewhere",
    ]
    # With the arguments, as Ansible shows them under -vvv; core 2.18 always adds them.
    asked = {} if ansible_version.startswith("2.18.") else {"_ansible_inject_invocation": True}
    done = collector(directory, urls=urls, **asked).ok("evidence")
    assert done["invocation"]["module_args"]["pm2"] == ""
    entries = {entry["name"]: entry for entry in index_of(done)["files"]}
    assert [(entry["url"], entry["status"]) for entry in entries.values()] == [
        (f"http://{address}/metrics/performance", 200),
        (f"http://{address}/health", 503),
        (f"http://{address}/elsewhere", 302),
    ]
    assert content(done, "http-01.txt") == b"answer of /metrics/performance"
    assert [path for path, _headers in app.asked] == ["/metrics/performance", f"/health?token={SECRET}", "/elsewhere"]
    assert app.asked[1][1]["Authorization"].startswith("Basic ")
    assert SECRET not in everything(directory / "evidence")
    assert SECRET not in json.dumps(done)
    assert done["missing"] == []


def test_addresses_that_hang_cost_their_three_seconds_and_no_other_part(directory: Path, app: Address) -> None:
    address = app.text
    log = directory / "app.log"
    log.write_text("what it said")
    urls = [
        f"http://{address}/frozen",
        f"http://{address}/metrics",
        "http://127.0.0.1:1/",
        "metrics",
        "file:///etc/passwd",
    ]
    started = time.monotonic()
    done = collector(directory, urls=urls, log_files=[str(log)]).ok("evidence")
    assert 3 <= time.monotonic() - started < 6
    assert content(done, "http-02.txt") == b"answer of /metrics"
    assert content(done, "log-01-app.log") == b"what it said"
    told = reasons(done)
    assert sorted(told) == ["http-01", "http-03", "http-04", "http-05"]
    assert told["http-03"] == "/: Connection refused"
    assert "no http or https URL" in told["http-05"]


def test_an_answer_that_drips_is_cut_when_the_time_is_over(directory: Path, app: Address) -> None:
    address = app.text
    started = time.monotonic()
    done = collector(directory, urls=[f"http://{address}/dripping"], seconds=1.5).ok("evidence")
    assert time.monotonic() - started < 4
    (file,) = [file for file in done["files"] if file["name"] == "http-01.txt"]
    assert file["truncated"] is True
    assert 3 < file["bytes"] < 20
    assert done["complete"] is False


def test_a_huge_answer_is_cut(directory: Path, app: Address) -> None:
    address = app.text
    done = collector(directory, urls=[f"http://{address}/huge"]).ok("evidence")
    (file,) = [file for file in done["files"] if file["name"] == "http-01.txt"]
    assert (file["bytes"], file["truncated"], done["truncated"]) == (1024 * 1024, True, True)


def test_ends_of_the_newest_logs_are_kept(directory: Path) -> None:
    logs = directory / "logs"
    logs.mkdir()
    for age in range(6):
        (logs / f"a{age}.log").write_text(f"begin{age}" + "-" * 2000 + f"end{age}")
        os.utime(logs / f"a{age}.log", (1_700_000_000 - age, 1_700_000_000 - age))
    os.mkfifo(logs / "pipe.log")
    (logs / "link.log").symlink_to("a0.log")
    done = collector(
        directory, log_files=[str(logs / "*.log"), str(logs / "none")], log_bytes=1000, max_log_files=3
    ).ok("evidence")
    entries = index_of(done)["files"]
    assert [entry["name"] for entry in entries] == ["log-01-a0.log", "log-02-a1.log", "log-03-a2.log"]
    assert {(entry["bytes"], entry["whole_bytes"], entry["truncated"]) for entry in entries} == {(1000, 2010, True)}
    assert [entry["from"] for entry in entries] == [str(logs / f"a{age}.log") for age in range(3)]
    assert content(done, "log-02-a1.log").endswith(b"--end1")
    assert len([one for one in done["missing"] if "only 3 logs" in one["reason"]]) == 3


def test_it_needs_no_driver_of_postgresql(directory: Path) -> None:
    hidden = directory / "hidden"
    hidden.mkdir()
    (hidden / "psycopg2.py").write_text("raise ImportError('not here')")
    log = directory / "app.log"
    log.write_text("x")
    given = {"ANSIBLE_MODULE_ARGS": {**collector(directory, log_files=[str(log)]).options}}
    path = os.pathsep.join(map(str, (hidden, ROOT, ROOT / ".ansible/collections")))
    for sources, failed in ((["application"], False), (["application", "postgresql"], True)):
        given["ANSIBLE_MODULE_ARGS"]["sources"] = sources
        done = subprocess.run(
            [sys.executable, "-m", "tests.integration.entry", "evidence"],
            input=json.dumps(given), env={**os.environ, "PYTHONPATH": path}, cwd=ROOT, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert bool(json.loads(done.stdout).get("failed")) is failed, done.stdout + done.stderr
