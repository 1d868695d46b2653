# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a write block, and what holding or releasing it would do, whatever is stored there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._block import (
    MOST_TTL,
    NONE,
    OTHER,
    STRING,
    Seen,
    Wish,
    as_text,
    owner_key,
    wish_from,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._blockplan import not_as_asked, plan, to_mend
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

TEXTS = st.sampled_from([b"true", b"false", b"", b"INC-1", b"INC-2", b"x" * 300])
LEFT = st.one_of(st.just(-1), st.integers(0, 10**7))


@st.composite
def seen(draw: st.DrawFn) -> Seen:
    kind, owner_kind = draw(st.sampled_from([NONE, STRING, OTHER])), draw(st.sampled_from([NONE, STRING, OTHER]))
    left = -2 if kind == NONE else draw(LEFT)
    return Seen(
        kind,
        draw(TEXTS) if kind == STRING else b"",
        owner_kind,
        draw(TEXTS) if owner_kind == STRING else b"",
        left,
        -2 if owner_kind == NONE else draw(st.one_of(st.just(left), LEFT) if left != -2 else LEFT),
    )


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    return Wish(
        key="block",
        value=draw(TEXTS),
        owner=draw(st.sampled_from([b"INC-1", b"INC-2"])),
        present=draw(st.booleans()),
        ttl_ms=draw(st.sampled_from([0, 1000, 10**6, 10**8])),
        force=draw(st.booleans()),
    )


@given(seen(), wishes())
def test_it_ends_as_asked_or_is_refused(there: Seen, wish: Wish) -> None:
    step = plan(there, wish)
    after = step.after(there, wish)
    if step.refusal:
        assert not step.write
        assert not step.changed
        assert not wish.force
        assert after == there
    elif wish.present:
        assert after.is_held(wish.value)
        assert after.is_of(wish.owner) or not step.write or step.owner == there.owner
        assert not after.uneven
    else:
        assert after.kind == NONE
    assert step.refusal or not_as_asked(after, wish) is None
    assert not step.changed or step.write
    assert not (step.changed and step.renewed)


@given(seen(), wishes())
def test_a_second_time_changes_nothing(there: Seen, wish: Wish) -> None:
    again = plan(plan(there, wish).after(there, wish), wish)
    assert not again.changed
    assert not again.prolonged


@given(seen(), wishes())
def test_another_owners_block_stays_theirs_and_may_only_get_more_time(there: Seen, wish: Wish) -> None:
    others = NONE not in (there.kind, there.owner_kind) and not there.is_of(wish.owner)
    step = plan(there, wish)
    if not others or wish.force:
        assert not step.prolonged
        return
    after = step.after(there, wish)
    assert (after.kind, after.value, after.owner_kind, after.owner) == (
        there.kind,
        there.value,
        there.owner_kind,
        there.owner,
    )
    assert wish.present or not step.write
    if wish.present and not step.refusal:
        assert after.left_ms == -1 or after.left_ms >= max(there.left_ms, wish.ttl_ms) > 0
        assert step.prolonged is (after.left_ms != there.left_ms)
        assert not step.taken_over


@given(seen(), wishes())
def test_it_is_never_shorter_unless_forced(there: Seen, wish: Wish) -> None:
    step = plan(there, wish)
    if step.write == "hold" and there.kind != NONE and not wish.force:
        after = step.after(there, wish)
        assert after.left_ms == -1 or (there.expires and after.left_ms >= there.left_ms)


@given(seen(), wishes())
def test_what_a_result_cannot_show_is_set_aside(there: Seen, wish: Wish) -> None:
    step = plan(there, wish)
    if step.write and not step.set_aside:
        shown = [as_text(text) for text in (there.value, there.owner)]
        assert OTHER not in (there.kind, there.owner_kind)
        assert there.value == wish.value or not shown[0].endswith("…")
        assert there.owner == wish.owner or not shown[1].endswith("…")


def slot(key: bytes) -> int:
    """Return the hash slot of Redis Cluster, by its specification."""
    start = key.find(b"{")
    end = key.find(b"}", start + 1) if start >= 0 else -1
    checksum = 0
    for byte in key[start + 1 : end] if end > start + 1 else key:
        checksum ^= byte << 8
        for _bit in range(8):
            checksum = (checksum << 1 ^ (0x1021 if checksum & 0x8000 else 0)) & 0xFFFF
    return checksum % 16384


@given(st.text(min_size=1))
def test_the_owner_lies_in_the_same_slot(key: str) -> None:
    tagged = f"app:{{{key.translate({123: None, 125: None}) or 'x'}}}:block"
    for name in ([] if "{" in key or "}" in key else [key]) + [tagged]:
        raw, owner = (text.encode("utf-8", "surrogatepass") for text in (name, owner_key(name)))
        assert slot(raw) == slot(owner)
        assert raw != owner


