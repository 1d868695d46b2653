# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which backup is usable, which is the newest, which precedes a moment. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Iterable, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

Table = Tuple[str, str]

# ISO 8601 with a zone. A blank may replace the T, because YAML makes a date of an unquoted moment and Ansible makes
# text of that. Seconds may be left out, as when an hour is named.
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:(?<=:\d\d:\d\d)\.(\d{1,9}))?\s*(Z|[+-]\d\d:?\d\d)", re.IGNORECASE
)
_CLUSTER = re.compile(r"\d{15,20}")


@dataclass
class Backup:
    """One backup, as far as it is known. Moments are seconds since 1970.

    :ivar as_of: the moment whose data it holds without any log: a dump's snapshot, the end of a physical backup.
    :ivar time_by: how ``as_of`` is known: snapshot, header, mtime or catalog.
    :ivar tables: (schema, name) of the tables whose rows are in it, by database; None for all (physical) or unknown.
    :ivar cluster: the system identifier of its cluster; None if it does not say.
    :ivar usable: None if it was not looked at because a newer one will do.
    :ivar reaches_to: the last moment that can be brought back with the log; None means ``as_of``, or unknown.
    :ivar last_segment: the last file of the log in its archive.
    """

    kind: str
    source: int
    label: str
    ended: float | None
    as_of: float | None
    started: float | None = None
    path: str | None = None
    physical: bool = False
    time_by: str = "catalog"
    database: str | None = None
    tables: dict[str | None, list[Table]] | None = None
    size_bytes: int | None = None
    cluster: str | None = None
    verified: str | None = None
    usable: bool | None = None
    why_not: str = ""
    reaches_to: float | None = None
    reach_by: str | None = None
    last_segment: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    def refuse(self, reason: str) -> None:
        """Mark it as unusable."""
        self.usable, self.why_not = False, reason

    @property
    def latest(self) -> float | None:
        """The last moment that it is known to bring back, with the log."""
        return self.as_of if self.reaches_to is None else self.reaches_to

    def as_result(self, now: float) -> dict[str, Any]:
        """Return what the module shows about it."""
        latest = self.latest
        shown = (
            None if self.tables is None else sorted({".".join(one) for some in self.tables.values() for one in some})
        )
        return {
            "kind": self.kind,
            "source": self.source,
            "label": self.label,
            "path": self.path,
            "physical": self.physical,
            "started": utc(self.started),
            "ended": utc(self.ended),
            "as_of": utc(self.as_of),
            "time_by": self.time_by,
            "age_seconds": None if self.as_of is None else round(now - self.as_of),
            "database": self.database,
            "tables": None if shown is None else shown[:MOST_TABLES],
            "size_bytes": self.size_bytes,
            "cluster": self.cluster,
            "verified": self.verified,
            "usable": self.usable,
            "why_not": self.why_not,
            "reach": {
                "earliest": utc(self.as_of),
                "latest": utc(latest),
                "latest_by": self.reach_by or self.time_by,
                "age_seconds": None if latest is None else round(now - latest),
            },
            **self.facts,
        }


# A backup does not count as young if its clock is ahead of this host's by more than this.
AHEAD_SECONDS = 60.0
# If there are more, the rest is not listed.
MOST_TABLES = 500


@dataclass(frozen=True)
class Wanted:
    """What a backup has to cover: a database, tables and a cluster; None or nothing where it does not matter."""

    database: str | None = None
    tables: Sequence[str] = ()
    cluster: str | None = None


def utc(moment: float | None) -> str | None:
    """Return a moment as text, for instance 2026-11-25T03:14:07Z; fractions of a second are left out."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment_of(text: str) -> float | None:
    """Return seconds since 1970 of an ISO 8601 moment with a zone, or None for anything else."""
    found = _MOMENT.fullmatch(text.strip())
    if not found:
        return None
    day, clock, fraction, zone = found.groups()
    zone = "+00:00" if zone in "zZ" else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        clock = clock if clock.count(":") == 2 else f"{clock}:00"
        return datetime.fromisoformat(f"{day}T{clock}.{(fraction or '').ljust(6, '0')[:6]}{zone}").timestamp()
    except ValueError:
        return None


def asked_moment(name: str, text: str | None) -> float | None:
    """Return the moment that an option names; raises BadInput."""
    if text is None:
        return None
    moment = moment_of(text)
    if moment is None:
        raise BadInput(
            "bad_moment",
            f"{name} is {text!r}, which is no moment with a zone.",
            "Hours off by a zone would choose a backup from after the damage. Nothing was looked at.",
            "Give it as 2026-11-25T03:14:07Z or 2026-11-25T00:14:07-03:00.",
        )
    return moment


def has_table(held: Iterable[Table], wanted: str) -> bool:
    """Tell whether a table is among those held: by its exact name, with or without its schema, else in lower case."""
    names = {name for schema, name in held} | {f"{schema}.{name}" for schema, name in held}
    return wanted in names or wanted.lower() in names


def why_unfit(backup: Backup, wanted: Wanted) -> str:
    """Return why a backup that is whole does not cover what is wanted; empty if it does."""
    if wanted.cluster and backup.cluster and backup.cluster != wanted.cluster:
        return f"it is of another cluster ({backup.cluster}; the server's is {wanted.cluster})"
    if backup.physical:
        return ""
    if wanted.database and not _is_of(backup, wanted.database):
        if backup.database is None and not (backup.tables or {}).keys() - {None}:
            return f"it does not name its database; if it is of {wanted.database}, give the source that as database"
        return f"it is of database {backup.database or ', '.join(sorted(filter(None, backup.tables or {})))}"
    held = _tables_of(backup, wanted.database)
    missing = [name for name in wanted.tables if not has_table(held, name)]
    if missing:
        return f"it has no rows of {', '.join(missing)} (of a partitioned table a dump names the partitions)"
    return ""


def _is_of(backup: Backup, database: str) -> bool:
    return backup.database == database or database in (backup.tables or {})


def _tables_of(backup: Backup, database: str | None) -> list[Table]:
    tables = backup.tables or {}
    if database in tables and database is not None:
        return tables[database]
    return [one for some in tables.values() for one in some]


def system_identifier(cluster: str | None) -> str | None:
    """Return the system identifier in a cluster's name (``7712593511202629325/16384``), or None."""
    found = _CLUSTER.match(str(cluster or ""))
    return found.group() if found else None


