# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's system log has how a module was invoked, but not what people wrote or to whom, and no password."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic

from tests.integration import entry

WORDS, ADDRESS = "Ana of the bakery called and wept", "cto@example.org"
# Inside a larger value its backslash is written twice.
PASSWORD = "back\\slash-9"
KNOWN = [{"name": "words.md", "text": WORDS, "at": "2026-11-25T02:10:00Z", "earlier": []}]
MESSAGE = {"key": "k", "kind": "began", "text": WORDS, "routes": ["mail:executives"]}
MAIL = {"host": "127.0.0.1", "port": 9, "password": PASSWORD, "lists": {"executives": [ADDRESS]}}
GIVEN: dict[str, dict[str, Any]] = {
    "bootstrap_files": {},
    "incident_documents": {
        "documents": [{"name": "words.md", "text": WORDS}],
        "login_host": "127.0.0.1",
        "deadline": 0,
    },
    "incident_files": {
        "files": [{"name": "journal-run-1.jsonl", "text": WORDS}],
        "login_host": "127.0.0.1",
        "deadline": 0,
    },
    "incident_folder": {"known": [{"name": "journal-run-1.jsonl", "text": WORDS, "length": len(WORDS), "at": "2026"}]},
    "incident_words": {"known": KNOWN, "make": False},
    "notify": {"messages": [MESSAGE], "known": KNOWN, "mail": MAIL, "deadline": 1},
    "metric_gate": {
        "metrics": [
            {
                "name": "socket",
                "source": "socketio",
                "url": "http://127.0.0.1:9/socket.io/",
                # A number is no secret, and takes no digit out of a figure.
                "auth": {"password": PASSWORD, "tenant": "1"},
                "timeout": 1,
            }
        ],
        "window": 12,
        "thresholds": {"socket": {"max": 1000}},
    },
    "evidence": {"redis": {"login_host": "127.0.0.1", "login_password": PASSWORD}, "seconds": 0},
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_people_wrote_and_their_addresses_are_not_in_the_log(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = dict(GIVEN[name])
    if name == "bootstrap_files":
        options = {"record": str(tmp_path / "record"), "pages": {str(tmp_path / "page.md"): f"{WORDS} {ADDRESS}"}}
    elif name != "metric_gate":
        options["incident_id"] = "INC-1"
    if name in ("incident_folder", "incident_words", "notify"):
        options["path"] = str(tmp_path)
    logged: list[str] = []
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _self, text, **_more: logged.append(text))
    given = json.dumps({"ANSIBLE_MODULE_ARGS": options}).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    monkeypatch.setattr(basic, "_ANSIBLE_ARGS", None)
    entry.run(name)
    result = json.loads(capsys.readouterr().out)
    text = "\n".join(logged)
    assert {"metric_gate": "gate=", "bootstrap_files": "record="}.get(name, "incident_id=") in text
    for word in (WORDS, ADDRESS, "slash-9"):
        assert word not in text
    # The result still has everything that it has to: it is what the next module is given.
    if name == "incident_words":
        assert (tmp_path / "INC-1" / "words.md").read_text(encoding="utf-8") == WORDS
        assert result["keep"] == []
    if name == "bootstrap_files":
        assert result["diff"][1]["after"] == f"{WORDS} {ADDRESS}"
    if name == "incident_folder":
        assert (result["written"], result["keep"]) == (["journal-run-1.jsonl"], [])
    if name == "metric_gate":
        assert (result["samples"][0]["code"], result["try"], result["watch"]) == ("refused", 1, 1)
        assert "slash-9" not in json.dumps(result)
    if name == "notify":
        assert WORDS in result["keep"][0]["text"], result
        assert "slash-9" not in json.dumps({**result, "invocation": None})
