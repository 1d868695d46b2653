# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each error of a module and refusal of a playbook leads to a section of docs/errors.md, and each section to one.

The page in Portuguese has the same sections, with the same text to type and the same links.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    PAGE,
    KanbanError,
    ServerError,
    with_page,
    without_page,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import one_line, paged
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._typed import as_screen
from tests.unit.codes import Source
from tools.docs import anchors

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ENGLISH, PORTUGUESE = DOCS / "errors.md", DOCS / "pt_BR" / "errors.md"
ERRORS = ENGLISH.read_text(encoding="utf-8")
# A section is no longer than a tired person reads.
_MOST_LINES = 6
_LINK = re.compile(r"\]\(([\w./-]*)(?:#([\w-]+))?\)")
_CODE = re.compile(r"`+([^`]+)`+")


def told_by_tasks() -> set[str]:
    """Return the codes whose page is given by tasks."""
    found = [
        re.findall(r"'(\w+)' \| chatia\.kanban_rollback\.error_page", path.read_text(encoding="utf-8"))
        for place in ("roles", "playbooks")
        for path in (ROOT / place).rglob("*.yml")
    ]
    return {code for codes in found for code in codes}


def test_what_bootstrap_refuses_says_where_more_is_said() -> None:
    files = sorted((ROOT / "roles/bootstrap/tasks").glob("*.yml"))
    tasks = [task for path in files for task in re.split(r"^ *- name: ", path.read_text(encoding="utf-8"), flags=re.M)]
    refusals = [task for task in tasks if re.search(r"^ *ansible\.builtin\.(fail|assert):", task, re.MULTILINE)]
    assert len(refusals) > 5
    assert [task for task in refusals if "chatia.kanban_rollback.error_page" not in task] == []


def sections(page: Path) -> list[tuple[str, str]]:
    """Return each heading of a page with its signs, and the text below it."""
    found = re.split(r"^(#+ .+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [(head, body.strip()) for head, body in zip(found[1::2], found[2::2], strict=True)]


def led_to(page: Path, body: str) -> list[tuple[str, int]]:
    """Return the pages that a text's links lead to, whatever their language, and the position of the heading there."""
    found = []
    for path, anchor in _LINK.findall(body):
        file = (page.parent / (path or page.name)).resolve()
        heads = re.findall(r"^#+ .+$", file.read_text(encoding="utf-8"), re.MULTILINE)
        place = next(at for at, head in enumerate(heads) if anchor in anchors(head)) if anchor else 0
        found.append((file.relative_to(ROOT).as_posix().replace("/pt_BR/", "/"), place))
    return sorted(found)


def test_each_code_has_a_section_and_each_section_a_code() -> None:
    codes, unknown = Source().codes()
    assert not unknown, f"say in tests/unit/codes.py which codes these can be: {sorted(unknown)}"
    assert len(codes) > 250
    assert len(told_by_tasks()) > 4
    codes |= told_by_tasks()
    heads = re.findall(r"^### (.+)$", ERRORS, re.MULTILINE)
    assert sorted(heads) == sorted(codes)
    # Its anchor is the same on GitHub and in what Sphinx makes: neither changes letters, digits and _.
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", head) for head in heads)


@pytest.mark.parametrize(
    "text",
    [
        'raise KanbanError("never_described", "W.", "Y.", "T.")',
        'raise (BadInput if x else ServerError)("never_described", "W.", "Y.", "T.")',
        'class Odd(ServerError):\n    pass\nOdd("never_described", "W.", "Y.", "T.")',
        'def odd(code, what):\n    return BadInput(code, what, "", "")\nodd("never_described", "W.")',
        'KanbanError("never_described" if x else "still_on", "W.", "Y.", "T.")',
    ],
)
def test_a_code_is_found_however_an_error_is_made(tmp_path: Path, text: str) -> None:
    (tmp_path / "_errors.py").write_text((ROOT / "plugins/module_utils/_errors.py").read_text())
    names = "from x.plugins.module_utils._errors import BadInput, KanbanError, ServerError\n"
    (tmp_path / "odd.py").write_text(names + text)
    codes, unknown = Source(tmp_path).codes()
    assert "never_described" in codes
    assert not unknown


def test_a_code_of_which_nobody_can_say_what_it_is_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text("from x._errors import KanbanError\nKanbanError(x + y, 'W.', 'Y.', 'T.')")
    assert Source(tmp_path).codes()[1] == {"odd: x + y"}


@pytest.mark.parametrize("page", [ENGLISH, PORTUGUESE], ids=["en", "pt_BR"])
def test_each_section_is_short_and_its_links_lead_somewhere(page: Path) -> None:
    for head, body in sections(page):
        assert not head.startswith("### ") or 1 <= len(body.splitlines()) <= _MOST_LINES, head
        for path, anchor in _LINK.findall(body):
            file = page.parent / (path or page.name)
            assert file.is_file(), (head, path)
            assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), (head, path, anchor)


