# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What bootstrap.yml sends instead of a password, and what it removes again."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._laiddown import (
    ancestors,
    needed_by,
    read_record,
    what_is_left,
    who_needs_it,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._scram import salt_of, scram_verifier, verifier


def test_the_example_of_rfc_7677() -> None:
    made = verifier("pencil", b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    assert made == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_the_same_at_each_run_and_another_for_each_role_server_and_password() -> None:
    asked = [("a", "r", "1/5"), ("b", "r", "1/5"), ("a", "s", "1/5"), ("a", "r", "2/5"), ("a", "1", "r/5")]
    assert [scram_verifier(*one) for one in asked] == [scram_verifier(*one) for one in asked]
    assert len({scram_verifier(*one) for one in asked}) == len(asked)
    salts = {salt_of(role, cluster) for _password, role, cluster in asked}
    assert len(salts) == 4
    assert {len(salt) for salt in salts} == {16}
    assert re.fullmatch(r"SCRAM-SHA-256\$4096:[^$:]{24}\$[^$:]{44}:[^$:]{44}", scram_verifier(*asked[0]))


@pytest.mark.parametrize("server", ["7301223344556677889", "10.0.0.1:5432", "/var/run/postgresql:5432"])
def test_the_same_in_each_database_of_a_server(server: str) -> None:
    assert scram_verifier("a", "r", f"{server}/5") == scram_verifier("a", "r", f"{server}/16384")
    assert scram_verifier("a", "r", f"{server}/5") != scram_verifier("a", "r", f"{server}1/5")


def test_what_is_a_verifier_goes_as_it_is() -> None:
    for given in ("", scram_verifier("a", "r", "1"), "md5" + "0a" * 16):
        assert scram_verifier(given, "r", "1") == given
    for password in ("md5", "md5" + "G" * 32, "SCRAM-SHA-256$x", "SCRAM-SHA-256$1:a$b:c;"):
        assert scram_verifier(password, "r", "1") != password


@pytest.mark.parametrize("password", ["senão", "x\u00a0y", "パス"])
def test_a_password_outside_ascii_is_refused_without_being_named(password: str) -> None:
    with pytest.raises(BadInput, match="letters outside ASCII") as caught:
        scram_verifier(password, "r", "1")
    assert password not in str(caught.value)


def test_a_directory_and_what_it_lies_in() -> None:
    assert ancestors("/opt/chatia/runbooks/") == ["/opt", "/opt/chatia", "/opt/chatia/runbooks"]
    assert ancestors("/") == []


PACKAGES = ["python3-psycopg2", "python3-redis"]
FILES = ["/opt/chatia/runbooks/triage.md", "/opt/chatia/runbooks/scenario1.md"]
DIRECTORIES = ["/var", "/var/lib", "/var/lib/kanban_rollback", "/opt", "/opt/chatia", "/opt/chatia/runbooks"]


def test_a_record_is_read_child_before_parent() -> None:
    lines = [
        "directory /opt/chatia",
        "directory /opt/chatia/runbooks",
        "package python3-redis",
        "file /opt/chatia/runbooks/triage.md",
        "",
        "directory /opt/chatia",
    ]
    assert read_record("\n".join(lines) + "\n", PACKAGES, DIRECTORIES, FILES) == {
        "packages": ["python3-redis"],
        "directories": ["/opt/chatia/runbooks", "/opt/chatia"],
        "files": ["/opt/chatia/runbooks/triage.md"],
        "refused": [],
    }
    empty: dict[str, list[str]] = {"packages": [], "directories": [], "files": [], "refused": []}
    assert read_record("", PACKAGES, DIRECTORIES, FILES) == empty


@pytest.mark.parametrize(
    "line",
    [
        "package postgresql-17",
        "package python3-redis postgresql-17",
        "package --purge",
        "python3-redis",
        "directory /etc",
        "directory /opt/chatia/../../etc",
        "directory /opt/chatia ",
        " directory /opt/chatia",
        "Directory /opt/chatia",
        "file /etc/passwd",
        "file /opt/chatia/runbooks/scenario9.md",
        "file /opt/chatia/runbooks",
        "directory /opt/chatia/runbooks/triage.md",
    ],
)
def test_what_is_not_known_is_refused(line: str) -> None:
    found = read_record(f"package python3-redis\n{line}\n", PACKAGES, DIRECTORIES, FILES)
    assert found == {"packages": ["python3-redis"], "directories": [], "files": [], "refused": [line]}


def inside(path: str, *names: str) -> dict[str, list[str]]:
    return {path: [f"{path}/{name}" for name in names]}


def test_what_is_left_is_named_and_stays_in_the_record() -> None:
    left = what_is_left(
        {"python3-psycopg2": needed_by(1, " patroni depends on\n python3-psycopg2")},
        ["/opt/chatia/runbooks", "/var/lib/kanban_rollback"],
        {**inside("/opt/chatia/runbooks", "b.md", "a.md"), **inside("/srv/state", *"123456"), **inside("/srv/empty")},
        {"/var/lib/kanban_rollback"},
    )
    assert left["record"] == ["package python3-psycopg2", "directory /opt/chatia/runbooks"]
    assert left["lines"] == [
        "The package python3-psycopg2 stays, for something else needs it: patroni depends on python3-psycopg2",
        "/opt/chatia/runbooks stays, for what is in it was not made by bootstrap.yml (2 in it: a.md, b.md).",
        "/srv/state stays, for it was there before (6 in it: 1, 2, 3, 4, 5, ...).",
        "/srv/empty stays, for it was there before (it is empty).",
    ]


def test_a_plan_says_of_what_is_still_there_what_the_removal_will_say() -> None:
    made = ["/var/lib/kanban_rollback", "/opt/chatia/runbooks", "/opt/chatia"]
    runbooks = inside("/opt/chatia/runbooks", "scenario1.md", "triage.md")
    full = {**inside("/var/lib/kanban_rollback"), **runbooks, **inside("/opt/chatia", "runbooks")}
    full |= inside("/srv/state", "a")
    plan = what_is_left({}, made, full, {*FILES, *made})
    assert plan == {"lines": ["/srv/state stays, for it was there before (1 in it: a)."], "record": []}
    # A page that somebody else has written keeps its directory, and what that lies in.
    plan = what_is_left({}, made, full, {*FILES[1:], made[0]})
    assert plan["record"] == ["directory /opt/chatia/runbooks", "directory /opt/chatia"]
    assert plan["lines"] == [
        "/opt/chatia/runbooks stays, for what is in it was not made by bootstrap.yml (1 in it: triage.md).",
        "/opt/chatia stays, for what is in it was not made by bootstrap.yml (1 in it: runbooks).",
        "/srv/state stays, for it was there before (1 in it: a).",
    ]
    # What was made and is gone by now stays nowhere.
    assert what_is_left({}, made, {}, set()) == {"lines": [], "record": []}


def test_a_package_that_is_gone_already_or_can_go_is_not_left() -> None:
    assert needed_by(1, " error: package python3-redis is not installed") == ""
    assert needed_by(0, "would remove python3-redis") == ""


LEDGER = {"present": True, "usable": True}
PRIMARY: dict[str, Any] = {"open": [], "ledger": LEDGER, "database": {"writable": True}}
REPLICA: dict[str, Any] = {"open": [], "ledger": LEDGER, "database": {"writable": False}}
SKIPPED = {"skipped": True, "changed": False}


def test_nobody_needs_it_when_every_database_said_so() -> None:
    without = {**PRIMARY, "ledger": {"present": False, "usable": False}}
    asked, tried = [PRIMARY, REPLICA, without], [{"changed": False}, SKIPPED, {"changed": False}]
    assert who_needs_it(asked, tried, ["db1", "db2", "db3"]) == []
    assert who_needs_it([], [], []) == ["No host is in the group of databases, so no ledger was read."]


@pytest.mark.parametrize(
    ("asked", "tried", "words"),
    [
        ({}, {}, "no answer"),
        ({"unreachable": True, "msg": "No\nroute"}, {}, "No route"),
        ({**PRIMARY, "failed": True, "msg": "password"}, {}, "password"),
        ({"open": []}, {"changed": False}, "no answer"),
        (PRIMARY, {"failed": True, "msg": "Incidents are open in this ledger: INC-1."}, "Incidents are open in this"),
        (PRIMARY, {"unreachable": True, "msg": "gone"}, "gone"),
        # Asked whether there is a ledger, and cut off before the second question.
        (PRIMARY, {}, "no answer"),
        (PRIMARY, SKIPPED, "no answer"),
        ({**REPLICA, "open": [{"incident_id": "INC-1"}]}, SKIPPED, "Incidents are open in this ledger: INC-1"),
        # Prior values of an incident that no ledger knows.
        ({**PRIMARY, "prior_files": ["/s/INC-1.priors.jsonl"]}, {"changed": False}, "Prior values that no ledger has"),
        ({**REPLICA, "ledger": {"present": True, "usable": False}}, SKIPPED, "its ledger cannot be read as this role"),
    ],
)
def test_who_has_not_said_so_is_named(asked: dict[str, Any], tried: dict[str, Any], words: str) -> None:
    lines = who_needs_it([PRIMARY, asked], [{"changed": False}, tried], ["db1", "db2"])
    assert len(lines) == 1
    assert lines[0].startswith(f"db2: {words}")
