# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that were once broken, each with the example that showed it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import (
    Document,
    Flag,
    PutBack,
    mark_of,
    put_back_document,
    read_document,
    written_document,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import replaced
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import (
    PriorFile,
    find_files,
    list_files,
    read_file,
    retire,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlstate import explain_connect, first_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._verdict import verdict
from tests.unit.answers import UNREACHABLE, answer, database, judge, text
from tests.unit.strategies import nest
from tests.unit.test_priorfile import NAME, batch, file_size_limit


# _lines/_verdict: a sweep that died is not mentioned at all, and the terminal "is safe to close".
@pytest.mark.parametrize("later", [UNREACHABLE, {"failed": True, "msg": "db1: connection lost"}])
def test_a_sweep_that_did_not_happen_is_said(later: dict[str, object]) -> None:
    assert "sweep" in text(judge({"db1": answer()}, {"db1": later})).lower()


# _verdict: in a plan, two hosts that lead to one database count its tenants twice (300 become 600, even > total).
def test_a_plan_counts_one_database_once() -> None:
    result = judge({"db1": answer(changed=900), "db2": answer(changed=900)}, check_mode=True)
    assert "900 of 1,000 tenants would change" in result["headline"]


# _flagvalues: a container that we made, or that was something else before, is not put back ("text" is lost).
@pytest.mark.parametrize("prior", ['{"a": "text", "x": 1}', '{"a": null, "x": 1}', '{"x": 1}'])
def test_only_the_flag_goes_back_where_its_container_was_missing(prior: str) -> None:
    flag = Flag("jsonb", "t", "i", "c", path=("a", "b"), absent_is_on=True)
    written = written_document(prior, flag, False)
    back = put_back_document(replaced(written, ["x"], "2"), prior, mark_of(written), "false", flag)
    assert back == PutBack("restored", replaced(prior, ["x"], "2"))


# _priorfile.retire: the second file that is taken over overwrites the first one, which was "kept as evidence".
def test_evidence_of_two_imports_is_kept(tmp_path: Path) -> None:
    kept = []
    for number in (1, 2):
        PriorFile(NAME, [tmp_path]).append(batch(number))
        kept.append(retire(tmp_path / NAME))
    assert [read_file(path) for path in kept] == [[batch(1)], [batch(2)]]


# PriorFile.append: once a place was used, no other is tried, although reading searches all.
def test_a_disk_that_fills_up_in_the_middle_sends_the_rest_to_the_next_place(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    file = PriorFile(NAME, [one, two])
    file.append(batch(1, letters=400))
    with file_size_limit((one / NAME).stat().st_size + 10):
        file.append(batch(2))
    assert [change for path in find_files(NAME, [one, two]) for change in read_file(path)] == [
        batch(1, letters=400),
        batch(2),
    ]


# list_files: one dangling link hides every other file of its directory (stat raises inside the comprehension).
def test_a_dangling_link_hides_no_file(tmp_path: Path) -> None:
    PriorFile(NAME, [tmp_path]).append(batch(1))
    (tmp_path / "gone.priors.jsonl").symlink_to("nowhere")
    assert list_files([tmp_path]) == [tmp_path / NAME]


# _sqlstate.explain_connect: 'role "' and 'database "' are too wide; the 57P03 family is not whole; pt_BR servers.
# (The FATAL text is the server's, translated by its lc_messages; these are from postgres-17.mo of Debian.)
@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('too many connections for role "app"', "too_many_connections"),
        ('too many connections for database "crm"', "too_many_connections"),
        ("the database system is not yet accepting connections", "starting_up"),
        ("the database system is in recovery mode", "starting_up"),
        ('pg_hba.conf rejects connection for host "::1", user "a", database "crm", no encryption', "login_refused"),
        ('autenticação do tipo senha falhou para o usuário "app"', "wrong_password"),
        ('banco de dados "crm" não existe', "no_database"),
        ("desculpe, muitos clientes conectados", "too_many_connections"),
    ],
)
def test_why_no_connection(said: str, code: str) -> None:
    assert explain_connect(f'connection to server at "h", port 5432 failed: FATAL:  {said}\n', "h").code == code


# _jsontext.same_value: RecursionError escaped (Python 3.8 to 3.11 at depth 991, 3.12 at 1493; not on 3.13), and one
# tenant's settings ended the whole kill with a traceback.
@pytest.mark.parametrize("kind", ["array", "object"])
def test_no_depth_is_a_crash(kind: str) -> None:
    flag = Flag("jsonb", "t", "i", "c", path=("k",))
    for depth in range(850, 1501):
        assert read_document(f'{{"k": {nest(kind, depth)}}}', flag) in (Document(True), Document(False, False))


# explain_connect: of several addresses, the line of the first is shown under the code of the other.
def test_the_line_that_decided_is_the_line_that_is_shown() -> None:
    said = (
        'connection to server at "localhost" (::1), port 5432 failed: Connection refused\n\tIs the server running?\n'
        'connection to server at "localhost" (127.0.0.1), port 5432 failed: FATAL:  password authentication failed '
        'for user "app"\n'
    )
    assert "password authentication failed" in explain_connect(said, "h").what


# One line: for a database's name, a ledger's incident id, an error's "what" (it lists tenant ids as they are).
@pytest.mark.parametrize("case", ["name", "incident", "what", "environment"])
def test_every_line_is_one(case: str) -> None:
    given = {
        "name": answer(database=database(name="a\nb")),
        "incident": answer(incident={"incident_id": "a\nb", "open_before": []}),
        "what": answer(failed=True, error={"what": "The settings of 1 tenants are no JSON (for instance a\nb)."}),
        "environment": answer(),
    }[case]
    lines = judge({"db1": given}, environment="a\nb" if case == "environment" else "")["lines"]
    assert all(len(line.splitlines()) == 1 for line in lines)


# put_back_document(again=...): blank settings between two kills raised NotJson out of the undo (text, absent on).
@pytest.mark.parametrize("prior", ['{"k": true}', '{"a": 1}'])
def test_blank_settings_between_two_kills(prior: str) -> None:
    flag = Flag("jsonb", "t", "i", "c", path=("k",), absent_is_on=True)
    written = written_document(" \n", flag, False)
    assert put_back_document(written, prior, mark_of(written), "false", flag, " \n").outcome == "restored"


# first_line: the severity is cut off wherever it stands.
def test_a_name_that_looks_like_a_severity_stays() -> None:
    assert first_line('relation "ERROR:x" does not exist') == 'relation "ERROR:x" does not exist.'


# verdict(): if there are fewer answers than names, hosts are dropped silently: CONTAINED over a host nobody heard.
def test_a_host_without_an_answer_is_never_dropped() -> None:
    result = verdict(["db1", "db2"], [answer()], [{}], what="contain", run={"incident_id": "I"}, seconds=1, objective=9)
    assert result["failed"]