def newest_first(backups: Iterable[Backup]) -> list[Backup]:
    """Return backups by their end, newest first; those that have none come last."""
    return sorted(backups, key=lambda one: (one.ended is not None, one.ended or 0.0, one.label), reverse=True)


def precedes(backup: Backup, moment: float) -> bool:
    """Tell whether a backup had ended before a moment."""
    return backup.ended is not None and backup.ended < moment


def newest(backups: Iterable[Backup], before: float | None = None) -> Backup | None:
    """Return the newest usable backup, or with ``before`` the newest that had ended before that moment."""
    fit = (one for one in newest_first(backups) if one.usable and (before is None or precedes(one, before)))
    return next(fit, None)


def furthest(backups: Iterable[Backup]) -> Backup | None:
    """Return the usable backup that brings back the latest moment, with the log."""
    return max((one for one in backups if one.usable), key=lambda one: one.latest or 0.0, default=None)


def is_young(moment: float | None, now: float, most: float) -> bool:
    """Tell whether a moment is at most ``most`` seconds ago; one in the future is not."""
    return moment is not None and -AHEAD_SECONDS <= now - moment <= most


def ahead(backups: Iterable[Backup], now: float) -> list[str]:
    """Return a warning for each backup whose time is in the future."""
    return [
        f"{one.label} is of {utc(one.as_of)}, which is still to come by this host's clock: it does not count as recent"
        for one in backups
        if one.usable and one.as_of is not None and one.as_of > now + AHEAD_SECONDS
    ]


def point_in_time(backups: Iterable[Backup], moment: float) -> dict[str, Any]:
    """Return whether the data can be brought back as it was just before a moment, and from which backup or why not."""
    physical = [one for one in newest_first(backups) if one.usable and one.physical and precedes(one, moment)]
    reaching = [one for one in physical if one.reaches_to is not None and one.reaches_to >= moment]
    unknown = [one for one in physical if one.reaches_to is None]
    known = [one for one in physical if one.reaches_to is not None]
    chosen = next(iter(reaching or unknown or known), None)
    possible: bool | None = True if reaching else None if unknown else False
    if reaching:
        why = ""
    elif unknown:
        why = "how far the archive of the log reaches is not known; " + (unknown[0].facts.get("reach_unknown") or "")
    elif known:
        furthest = max(one.reaches_to or 0.0 for one in known)
        why = (
            f"the archive of the log reaches to {utc(furthest)}; SELECT pg_switch_wal() on the primary has it archived "
            "to now, if archiving works"
        )
    else:
        why = "no usable physical backup had ended before the moment"
    return {
        "possible": possible,
        "why_not": why.strip("; "),
        "kind": chosen.kind if chosen else None,
        "source": chosen.source if chosen else None,
        "label": chosen.label if chosen else None,
    }


def why_none(backups: Sequence[Backup], sources: Sequence[dict[str, Any]], before: float | None = None) -> str:
    """Return in words why there is no usable backup: those that are unusable, and sources that gave no answer."""
    some = [one for one in newest_first(backups) if before is None or precedes(one, before)]
    silent = [one for one in sources if one["error"]]
    when = "" if before is None else f" that had ended before {utc(before)}"
    text = f"There is no usable backup{when}: {len(some)} found"
    if some:
        text += f", of which the newest, {some[0].label} ({utc(some[0].ended) or 'no end'}), is none: {some[0].why_not}"
    if silent:
        text += f"; {len(silent)} of {len(sources)} sources gave no answer: " + "; ".join(
            f"{one['name']}: {one['error']['what']}" for one in silent
        )
    return text if text.endswith(".") else f"{text}."
