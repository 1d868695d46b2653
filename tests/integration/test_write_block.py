# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A write block is held, renewed, taken over and released; another's stays; the result says truly what was done."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.blocks import HELD, KEY, OURS, OWNER, THEIRS, Place


@pytest.fixture(scope="module")
def shared() -> Iterator[Place]:
    with Place.started(appendonly="yes") as made:
        yield made


@pytest.fixture
def redis(shared: Place) -> Place:
    shared.run("FLUSHALL")
    return shared


def about(result: dict[str, Any], *names: str) -> list[Any]:
    return [result[name] for name in names]


def test_hold_twice_and_release_twice(redis: Place) -> None:
    first = redis.hold()
    assert about(first, "changed", "held", "ours", "owner", "value", "ttl_seconds") == [
        True,
        True,
        True,
        OURS,
        "true",
        None,
    ]
    assert about(first, "previous", "renewed", "taken_over", "skipped", "warnings") == [None, False, False, False, []]
    assert redis.there() == HELD
    second = redis.hold()
    assert about(second, "changed", "held", "ours", "renewed") == [False, True, True, False]
    assert redis.there() == HELD
    gone = redis.release()
    assert about(gone, "changed", "held", "ours", "owner", "value", "type") == [True, False, False, None, None, "none"]
    assert gone["previous"] == {"type": "string", "value": "true", "owner": OURS, "ttl_seconds": None}
    assert redis.there() == {}
    assert about(redis.release(), "changed", "held", "warnings") == [False, False, []]


def test_check_mode_changes_nothing_and_shows_the_difference(redis: Place) -> None:
    planned = redis.hold(check=True)
    assert about(planned, "changed", "held", "owner") == [True, True, OURS]
    assert planned["diff"]["before"] == {"key": KEY, "value": None, "owner": None, "expires": False}
    assert planned["diff"]["after"] == {"key": KEY, "value": "true", "owner": OURS, "expires": False}
    assert redis.there() == {}
    done = redis.hold()
    for result in (planned, done):
        result.pop("elapsed_ms")
    assert planned == done
    assert about(redis.hold(check=True), "changed", "held") == [False, True]
    planned = redis.release(check=True)
    assert about(planned, "changed", "held", "type") == [True, False, "none"]
    assert redis.there() == HELD


def test_a_colleague_of_the_same_incident_renews(redis: Place) -> None:
    first = redis.hold(ttl=100)
    assert first["changed"] is True
    assert 99 <= first["ttl_seconds"] <= 100
    redis.run("PEXPIRE", KEY, 50_000)
    again = redis.hold(ttl=100)
    assert about(again, "changed", "renewed") == [False, True]
    assert again["previous"]["ttl_seconds"] in (49, 50)
    there = redis.there()
    assert 99_000 < there[KEY][1] <= 100_000
    assert abs(there[KEY][1] - there[OWNER][1]) < 50


def test_a_block_is_never_made_shorter_unless_forced(redis: Place) -> None:
    redis.hold(ttl=1000)
    shorter = redis.hold(ttl=10)
    assert about(shorter, "changed", "renewed") == [False, False]
    assert redis.there()[KEY][1] > 990_000
    for_good = redis.hold()
    assert about(for_good, "changed", "ttl_seconds") == [True, None]
    assert redis.there() == HELD
    ends = redis.hold(ttl=10)
    assert about(ends, "changed", "ttl_seconds") == [False, None]
    assert redis.there() == HELD
    forced = redis.hold(ttl=10, force=True)
    assert forced["changed"] is True
    assert forced["ttl_seconds"] <= 10
    assert 0 < redis.there()[OWNER][1] <= 10_000


def test_a_block_typed_by_hand_is_taken_over(redis: Place) -> None:
    redis.set_by_hand(seconds=3600)
    done = redis.hold()
    assert about(done, "changed", "taken_over", "ours", "ttl_seconds") == [True, True, True, None]
    assert done["previous"]["owner"] is None
    assert done["previous"]["ttl_seconds"] == 3600
    assert "without an owner" in done["warnings"][0]
    assert redis.there() == HELD


def test_a_value_typed_wrongly_is_put_right_and_told(redis: Place) -> None:
    redis.set_by_hand("1")
    done = redis.hold()
    assert about(done, "changed", "held", "value") == [True, True, "true"]
    assert done["previous"]["value"] == "1"
    assert any("'1'" in warning for warning in done["warnings"])
    redis.set_by_hand("1", OURS)
    assert redis.hold()["previous"]["value"] == "1"
    assert redis.there() == HELD


