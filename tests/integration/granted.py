# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a role was granted, read from the catalogs without any code of the collection, and revoked one by one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.integration.least import GRANTS, Place
from tests.integration.module import Result

# Each as it is written between GRANT (or REVOKE) and the role. Anything else gets a name that no table of needs has.
_SPECIAL = "CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
EVERYTHING = f"""
WITH me AS (SELECT oid FROM pg_roles WHERE rolname = %(role)s)
SELECT g.privilege_type || ' ON ' || CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END
       || format('%%I.%%I', n.nspname, c.relname) || {_SPECIAL}
FROM me, pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace, aclexplode(c.relacl) AS g
WHERE g.grantee = me.oid
UNION ALL
SELECT format('%%s (%%I) ON %%I.%%I', g.privilege_type, a.attname, n.nspname, c.relname) || {_SPECIAL}
FROM me, pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace,
     aclexplode(a.attacl) AS g
WHERE g.grantee = me.oid
UNION ALL
SELECT format('%%s ON SCHEMA %%I', g.privilege_type, n.nspname) || {_SPECIAL}
FROM me, pg_namespace AS n, aclexplode(n.nspacl) AS g WHERE g.grantee = me.oid
UNION ALL
SELECT format('%%s ON FUNCTION %%s', g.privilege_type, p.oid::regprocedure) || {_SPECIAL}
FROM me, pg_proc AS p, aclexplode(p.proacl) AS g WHERE g.grantee = me.oid
UNION ALL
SELECT format('%%s ON DATABASE %%I', g.privilege_type, d.datname) || {_SPECIAL}
FROM me, pg_database AS d, aclexplode(d.datacl) AS g WHERE g.grantee = me.oid
UNION ALL
SELECT r.rolname || CASE WHEN m.admin_option THEN ' WITH ADMIN OPTION' ELSE '' END
FROM me, pg_auth_members AS m JOIN pg_roles AS r ON r.oid = m.roleid WHERE m.member = me.oid
UNION ALL
-- Every other thing that it has a right on (parameters, languages, defaults of what is yet to be made) or owns.
SELECT d.deptype::text || ' of ' || pg_describe_object(d.classid, d.objid, d.objsubid)
FROM me, pg_shdepend AS d
WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = me.oid
  AND (d.deptype <> 'a' OR d.classid NOT IN ('pg_class'::regclass, 'pg_namespace'::regclass, 'pg_proc'::regclass,
                                             'pg_database'::regclass))
  -- Who is a member of what stands above.
  AND d.classid <> 'pg_auth_members'::regclass
UNION ALL
SELECT 'settings ' || array_to_string(s.setconfig, ', ') FROM me, pg_db_role_setting AS s WHERE s.setrole = me.oid
UNION ALL
SELECT 'is ' || word FROM me JOIN pg_roles AS r ON r.oid = me.oid, LATERAL (VALUES
  (r.rolsuper, 'SUPERUSER'), (r.rolcreaterole, 'CREATEROLE'), (r.rolcreatedb, 'CREATEDB'),
  (r.rolreplication, 'REPLICATION'), (r.rolbypassrls, 'BYPASSRLS')) AS may(yes, word)
WHERE may.yes
"""

# An operation, which returns what it says about rights: nothing if all is well.
Look = Callable[[Place], str]
Needs = Mapping[Look, Sequence[str]]
_OF_COLUMN = re.compile(r"(\w+) \(.*\) (ON .*)")
_OBJECT = re.compile(r'"?([\w]+)"?(?:\([\w, ]*\))?$')
_SAYS = re.compile(r"permission denied|lacks|may not|no member|is in a schema that this role may not use")


def said(result: Result, *codes: str) -> str:
    """Return what a result says about rights: its error, about a lack of them or in ``codes``, or its warnings."""
    if result.get("failed"):
        assert result["error"]["code"] in ("missing_privilege", *codes), result
        return f"{result['error']['code']}: {result['msg']}"
    return " ".join(result["warnings"])


def first(*looks: Any) -> str:
    """Return the first text that is not empty; the looks after it are not run."""
    return next((text for text in (look() for look in looks) if text), "")


