# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that we renew and people edit: what is theirs stays, and what is new reaches them once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportblocks import (
    Block,
    BrokenMarkers,
    has_own_words,
    merged,
)

SAID = ("by hand", "not by hand", "newer:")


def blocks(fact: str = "2 s", ticked: str = " ", cause: str = "?") -> list[Block]:
    return [
        Block("facts", ["## Facts", "", fact]),
        Block("boxes", [f"- [{ticked}] **Flag off** — {fact}", "- [ ] **Told** — nobody"], ["flag", "told"]),
        Block("cause", ["## Cause", cause, "- [ ] an item"]),
    ]


def again(text: str | None, **facts: str) -> str:
    return merged(blocks(**facts), text, *SAID)


def test_what_nobody_changed_is_renewed_and_the_same_again_is_the_same() -> None:
    first = again(None)
    assert again(first) == first
    assert "2 s" in first
    second = again(first, fact="3 s")
    assert "2 s" not in second
    assert again(second, fact="3 s") == second


def test_text_around_the_blocks_and_a_block_that_people_changed_stay() -> None:
    mine = "Intro\n\n" + again(None).replace("## Cause\n?", "## Cause\nA missing index") + "\nMy own end\n"
    renewed = again(mine, fact="3 s")
    assert renewed.startswith("<!-- kanban:file") or renewed.startswith("Intro")
    assert "My own end\n" in renewed
    assert "A missing index" in renewed
    assert "3 s" in renewed
    # There is nothing new for that block, so nothing is offered.
    assert "newer:" not in renewed
    offered = again(renewed, fact="3 s", cause="The journal says")
    assert (offered.count("newer:"), offered.count("A missing index"), offered.count("The journal says")) == (1, 1, 1)
    assert again(offered, fact="3 s", cause="The journal says") == offered
    # What is offered is renewed as well, and if it was thrown away it does not come back.
    assert again(offered, fact="3 s", cause="Even newer").count("newer:") == 1
    begin = offered.index("<!-- kanban:begin cause-newer")
    thrown = offered[:begin] + offered[offered.index("<!-- kanban:end cause-newer -->") + 31 :]
    assert "newer:" not in again(thrown, fact="3 s", cause="The journal says")
    assert "newer:" in again(thrown, fact="3 s", cause="Even newer")


def test_what_people_wrote_ticked_or_took_out_is_told_from_what_we_wrote() -> None:
    first = again(None)
    assert not has_own_words(first)
    assert not has_own_words(again(first, fact="3 s", ticked="x"))
    ticked = again(first.replace("- [ ] **Told**", "- [x] **Told**"))
    begin, end = first.index("<!-- kanban:begin facts"), first.index("<!-- kanban:end facts -->")
    for theirs in (
        first + "\nMy own end\n",
        first.replace("?", "A missing index"),
        first.replace("- [ ] **Told**", "- [x] **Told**"),
        first.replace("- [ ] an item", "- [x] an item"),
        first[:begin] + first[end + 27 :],
        first[:-5],
        # A remembered tick counts, too, and so does what is offered beside what they changed.
        ticked,
        again(again(first.replace("?", "A missing index")), cause="The journal says"),
    ):
        assert has_own_words(theirs), theirs


def test_a_block_that_people_took_out_stays_out_and_one_of_a_newer_version_comes() -> None:
    first = again(None)
    begin, end = first.index("<!-- kanban:begin facts"), first.index("<!-- kanban:end facts -->")
    without = again(first[:begin] + first[end + 25 :], fact="3 s")
    assert "## Facts" not in without
    more = [*blocks(), Block("new", ["## New"])]
    assert merged(more, without, *SAID).count("## New") == 1
    assert "## Facts" not in merged(more, without, *SAID)


def test_a_box_that_is_ticked_by_hand_stays_ticked_and_evidence_takes_over() -> None:
    first = again(None)
    ticked = first.replace("- [ ] **Told**", "- [x] **Told**")
    for _number in range(2):
        ticked = again(ticked, fact="3 s")
        assert "- [x] **Told** — nobody (by hand)" in ticked
        assert "- [ ] **Flag off** — 3 s" in ticked
    # Evidence comes, and goes again: then the box is as the evidence says.
    seen = again(ticked, ticked="x")
    assert "- [x] **Flag off** — 2 s" in seen
    assert "by hand" not in seen.split("**Flag off**")[1].split("\n")[0]
    assert "- [ ] **Flag off**" in again(seen)
    # A tick by evidence that a person removes stays removed, and the evidence is still named.
    unticked = again(seen.replace("- [x] **Flag off**", "- [ ] **Flag off**"), ticked="x")
    assert "- [ ] **Flag off** — 2 s (not by hand)" in unticked
    assert again(unticked, ticked="x") == unticked
    back = again(unticked.replace("- [ ] **Flag off**", "- [x] **Flag off**"), ticked="x")
    assert "- [x] **Flag off** — 2 s\n" in back
    # A box without a name, such as an action item, keeps its tick too.
    assert "- [x] an item" in again(first.replace("- [ ] an item", "- [x] an item"), fact="3 s")


@pytest.mark.parametrize(
    "harm",
    [
        lambda text: text.replace("<!-- kanban:end facts -->", ""),
        lambda text: text.replace("<!-- kanban:begin boxes", "<!-- kanban:begin facts"),
        lambda text: text.replace("<!-- kanban:end facts -->", "<!-- kanban:end cause -->"),
        lambda text: text.replace(" made=", " made=x"),
        lambda text: text + "\n<!-- kanban:begin",
        lambda text: text[: text.index("<!-- kanban:end cause")],
    ],
)
def test_markers_that_do_not_fit_are_told_and_nothing_is_made_of_them(harm: object) -> None:
    with pytest.raises(BrokenMarkers):
        again(harm(again(None)))  # type: ignore[operator]


@given(st.text(alphabet=st.characters(exclude_characters="\r"), max_size=200), st.text(max_size=100))
def test_whatever_people_write_stays(theirs: str, fact: str) -> None:
    line = " ".join(fact.split())
    mine = again(None).replace("## Cause\n?", f"## Cause\n?{theirs}")
    try:
        renewed = again(mine, fact=line)
    except BrokenMarkers:
        assert "<!-- kanban:" in mine.replace(again(None), "")
        return
    assert f"## Cause\n?{theirs}".rsplit("\n", maxsplit=1)[-1].rstrip() in renewed
    assert again(renewed, fact=line) == renewed