def test_anothers_block_counts_and_stays(redis: Place) -> None:
    redis.set_by_hand(owner=THEIRS)
    before = redis.there()
    left = redis.hold(ttl=60)
    assert about(left, "changed", "held", "ours", "owner", "prolonged") == [False, True, False, THEIRS, False]
    assert THEIRS in left["warnings"][0]
    assert "left as it is" in left["warnings"][0]
    assert redis.there() == before
    refused = redis.refused("not_owner", state="absent")
    assert about(refused, "changed", "held", "ours", "owner") == [False, True, False, THEIRS]
    assert THEIRS in refused["msg"]
    redis.refused("not_owner", check=True, state="absent")
    assert redis.there() == before


@pytest.mark.parametrize("how", ["script", "watch"])
def test_anothers_block_that_would_end_is_prolonged_and_stays_theirs(redis: Place, how: str) -> None:
    place = redis
    if how == "watch":
        rights = ("+get", "+pttl", "+set", "+del", "+watch", "+unwatch", "+multi", "+exec")
        redis.run("ACL", "SETUSER", "app", "reset", "on", ">app-password", f"~{KEY}", f"~{OWNER}", *rights)
        place = Place(redis.server, {"login_user": "app", "login_password": "app-password"})
    redis.set_by_hand(owner=THEIRS, seconds=500)
    before = redis.there()
    # As long as this incident asks for, and a plan first.
    planned = place.hold(check=True, ttl=800)
    assert about(planned, "changed", "prolonged", "ttl_seconds") == [False, True, 800]
    assert 0 < redis.there()[KEY][1] <= before[KEY][1]
    longer = place.hold(ttl=800)
    assert about(longer, "changed", "held", "ours", "owner", "taken_over") == [False, True, False, THEIRS, False]
    assert about(longer, "prolonged", "renewed") == [True, True]
    assert longer["previous"]["ttl_seconds"] in (499, 500)
    assert 799 <= longer["ttl_seconds"] <= 800
    assert any(THEIRS in text and re.search(r"from \d+ s to 800 s", text) for text in longer["warnings"])
    assert all(799_000 < left <= 800_000 for _value, left in redis.there().values())
    # Never shorter.
    shorter = place.hold(ttl=60)
    assert about(shorter, "changed", "prolonged", "renewed") == [False, False, False]
    assert "it ends in " in shorter["warnings"][0]
    # For good.
    planned = place.hold(check=True)
    assert about(planned, "changed", "prolonged", "ttl_seconds") == [True, True, None]
    assert planned["diff"]["before"] == {"key": KEY, "value": "true", "owner": THEIRS, "expires": True}
    assert planned["diff"]["after"] == {"key": KEY, "value": "true", "owner": THEIRS, "expires": False}
    assert redis.there()[KEY][1] > 0
    for_good = place.hold()
    assert about(for_good, "changed", "held", "ours", "prolonged", "ttl_seconds") == [True, True, False, True, None]
    assert any("to no expiry" in text and "stays theirs" in text for text in for_good["warnings"])
    assert redis.there() == {KEY: ("true", -1), OWNER: (THEIRS, -1)}
    assert about(place.hold(), "changed", "prolonged") == [False, False]
    # Its owner has it as before; we do not.
    place.refused("not_owner", state="absent")
    assert place.release(owner=THEIRS)["changed"] is True
    assert redis.there() == {}


@pytest.mark.parametrize("owner", [OURS, THEIRS])
@pytest.mark.parametrize("key", [KEY, OWNER], ids=["block", "owner"])
@pytest.mark.parametrize("ttl", [0, 60])
def test_keys_that_do_not_end_together_are_mended(redis: Place, owner: str, key: str, ttl: int) -> None:
    redis.set_by_hand(owner=owner)
    redis.run("PEXPIRE", key, 500_000)
    told = redis.info()
    assert about(told, "held", "owner") == [True, owner]
    never, soon = ("ttl_seconds", "owner_ttl_seconds") if key == OWNER else ("owner_ttl_seconds", "ttl_seconds")
    assert told[never] is None
    assert 495 < told[soon] <= 500
    assert any("do not end together" in text for text in told["warnings"])
    for check in (True, False):
        mended = redis.hold(check=check, ttl=ttl)
        assert about(mended, "changed", "held", "owner") == [True, True, owner]
        assert any("do not end together" in text for text in mended["warnings"])
    ends = 500_000 if key == KEY and ttl else -1
    there = redis.there()
    assert [value for value, _left in there.values()] == ["true", owner]
    assert all(left == -1 if ends == -1 else 499_000 < left <= 500_000 for _value, left in there.values())
    assert redis.hold(ttl=ttl)["changed"] is False
    assert not any("end together" in text for text in redis.info()["warnings"])


