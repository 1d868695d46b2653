# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dependency audit asks about every installed package, and can tell an answer from none."""

from __future__ import annotations

import json
from importlib.metadata import distributions, version
from pathlib import Path

import pytest

from tests.support.web import Handler, Server, asked, serving
from tools.audit import audit, read

pytest.importorskip("pip_audit")
HOLED = "jinja2"


class Osv(Handler):
    """Answers OSV's query: one package has a hole that a later version mends, and one that was withdrawn."""

    def do_POST(self) -> None:  # noqa: N802 - the library names it
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = question["package"]["name"]
        self.note(name, question["version"])
        if name != HOLED:
            self.send(200, {})
            return
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99.1"}]}]
        affected = [{"package": {"name": HOLED, "ecosystem": "PyPI"}, "ranges": ranges}]
        hole = {"id": "PYSEC-2026-1", "summary": "A template gets out", "affected": affected}
        self.send(200, {"vulns": [hole, {**hole, "id": "PYSEC-2026-2", "withdrawn": "2026-01-01T00:00:00Z"}]})


def test_what_osv_knows_of_an_installed_package_is_a_complaint(tmp_path: Path) -> None:
    with serving(Server(Osv, tmp_path / "asked")) as osv:
        assert audit(f"{osv.url}/v1/query") == [f"{HOLED} {version(HOLED)}: PYSEC-2026-1, mended in 99.1"]
    names = {name for name, _version in asked(tmp_path / "asked")}
    assert {"ansible-core", "psycopg2-binary", "redis"} <= names
    assert len(names) >= len({found.name for found in distributions()}) - 5


def test_nobody_to_ask_is_said_and_is_no_complaint(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit("http://127.0.0.1:9/v1/query") == []
    assert "NOT AUDITED: http://127.0.0.1:9/v1/query could not be asked" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["", "[]", '{"dependencies": []}', '{"dependencies": [{"name": "a", "skip_reason": "not found"}]}']
)
def test_an_answer_that_is_not_whole_is_none(text: str) -> None:
    assert read(text) is None
