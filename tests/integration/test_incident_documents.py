# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one controller has and the next one needs is in the ledger: people's words, and who was told what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.support.telling import Told, telling

ID = "INC-20261125-042"
HOSTILE = "<script>{{ 7*7 }}</script> '; DROP SCHEMA kanban_rollback; -- @channel 🙂 \\u0000"
WORDS = "## What happened\n"


@pytest.fixture
def ledger(db: Database) -> Modules:
    """Modules that run on a ledger that knows the incident, also by an alias; it is closed by now."""
    made = db.modules()
    made.ok("incident", incident_id=ID, aliases=["INC-ALIAS"])
    made.ok("incident", incident_id=ID, state="closed")
    return made


def kept(ledger: Modules, *documents: dict[str, str], check: bool = False, **options: Any) -> Result:
    return ledger.ok("incident_documents", check, **{"incident_id": ID, "documents": list(documents), **options})


def texts(done: Result) -> dict[str, str]:
    return {one["name"]: one["text"] for one in done["documents"]}


def test_a_document_is_kept_once_and_read_to_the_letter(db: Database, ledger: Modules) -> None:
    first = {"name": "words.md", "text": f"{HOSTILE}\x00\ud800"}
    planned = kept(ledger, first, check=True)
    assert (planned["changed"], planned["kept"], planned["documents"]) == (True, ["words.md"], [])
    done = kept(ledger, first, {"name": "messages/m", "text": "{}"})
    assert (done["changed"], sorted(done["kept"]), done["known_as"]) == (True, ["messages/m", "words.md"], ID)
    assert texts(done)["words.md"] == f"{HOSTILE}�?"
    assert kept(ledger, first)["changed"] is False
    newer = kept(ledger, {**first, "text": "newer"}, incident_id="INC-ALIAS")
    (words,) = [one for one in newer["documents"] if one["name"] == "words.md"]
    assert (words["text"], len(words["earlier"])) == ("newer", 1)
    # Nothing was opened for it, and a look at the incident does not return the texts.
    told = ledger.ok("incident_info", incident_id=ID)
    assert (told["open"], told["chain_broken_at"], len(told["incidents"])) == ([], [], 1)
    assert [one["data"]["name"] for one in told["events"]] == ["words.md", "messages/m", "words.md"]
    assert {len(one["data"]) for one in told["events"]} == {1}
    # A role that may write no more than other modules need can do it, too.
    role = db.role("ops")
    db.modules().ok("ledger", grant_to=[role])
    assert kept(db.modules(role), {**first, "text": "by ops"})["kept"] == ["words.md"]


def test_what_cannot_be_kept_is_an_error_and_what_is_not_there_is_nothing(db: Database) -> None:
    modules = db.modules()
    nothing = kept(modules)
    assert (nothing["documents"], nothing["known_as"], db.has_ledger()) == ([], None, False)
    given: dict[str, Any] = {"incident_id": ID, "documents": [{"name": "words.md", "text": "x"}]}
    modules.fails("unknown_incident", "incident_documents", **given)
    assert not db.has_ledger()
    modules.ok("incident", incident_id=ID)
    for code, document in (
        ("bad_name", {"name": "../words.md", "text": "x"}),
        ("too_long", {"name": "words.md", "text": "x" * 262145}),
    ):
        modules.fails(code, "incident_documents", **{**given, "documents": [document]})
    # Somebody holds the table: the wait is bounded.
    with db.transaction("LOCK TABLE kanban_rollback.events IN ACCESS EXCLUSIVE MODE"):
        done = modules.run("incident_documents", **given, deadline=1)
    assert (done.get("failed"), kept(modules)["documents"]) == (True, []), done


def words(directory: Path, known: Result, check: bool = False) -> Result:
    given: dict[str, Any] = {"incident_id": ID, "path": str(directory), "known": known["documents"]}
    return Modules({}).ok("incident_words", check, **given)