def test_the_slot_is_the_one_that_redis_counts() -> None:
    assert slot(b"123456789") == 0x31C3 % 16384
    assert slot(b"{a}b") == slot(b"a")
    assert slot(b"{}b") != slot(b"")


@pytest.mark.parametrize(
    ("raw", "text"), [(b"a\xffb", "a\\xffb"), ("ação".encode(), "ação"), (b"x" * 201, "x" * 200 + "…"), (b"", "")]
)
def test_bytes_become_text(raw: bytes, text: str) -> None:
    assert as_text(raw) == text


def wanted(**changes: Any) -> Wish:
    return wish_from({"key": "block", "owner": " INC-1 ", "value": "true", "ttl": 5, "force": False, **changes}, True)


@pytest.mark.parametrize(
    ("given", "sent"),
    [(True, b"true"), (False, b"false"), (1, b"1"), (1.5, b"1.5"), ("True", b"True"), ("é", b"\xc3\xa9")],
)
def test_a_value_is_sent_as_it_is_meant(given: Any, sent: bytes) -> None:
    assert wanted(value=given) == Wish("block", sent, b"INC-1", True, 5000)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": ""},
        {"owner": " "},
        {"ttl": -1},
        {"ttl": MOST_TTL + 1},
        {"ttl": 10**19},
        {"value": None},
        {"value": {}},
        {"value": "\ud800"},
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        wanted(**changes)


def test_a_ttl_that_is_too_long_says_what_to_do() -> None:
    assert wanted(ttl=MOST_TTL).ttl_ms == 366 * 24 * 3600 * 1000
    with pytest.raises(BadInput, match="366 days") as error:
        wanted(ttl=MOST_TTL + 1)
    assert "kanban_write_block_ttl" in error.value.todo


@pytest.mark.parametrize(
    ("left", "owner_left", "uneven"),
    [(-1, -1, False), (-1, 900, True), (900, -1, True), (0, -1, True), (5000, 5900, False), (5000, 6100, True)],
)
def test_keys_that_do_not_end_together(left: int, owner_left: int, uneven: bool) -> None:
    there = Seen(STRING, b"true", STRING, b"INC-1", left, owner_left)
    assert there.uneven is uneven
    assert bool(to_mend(there)) is uneven
    assert not Seen(STRING, b"true", NONE, b"", left, -2).uneven


def test_an_expiry_that_is_longer_than_any_is_none() -> None:
    """Redis would refuse such an expiry when it is written again."""
    there = Seen(STRING, b"true", NONE, b"", 2**62, -2)
    step = plan(there, Wish("block", b"true", b"INC-1", ttl_ms=1000))
    assert (step.write, step.left_ms) == ("hold", 0)


def test_a_block_in_its_last_millisecond_is_not_taken_for_one_without_end() -> None:
    there = Seen(STRING, b"true", STRING, b"INC-1", 0, 0)
    assert plan(there, Wish("block", b"true", b"INC-1")).write == "hold"


def test_reading_needs_no_owner() -> None:
    assert wish_from({"key": "block", "owner": "", "value": True}, True).owner == b""


@pytest.mark.parametrize(
    ("there", "wish", "fine"),
    [
        (Seen(STRING, b"true", STRING, b"INC-1", -1), {}, True),
        (Seen(STRING, b"true", STRING, b"INC-1", 900), {}, False),
        (Seen(STRING, b"true", STRING, b"INC-1", 900), {"ttl_ms": 1000}, True),
        (Seen(STRING, b"true", STRING, b"INC-2", 900), {}, False),
        (Seen(STRING, b"true", STRING, b"INC-2", 900), {"ttl_ms": 1000}, True),
        (Seen(STRING, b"1", STRING, b"INC-1", -1), {}, False),
        (Seen(OTHER, b"", STRING, b"INC-1", -1), {}, False),
        (Seen(), {}, False),
        (Seen(), {"present": False}, True),
        (Seen(STRING, b"true", STRING, b"INC-2", -1), {"present": False}, True),
        (Seen(STRING, b"true", STRING, b"INC-1", -1), {"present": False}, False),
        (Seen(STRING, b"true"), {"present": False}, False),
    ],
)
def test_what_is_read_back_is_judged(there: Seen, wish: dict[str, Any], fine: bool) -> None:
    error = not_as_asked(there, Wish(**{"key": "block", "value": b"true", "owner": b"INC-1", **wish}))
    assert (error is None) is fine