def test_both_languages_have_the_same_codes_commands_and_links_in_the_same_order() -> None:
    english, portuguese = sections(ENGLISH), sections(PORTUGUESE)
    # A heading that is a code is the same word for word; a group's heading has its words in each language.
    kinds = [
        [head if head[:4] == "### " else head.split()[0] for head, _body in page] for page in (english, portuguese)
    ]
    assert kinds[0] == kinds[1]
    for (head, here), (_head, there) in zip(english, portuguese, strict=True):
        codes = [sorted(" ".join(code.split()) for code in _CODE.findall(body)) for body in (here, there)]
        assert codes[0] == codes[1], head
        assert led_to(ENGLISH, here) == led_to(PORTUGUESE, there), head


def test_the_address_is_that_of_the_documentation() -> None:
    galaxy = (ROOT / "galaxy.yml").read_text()
    address = re.search(r"^documentation: (\S+)$", galaxy, re.MULTILINE)
    assert address
    assert PAGE.startswith(address[1])
    assert PAGE.endswith("/docs/errors.md#")


def test_a_result_has_the_page_and_its_message_ends_with_it() -> None:
    result = ServerError(
        "read_only_server", "It is a replica.", "It writes nothing.", "Act on the primary.", sqlstate="25006"
    ).as_result()
    page = f"{PAGE}read_only_server"
    assert result == {
        "msg": f"It is a replica. It writes nothing. Act on the primary. See {page}",
        "error": {
            "code": "read_only_server",
            "what": "It is a replica.",
            "why": "It writes nothing.",
            "todo": "Act on the primary.",
            "page": page,
        },
        "sqlstate": "25006",
    }
    assert without_page(str(result["msg"])) == ("It is a replica. It writes nothing. Act on the primary.", page)
    assert with_page("It is a replica.", "read_only_server") == f"It is a replica. See {page}"
    assert with_page("NOT DONE: a replica", "read_only_server") == f"NOT DONE: a replica. See {page}"
    # Anybody else's text stays as it is.
    assert without_page("See https://example.com/errors.md#x") == ("See https://example.com/errors.md#x", "")


def test_a_screen_has_each_page_once_at_the_end_of_its_line() -> None:
    answer = {"failed": True, **KanbanError("table_held", "Held.", "So on.", "End it.").as_result()}
    page = f"{PAGE}table_held"
    lines = [paged(f"{name}: NOT ACCOUNTED FOR: {why_not(answer)}", answer) for name in ("db1", "db2")]
    lines += [f"db3: the sweep gave no answer: {answer['msg']}; type it again", "db4: well"]
    assert as_screen(lines) == [
        f"db1: NOT ACCOUNTED FOR: Held. See {page}",
        "db2: NOT ACCOUNTED FOR: Held.",
        "db3: the sweep gave no answer: Held. So on. End it.; type it again",
        "db4: well",
    ]
    assert as_screen(lines[1:2], "yaml") == f"db2: NOT ACCOUNTED FOR: Held. See {page}"
    # A line that is cut does not end in half an address, and an error that is not ours has none.
    assert one_line(answer["msg"]) == "Held. So on. End it."
    assert paged("db1: gone", {"unreachable": True, "msg": "no route"}) == "db1: gone"
