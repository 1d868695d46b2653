# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links of the documentation lead somewhere, on GitHub and in the site, and the tests that it names exist."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

from tools import docs
from tools.gates import ROOT

REPOSITORY = "https://forge.example.com/ours"
LISTED = [
    PurePosixPath(name)
    for name in ("README.md", "LICENSE", "docs/one.md", "docs/on/call.md", "docs/a.svg", "roles/x/main.yml")
]
PAGES = docs.places([Path(name) for name in LISTED])
NAMES = {PurePosixPath("docs/one.md"): {"part", "here"}}
WHERE = f"{REPOSITORY}/blob/main"


@pytest.mark.parametrize(
    ("page", "text", "here"),
    [
        ("README.md", "[a](docs/one.md#part) [b](LICENSE)", f"[a](one.md#part) [b]({WHERE}/LICENSE)"),
        ("docs/one.md", "![a](a.svg) [`b`](on/call.md)", "![a](a.svg) [`b`](on/call.md)"),
        ("docs/one.md", "[a](../README.md)\n[b]: ../roles/x", f"[a](README.md)\n[b]: {REPOSITORY}/tree/main/roles/x"),
        ("docs/on/call.md", '[a](../one.md) <a href="../../LICENSE">', f'[a](../one.md) <a href="{WHERE}/LICENSE">'),
        # An address, a place in the same page, and code stay as they are.
        *(
            ("docs/one.md", text, text)
            for text in (
                "[a](https://example.com/x.md) [b](#here) [c](mailto:x@example.com)",
                "`[a](nowhere.md)` and ``[b](no`where.md)``",
                "```md\n[a](nowhere.md)\n```\n~~~\n[b](nowhere.md)\n~~~",
            )
        ),
    ],
)
def test_a_link_of_the_repository_is_one_of_the_site(page: str, text: str, here: str) -> None:
    assert docs.settled(text, PurePosixPath(page), PAGES, LISTED, REPOSITORY, NAMES) == (here, [])


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("[a](two.md)", "two.md"),
        ("[a](docs/one.md#part)", "docs/one.md"),
        ("[a](../roles/x/main.yaml)", "../roles/x/main.yaml"),
        ("`code\nof two lines` [a](two.md) `b`", "two.md"),
        ('<img src="b.svg">', "b.svg"),
        ("[a]: two.md", "two.md"),
        ("[a](#there)", "#there"),
    ],
)
def test_a_link_that_leads_nowhere_is_named(text: str, target: str) -> None:
    _text, complaints = docs.settled(text, PurePosixPath("docs/one.md"), PAGES, LISTED, REPOSITORY, NAMES)
    assert [text.partition(" leads ")[0] for text in complaints] == [f"docs/one.md: the link to {target}"]


def test_headings_are_named_as_on_github() -> None:
    text = '# A `b_c` -- d!\n## Twice\n```\n# none\n```\n## Twice ##\n### [Só](x.md) *isto*, 2\n<a id="own"></a>\n'
    assert docs.anchors(text) == {"a-b_c----d", "twice", "twice-1", "só-isto-2", "own"}


def test_a_page_that_nothing_leads_to_is_named() -> None:
    assert [text.partition(":")[0] for text in docs.unreachable(PAGES)] == ["docs/on/call.md", "docs/one.md"]
    assert docs.unreachable(docs.places([Path("docs/awx.md"), Path("docs/journal.schema.json")])) == []


def test_a_finished_site_arrives_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "style.css").write_text("")
    (tmp_path / "b/two.html").write_text('<p id="here"><a href="../one.html">x</a><a href="#here">y</a>')
    one = tmp_path / "one.html"
    one.write_text(
        '<link rel="stylesheet" href="style.css?v=1"><a href="b/two.html#here">x</a><a href="https://x.example">y</a>'
    )
    assert list(docs.complaints_about(tmp_path)) == []
    one.write_text(
        '<script src="https://cdn.example/x.js"></script><link rel="stylesheet" href="//fonts.example/x.css">'
        '<a href="b/two.html#there">x</a><a href="three.html">y</a>'
    )
    assert list(docs.complaints_about(tmp_path)) == [
        "one.html: loads //fonts.example/x.css from another host",
        "one.html: loads https://cdn.example/x.js from another host",
        "one.html: the link to b/two.html#there leads to the page, but not to a place in it",
        "one.html: the link to three.html leads nowhere",
    ]


def test_each_link_of_the_documentation_leads_somewhere_and_each_page_is_found(tmp_path: Path) -> None:
    assert docs.lay_out(tmp_path) == []
    start = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert start.startswith("# On call\n")
    assert "\nsecurity\n" in start.partition("{toctree}")[2]


def test_what_security_says_is_shown_by_a_test_that_is_there() -> None:
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    tests = {
        name: path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", text)
    assert len(named) > 40
    for path, test in named:
        assert (ROOT / path).is_file(), path
        assert not test or re.search(rf"^def {test}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), test
    for test in re.findall(r"`(test_\w+)`", text):
        assert test in tests
    for module in re.findall(r"`(_\w+)\.(?:py|\w+)`", text):
        assert (ROOT / f"plugins/module_utils/{module}.py").is_file(), module


def test_the_first_page_that_a_stranger_reads_is_short() -> None:
    text = (ROOT / "README.md").read_text()
    assert (len(text.splitlines()) <= 130, len(text.split()) <= 1300) == (True, True)