def test_anothers_block_with_another_value_is_not_taken_for_held(redis: Place) -> None:
    redis.set_by_hand("false", owner=THEIRS)
    before = redis.there()
    refused = redis.refused("other_value")
    assert about(refused, "held", "value", "owner") == [False, "false", THEIRS]
    assert redis.there() == before


def test_force_takes_over_and_releases(redis: Place) -> None:
    redis.set_by_hand(owner=THEIRS)
    done = redis.hold(force=True)
    assert about(done, "changed", "taken_over", "ours") == [True, True, True]
    assert done["previous"]["owner"] == THEIRS
    assert redis.there() == HELD
    redis.set_by_hand(owner=THEIRS)
    gone = redis.release(force=True)
    assert about(gone, "changed", "held") == [True, False]
    assert THEIRS in gone["warnings"][0]
    assert redis.there() == {}


def test_a_block_without_owner_is_released_and_told(redis: Place) -> None:
    redis.set_by_hand()
    gone = redis.release()
    assert gone["changed"] is True
    assert "without an owner" in gone["warnings"][0]
    assert redis.there() == {}


@pytest.mark.parametrize("key", [KEY, OWNER], ids=["block", "owner"])
def test_a_key_of_another_type_is_left_and_with_force_renamed(redis: Place, key: str) -> None:
    redis.run("SET", KEY, "true")
    redis.run("DEL", key)
    redis.run("HSET", key, "precious", "1")
    before = redis.there()
    for state in ("present", "absent"):
        refused = redis.refused("wrong_type", state=state)
        assert key in refused["msg"]
    assert redis.there() == before
    done = redis.hold(force=True)
    aside = done["set_aside"] + (":owner" if key == OWNER else "")
    assert redis.there() == {**HELD, aside: ("hash", -1)}
    assert redis.run("HGETALL", aside) == {"precious": "1"}


def test_a_value_too_long_for_a_result_is_renamed(redis: Place) -> None:
    redis.set_by_hand("x" * 5000)
    done = redis.hold()
    assert done["previous"]["value"] == "x" * 200 + "…"
    assert redis.there() == {**HELD, done["set_aside"]: ("x" * 5000, -1)}
    assert done["set_aside"].startswith(f"{{{KEY}}}:set-aside:")


def test_an_owner_that_was_left_over_is_cleared(redis: Place) -> None:
    redis.run("SET", OWNER, OURS)
    assert redis.release()["changed"] is True
    assert redis.there() == {}
    redis.run("SET", OWNER, THEIRS)
    assert redis.release()["changed"] is False
    assert redis.there() == {OWNER: (THEIRS, -1)}
    assert about(redis.hold(), "changed", "taken_over") == [True, False]
    assert redis.there() == HELD


def test_info_tells_the_same_and_changes_nothing(redis: Place) -> None:
    assert about(redis.info(), "held", "ours", "type", "value") == [False, False, "none", None]
    held = redis.hold(ttl=60)
    told = redis.info()
    for name in ("held", "ours", "owner", "value", "type", "ttl_seconds", "owner_ttl_seconds", "server"):
        assert told[name] == held[name], name
    assert told["changed"] is False
    assert redis.info(owner=THEIRS)["ours"] is False
    assert redis.info(value="1")["held"] is False
    redis.run("DEL", KEY)
    redis.run("HSET", KEY, "a", "b")
    assert about(redis.info(), "held", "type", "value") == [False, "other", None]
    assert redis.there()[KEY][0] == "hash"


def test_two_operators_at_once(redis: Place) -> None:
    """Two incidents, the same moment: one owns it, the other is told so; nobody fails."""
    for number in range(6):
        owners = [f"INC-{number}-a", f"INC-{number}-b"]
        with (
            redis.modules.start("write_block", owner=owners[0]) as one,
            redis.modules.start("write_block", owner=owners[1]) as two,
        ):
            results = [one.result(), two.result()]
        assert [result.get("failed", False) for result in results] == [False, False], results
        assert sorted(result["ours"] for result in results) == [False, True]
        assert sorted(result["changed"] for result in results) == [False, True]
        owner = owners[[result["ours"] for result in results].index(True)]
        assert redis.there() == {KEY: ("true", -1), OWNER: (owner, -1)}
        redis.run("FLUSHALL")