def test_peoples_words_go_from_one_controller_to_the_next(ledger: Modules, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    # There is nothing to keep of a file that nobody wrote in.
    assert words(one, kept(ledger))["keep"] == []
    file, other = one / ID / "words.md", two / ID / "words.md"
    file.write_text(f"{WORDS}{HOSTILE}\n")
    assert kept(ledger, *words(one, kept(ledger))["keep"])["kept"] == ["words.md"]
    assert words(one, kept(ledger))["keep"] == []
    # On another controller it is written to disk, and people continue with it.
    assert words(two, kept(ledger), check=True)["words"]["what_happened"] == HOSTILE
    assert not two.exists()
    assert words(two, kept(ledger))["words"]["what_happened"] == HOSTILE
    assert (other.read_text(), other.stat().st_mode & 0o777) == (file.read_text(), 0o600)
    other.write_text(f"{WORDS}An index is missing.\n")
    assert kept(ledger, *words(two, kept(ledger))["keep"])["kept"] == ["words.md"]
    # Nobody has written here since, so the newer words are used.
    assert words(one, kept(ledger))["words"]["what_happened"] == "An index is missing."
    # Both write: neither text is lost, and the second one is told where the other is.
    file.write_text(f"{WORDS}One says this.\n")
    other.write_text(f"{WORDS}Two says that.\n")
    kept(ledger, *words(one, kept(ledger))["keep"])
    late = words(two, kept(ledger))
    assert (late["words"]["what_happened"], late["beside"]) == ("Two says that.", ["words.elsewhere.md"])
    assert (two / ID / "words.elsewhere.md").read_text() == f"{WORDS}One says this.\n"
    kept(ledger, *late["keep"])
    assert words(two, kept(ledger))["beside"] == []
    # One has not written since, so it takes the other's words; its own are in the ledger's chain, and next to those.
    assert words(one, kept(ledger))["words"]["what_happened"] == "Two says that."


def test_words_that_two_wrote_at_once_are_on_somebodys_disk(ledger: Modules, tmp_path: Path) -> None:
    """Both have read the ledger before either gives it what was written."""
    one, two = tmp_path / "one", tmp_path / "two"
    for place in (one, two):
        assert words(place, kept(ledger))["keep"] == []
        (place / ID / "words.md").write_text(f"{WORDS}{place.name} says this.\n")
    first, second = (words(place, kept(ledger)) for place in (one, two))
    kept(ledger, *first["keep"])
    kept(ledger, *second["keep"])
    late = words(one, kept(ledger))
    assert (late["words"]["what_happened"], late["beside"]) == ("one says this.", ["words.elsewhere.md"])
    assert (one / ID / "words.elsewhere.md").read_text() == f"{WORDS}two says this.\n"
    # What one says now comes after both, so two takes it over.
    kept(ledger, *late["keep"])
    assert words(two, kept(ledger))["words"]["what_happened"] == "one says this."


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    with telling(tmp_path) as running:
        yield running


def test_another_controller_tells_what_is_missing_and_nothing_twice(
    ledger: Modules, told: Told, tmp_path: Path
) -> None:
    message = {"key": "scenario3-announce", "kind": "announce", "subject": "Off", "text": HOSTILE,
               "routes": ["slack:#incidents", "slack:#engineering", "pagerduty"]}  # fmt: skip

    def tell(where: str, *messages: dict[str, Any], known: bool = True, **options: Any) -> Result:
        documents = kept(ledger)["documents"] if known else []
        given: dict[str, Any] = {
            "incident_id": ID,
            "path": str(tmp_path / where),
            "slack": told.slack,
            "pagerduty": told.pager,
        }
        return Modules({}).ok("notify", **given, messages=list(messages), known=documents, deadline=5, **options)

    told.order({"on": "chat.postMessage", "has": "#engineering", "status": 429, "headers": {"Retry-After": "60"}})
    first = tell("one", message)
    assert [len(first[name]) for name in ("sent", "not_sent", "keep")] == [2, 1, 1]
    kept(ledger, *first["keep"])
    # What would be sent from there is known without a file, and without making one.
    listed = tell("two", message, state="listed")
    assert ([one["message"] for one in listed["kept"]], listed["would_send"]) == (
        ["scenario3-announce"],
        [{"message": "scenario3-announce", "route": "slack:#engineering"}],
    )
    assert not (tmp_path / "two").exists()
    second = tell("two", {**message, "subject": "In other words"})
    assert ([one["route"] for one in second["sent"]], second["already"]) == (["slack:#engineering"], 2)
    kept(ledger, *second["keep"])
    assert (tmp_path / "two" / ID / "messages/scenario3-announce.md").read_text() == f"Off\n\n{HOSTILE}\n"
    # The first does not know that by itself, but learns it from the ledger; if the ledger is silent, its disk counts.
    assert tell("one")["sent"] == []
    assert (len(told.posts("#incidents")), len(told.posts("#engineering")), told.events()) == (1, 1, ["trigger"])
    assert tell("one", message, known=False)["sent"] == []
    # Anything in a ledger that is not a message is ignored, and a dry run leaves nothing to keep.
    broken = [{"name": "messages/x", "text": "{}", "at": "2026", "earlier": []}, {"name": 1}, {"name": "words.md"}]
    done = Modules({}).ok("notify", incident_id=ID, path=str(tmp_path / "three"), known=broken, messages=[message],
                          dry_run=True)  # fmt: skip
    assert (done["messages"], done["keep"]) == (1, [])
    kept_text = json.loads(texts(kept(ledger))["messages/scenario3-announce"])
    assert {route["status"] for route in kept_text["routes"]} == {"sent"}