def everything(place: Place) -> set[str]:
    """Return all that was granted to the role itself; what everybody may do does not count."""
    found = [row[0] for row in place.db.rows(EVERYTHING, {"role": place.role})]
    assert len(found) == len(set(found)), "granted twice"
    for grant in found:
        column = _OF_COLUMN.fullmatch(grant)
        assert not column or f"{column[1]} {column[2]}" not in found, f"{grant} comes with its table, too"
    return set(found)


def listed(place: Place, needs: Needs) -> list[tuple[str, Look]]:
    """Return the table's grants, each with what needs it; the names of the latch's functions depend on the flag."""
    latch = place.db.value("SELECT proname FROM pg_proc WHERE proname LIKE 'raise\\_latch\\_%%'").partition("_")[2]
    names = {"latch": latch, "database": place.db.name}
    return [(grant.format(**names), look) for look, grants in needs.items() for grant in grants]


def each_is_needed(place: Place, needs: Needs, tried: Mapping[Look, Sequence[str]] | None = None) -> None:
    """Check that the role has exactly the grants of the table, and that it cannot do without any of them.

    :param tried: grants that are taken away one by one elsewhere, and may be present here as well.
    """
    wanted, granted = listed(place, needs), everything(place)
    names = {grant for grant, _look in wanted}
    elsewhere = {grant for grant, _look in listed(place, tried or {})}
    assert granted - names - elsewhere == set(), "granted to the role and needed by nothing"
    assert names - granted == set(), "needed, and not granted"
    wrong = [f"{look.__name__} says: {told}" for look in needs for told in [_told(look, place)] if told]
    assert wrong == [], "\n".join(wrong)
    for look, grants in itertools.groupby(wanted, key=lambda one: one[1]):
        for grant, _look in grants:
            told = _without(grant, look, place)
            if not is_named(place, grant, told):
                wrong.append(f"{grant} is taken away, and {look.__name__} says: {told or 'nothing'}")
            place.db.rows(f"GRANT {grant} TO {place.role}")
        # Once the last one is given back, all is well again; an earlier one that was not would be named with the next.
        told = _told(look, place)
        if told:
            wrong.append(f"all is given back, and {look.__name__} says: {told}")
    assert wrong == [], "\n".join(wrong)


def _without(grant: str, look: Look, place: Place) -> str:
    """Take a grant away and return what is reported then.

    For a whole table, single columns may be asked for first. They are granted as asked, and the next report counts.
    """
    place.db.rows(f"REVOKE {grant} FROM {place.role}")
    told = _told(look, place)
    lines = set(GRANTS.findall(told))
    if grant.startswith("SELECT ON ") and _only_columns(grant, lines):
        for line in lines:
            place.db.rows(line)
        told = _told(look, place)
        place.db.rows(f"REVOKE {grant} FROM {place.role}")
    return told


def _told(look: Look, place: Place) -> str:
    """Return what a look says, or its unexpected error, so that one fault does not hide the others."""
    try:
        return look(place)
    except (AssertionError, KeyError) as error:
        return f"UNEXPECTED {error!r}"


def _only_columns(grant: str, lines: set[str]) -> bool:
    """Tell whether there are lines, and all of them grant single columns of what ``grant`` grants as a whole."""
    word, _space, thing = grant.partition(" ")
    column = re.compile(rf"GRANT {word} \([^)]*\) {re.escape(thing)} TO \w+;")
    return bool(lines) and all(column.fullmatch(line) for line in lines)


def is_named(place: Place, grant: str, told: str) -> bool:
    """Tell whether a text names a grant as missing: by the line that gives it back, or by the object's name."""
    if told.startswith("UNEXPECTED"):
        return False
    lines = {line.replace(f'"{place.role}"', place.role) for line in GRANTS.findall(told)}
    if lines:
        # Any column may have changed since a backup; those that did are named.
        to_change = grant.startswith("UPDATE ON ") and _only_columns(grant, lines)
        return to_change or lines == {f"GRANT {grant} TO {place.role};"}
    thing = _OBJECT.search(grant)
    return bool(thing and thing[1] in told and _SAYS.search(told))
