# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is over and what stays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _dumpmanifest as manifests
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _keptfiles
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import file_name
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retention import days_of
from tests.unit.retained import DAYS, NOBODY, Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return an empty place."""
    return Place(tmp_path)


def test_what_is_older_goes_and_the_newest_of_each_database_stays(place: Place) -> None:
    old = [place.dump("INC-OLD-crm-7001-20260101T000000Z", 200), place.dump("INC-OLDER-crm", 300)]
    newest = place.dump("a", 100)
    other = place.dump("b", 400, database={"name": "crm", "cluster": "7002"})
    third = place.dump("c", 500, database={"name": "billing", "cluster": "7001"})
    assert place.over() == [old[0], old[1]]
    assert place.why() == {
        newest: "it is the newest proven one of crm with all its tables",
        other: "it is the newest proven one of crm with all its tables",
        third: "it is the newest proven one of billing with all its tables",
    }


def test_the_border_of_the_retention(place: Place) -> None:
    place.dump("newest", 1)
    young = place.dump("young", DAYS)
    old = place.dump("old", DAYS + 0.01)
    assert place.over() == [old]
    assert place.why()[young] == "it is not older than 90 days"


def test_where_file_and_manifest_differ_about_the_age_the_younger_is_believed(place: Place) -> None:
    place.dump("newest", 1)
    copied = place.dump("copied", 200)
    place.age(Path(copied), 2)
    touched = place.dump("touched", 3)
    place.age(Path(touched), 200)
    assert place.over() == []


@pytest.mark.parametrize(
    ("names", "stays"),
    [
        (["INC-1"], True),
        # Its alias is one of the names.
        (["INC-9", "INC-1"], True),
        (["INC-10"], False),
        (["INC-"], False),
        (["inc-1"], False),
        (["INC-1-crm"], False),
        ([""], False),
    ],
)
def test_of_an_open_incident_by_its_whole_name(place: Place, names: list[str], stays: bool) -> None:
    place.dump("newest", 1)
    # The directory's name says nothing: it is another incident's, or none at all.
    dump, evidence = place.dump("INC-77-crm-7001-20260101T000000Z", 200, "INC-1"), place.evidence("INC-1", 200)
    gone = place.over({**NOBODY, "names": names})
    assert gone == ([] if stays else [dump, evidence])


def test_only_what_some_ledger_knows_as_closed_goes(place: Place) -> None:
    place.dump("newest", 1)
    dump, evidence = place.dump("a", 200, "INC-1"), place.evidence("INC-1", 200)
    by_hand = place.dump("b", 200, None)
    # A ledger that was lost, or restored from before the incident, does not know it; a similar name is another one.
    for closed in ([], ["INC-10", "INC-"]):
        assert place.over({**NOBODY, "closed": closed}) == [by_hand]
        why = place.why({**NOBODY, "closed": closed})
        assert why[dump] == why[evidence] == "no ledger that was read knows INC-1 as closed"
        why = place.why({**NOBODY, "closed": closed, "cut": True})
        assert why[dump] == why[evidence] == "no ledger that was read lists INC-1 as closed"
    assert place.over({**NOBODY, "closed": ["INC-1"]}) == [dump, by_hand, evidence]
    # Closed in one database's ledger, open in another's.
    assert place.over({**NOBODY, "closed": ["INC-1"], "names": ["INC-1"]}) == [by_hand]


def test_a_dump_goes_only_when_a_newer_one_has_all_its_tables(place: Place) -> None:
    def of(*names: str) -> list[dict[str, str]]:
        return [{"name": name} for name in names]

    whole = place.dump("whole", 400, tables=of("Tickets", "Tags"))
    replaced = place.dump("replaced", 500, tables=of("Tags"))
    older = place.dump("older", 600, tables=of("Tickets", "Tags"))
    place.dump("one", 100, tables=of("Tickets"))
    # Two dumps that together have all of them were made at two moments.
    place.dump("other", 200, tables=of("Tags"))
    place.dump("another-database", 1, tables=of("Tickets", "Tags"), database={"name": "crm", "cluster": "7002"})
    assert place.over() == sorted([older, replaced])
    assert place.why()[whole] == "it is the newest proven one of crm with all its tables"


def test_an_incident_whose_prior_values_no_ledger_has_is_open(place: Place) -> None:
    place.dump("newest", 1)
    place.dump("a", 200, "INC-1")
    place.evidence("INC-1", 200)
    other = place.dump("b", 200, "INC-12")
    files = [f"/var/lib/kanban_rollback/{file_name('INC-1', '7001', 'flag')}"]
    assert place.over({**NOBODY, "prior_files": files}) == [other]


def test_free_text_as_an_incident(place: Place) -> None:
    place.dump("newest", 1)
    place.dump("a", 200, "Ação 7/a")
    place.evidence("A-o-7-a", 200)
    assert place.over({**NOBODY, "names": ["Ação 7/a"]}) == []
    without = place.dump("b", 200, None)
    assert without in place.over({**NOBODY, "names": ["None"]})


def test_what_is_no_dump_of_ours_is_never_removed(place: Place) -> None:
    place.dump("newest", 1)
    plain = place.plain("backup-of-the-dba", 400)
    whole = Path(place.dump("other", 400)) / "manifest.json"
    changed = {
        "edited": whole.read_text().replace('"total_bytes": 8', '"total_bytes": 9'),
        "of-another-program": '{"version": 1}',
        "of-another-version": manifests.text_of({"version": 2, **dict.fromkeys(manifests._NEEDED[1:], "")}),
        "no-json": "{",
        "no-map": "[]",
        "latin-1": "\xff",
    }
    for name, text in changed.items():
        path = Path(place.dump(name, 400)) / "manifest.json"
        path.write_bytes(text.encode("latin-1"))
        place.age(path.parent, 400)
    strange: dict[str, dict[str, Any]] = {
        "bad-time": {"ended_at": "yesterday"},
        "no-cluster": {"database": {"name": "crm"}},
        "bad-database": {"database": None},
        "bad-files": {"files": None},
        "bad-file": {"files": ["toc.dat"]},
    }
    for name, changes in strange.items():
        place.dump(name, 400, **changes)
    assert place.over() == [str(whole.parent)]
    assert place.why()[plain] == "it has no manifest of ours"
    assert place.why()[str(place.dumps / "edited")] == "its manifest is none of ours, or broken"


def test_a_dump_that_is_not_whole_is_kept_and_is_not_the_newest_proven_one(place: Place) -> None:
    older, good = place.dump("older", 300), place.dump("good", 200)
    torn, more, deeper = place.dump("torn", 110), place.dump("more", 105), place.dump("deeper", 101)
    linked = Path(place.dump("linked", 120))
    (linked / "toc.dat").unlink()
    # The link is as long as the file was.
    (linked / "toc.dat").symlink_to("contents")
    place.age(linked, 120)
    (Path(torn) / "toc.dat").write_bytes(b"con")
    (Path(more) / "of-the-dba.txt").write_bytes(b"")
    (Path(deeper) / "of-the-dba").mkdir()
    for path, days in ((torn, 110), (more, 105), (deeper, 101)):
        place.age(Path(path), days)
    assert place.over() == [older]
    assert place.why()[good] == "it is the newest proven one of crm with all its tables"
    for path, name in ((torn, "toc.dat"), (str(linked), "toc.dat"), (more, "of-the-dba.txt"), (deeper, "of-the-dba")):
        assert place.why()[path] == f"its files are not as its manifest says ({name})"


def test_only_what_lies_directly_in_the_directory_and_is_no_link(place: Place, tmp_path: Path) -> None:
    place.dump("newest", 1)
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Place(tmp_path / "elsewhere")
    (place.dumps / "link").symlink_to(elsewhere.dump("real", 400))
    (place.dumps / "deep").mkdir()
    place.dump("deep/er", 400)
    over = place.over()
    assert over == []


def test_what_dead_runs_left_goes_and_what_is_being_made_never_does(place: Place) -> None:
    gone = [place.plain(f".INC-1-crm.{kind}-{pid}", 100) for kind, pid in (("partial", 4711), ("scratch", 1))]
    for name in (".INC-1-crm.partial-", ".snapshot", ".INC-1-crm.partial-12x", ".partial-1", "x.partial-1"):
        place.plain(name, 400)
    young = place.plain(".INC-2-crm.partial-4712", 89)
    assert place.over() == sorted(gone)
    under_way = place.plain(".INC-3-crm.partial-4713", 0.9)
    assert place.over(days=1) == sorted([*gone, young])
    assert under_way not in place.over(days=1)
    # A file of that name is not a run's.
    (place.dumps / ".a.partial-1").write_text("")
    os.utime(place.dumps / ".a.partial-1", (0, 0))
    assert str(place.dumps / ".a.partial-1") not in place.over()


@pytest.mark.parametrize(("limit", "why"), [("LARGEST_MANIFEST", "too large"), ("MOST_MANIFESTS", "too many at once")])
def test_a_manifest_that_was_not_read_keeps_its_dump(
    place: Place, monkeypatch: pytest.MonkeyPatch, limit: str, why: str
) -> None:
    place.dump("newest", 1)
    path = place.dump("old", 400)
    monkeypatch.setattr(_keptfiles, limit, 0)
    assert place.over() == []
    assert place.why()[path] == f"its manifest was not read: {why}"


def test_of_too_many_files_the_rest_stays(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.dump("newest", 1)
    path = place.dump("old", 400)
    monkeypatch.setattr(_keptfiles, "MOST_ENTRIES", 4)
    assert place.over() == []
    assert place.why()[path] == "there is more in it than the 4 that are looked at"
    monkeypatch.setattr(_keptfiles, "MOST_ENTRIES", 1)
    assert place.why() == {str(place.dumps): "there is more in it than the 1 that are looked at"}


def test_evidence_goes_by_its_age_and_only_from_its_place(place: Place) -> None:
    old, young = place.evidence("INC-OLD", 91), place.evidence("INC-YOUNG", 89)
    (place.incidents / "evidence").mkdir()
    place.age(place.incidents / "evidence", 400)
    assert place.over() == [old]
    assert place.why() == {young: "it is not older than 90 days"}
    (place.incidents / "INC-LINK").symlink_to(place.incidents / "INC-OLD")
    assert place.over() == [old]


def test_evidence_in_another_place_counts_if_it_is_ours(tmp_path: Path) -> None:
    place, other = Place(tmp_path), tmp_path / "other"
    (other / "incidents").mkdir(parents=True)
    beside = place.age(other / "incidents", 0)

    def found() -> list[str]:
        listed = _keptfiles.kept_files(None, str(place.incidents), (str(other), "/nonexistent"))
        assert (listed["dumps"], listed["uncertain"]) == ([], [])
        return [one["path"] for one in listed["evidence"]]

    (beside / "INC-OLD/evidence").mkdir(parents=True)
    assert found() == [f"{beside}/INC-OLD/evidence"]
    beside.chmod(0o777)
    assert found() == []
    beside.chmod(0o755)
    beside.rename(tmp_path / "moved")
    beside.symlink_to(tmp_path / "moved")
    assert found() == []


def test_nothing_is_over_while_one_host_is_silent(place: Place) -> None:
    place.dump("newest", 1)
    place.dump("old", 400)
    place.evidence("INC-OLD", 400)
    place.plain(".a.partial-1", 400)
    assert len(place.over()) == 3
    assert place.over({**NOBODY, "silent": ["db2: no answer"]}) == []
    # If the retention is not a number of days, nobody knows what is over.
    assert [place.over(days=days) for days in (0, -1)] == [[], []]


@pytest.mark.parametrize(
    ("given", "days"),
    [
        (90, 90),
        ("90", 90),
        (1, 1),
        (36.0, 36),
        ("90 days", 0),
        ("", 0),
        (None, 0),
        (0, 0),
        (-1, 0),
        (0.5, 0),
        (True, 0),
    ],
)
def test_a_retention_is_a_whole_number_of_days(given: Any, days: int) -> None:
    assert days_of(given) == days


@given(
    dumps=st.lists(
        st.tuples(st.sampled_from(["INC-1", "INC-11", "INC-2"]), st.sampled_from("ab"), st.integers(0, 300)), max_size=6
    ),
    names=st.sets(st.sampled_from(["INC-1", "INC-11", "INC-2", "INC"])),
)
def test_whatever_lies_there_each_database_keeps_its_newest_and_open_incidents_keep_all(
    tmp_path_factory: pytest.TempPathFactory, dumps: list[tuple[str, str, int]], names: set[str]
) -> None:
    place = Place(tmp_path_factory.mktemp("place"))
    made = {}
    for number, (incident, database, days) in enumerate(dumps):
        path = place.dump(str(number), days, incident, database={"name": database, "cluster": "7001"})
        made[path] = (incident, database, days)
    gone = set(place.over({**NOBODY, "names": sorted(names)}))
    stays = {path: facts for path, facts in made.items() if path not in gone}
    for incident, database, days in (made[path] for path in gone):
        assert incident not in names
        assert days > DAYS
        assert min(facts[2] for facts in stays.values() if facts[1] == database) <= days
    for incident, database, days in stays.values():
        newest = min(facts[2] for facts in made.values() if facts[1] == database)
        assert incident in names or days <= DAYS or days == newest
