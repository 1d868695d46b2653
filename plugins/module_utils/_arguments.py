# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that modules share, each defined once here and once in a documentation fragment."""

from __future__ import annotations

import uuid
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Driver
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import STORES, Flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledger import Who
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import IMPORT_ERROR, Login

PSYCOPG2 = Driver("psycopg2", IMPORT_ERROR)


def postgres_spec() -> dict[str, Any]:
    """Return the connection options, with the names that PostgreSQL modules of the ecosystem use."""
    return {
        "login_host": {"type": "str", "default": ""},
        "login_port": {"type": "int", "default": 5432},
        "login_db": {"type": "str", "default": "postgres", "aliases": ["db", "database"]},
        "login_user": {"type": "str", "default": "postgres"},
        "login_password": {"type": "str", "default": "", "no_log": True},
        "login_unix_socket": {"type": "str", "default": ""},
        "ssl_mode": {
            "type": "str",
            "default": "prefer",
            "choices": ["allow", "disable", "prefer", "require", "verify-ca", "verify-full"],
        },
        "ca_cert": {"type": "path"},
        "ssl_cert": {"type": "path"},
        "ssl_key": {"type": "path", "no_log": False},
        "connect_params": {"type": "dict", "default": {}, "no_log": True},
    }


def login_from(params: Mapping[str, Any]) -> Login:
    """Return the login that a module's parameters describe."""
    return Login(
        host=params["login_host"],
        port=params["login_port"],
        database=params["login_db"],
        user=params["login_user"],
        password=params["login_password"],
        unix_socket=params["login_unix_socket"],
        ssl_mode=params["ssl_mode"],
        ca_cert=params["ca_cert"],
        ssl_cert=params["ssl_cert"],
        ssl_key=params["ssl_key"],
        connect_params=params["connect_params"],
    )


def flag_spec() -> dict[str, Any]:
    """Return the options that say where a flag is kept. No application's names are here: they are in the profile."""
    return {
        "store": {"type": "str", "choices": list(STORES), "default": "jsonb"},
        "table": {"type": "str", "required": True},
        "tenant_column": {"type": "str", "default": "id"},
        "column": {"type": "str", "required": True},
        "path": {"type": "list", "elements": "str"},
        "key_column": {"type": "str", "no_log": False},
        "key": {"type": "str", "no_log": False},
        "absent_means": {"type": "str", "choices": ["off", "on"], "default": "off"},
        "enabled_value": {"type": "raw", "default": True},
        "disabled_value": {"type": "raw", "default": False},
        "tenants_table": {"type": "str"},
        "tenants_table_column": {"type": "str", "default": "id"},
        "tenants": {"type": "list", "elements": "str"},
    }


def flag_from(params: Mapping[str, Any]) -> Flag:
    """Return the flag that a module's parameters describe; raises BadInput."""
    return Flag(
        store=params["store"],
        table=params["table"],
        tenant_column=params["tenant_column"],
        column=params["column"],
        path=tuple(params["path"] or ()) if params["store"] == "jsonb" else (),
        key_column=params["key_column"],
        key=params["key"],
        absent_is_on=params["absent_means"] == "on",
        enabled_value=params["enabled_value"],
        disabled_value=params["disabled_value"],
        tenants_table=params["tenants_table"],
        tenants_table_column=params["tenants_table_column"],
    )


def flag_from_dict(given: Mapping[str, Any]) -> Flag:
    """Return the flag that a map describes by the same names, with the same defaults; raises BadInput."""
    spec = flag_spec()
    unknown = sorted(set(given) - set(spec))
    missing = sorted(name for name, option in spec.items() if option.get("required") and not given.get(name))
    if unknown or missing:
        raise BadInput(
            "bad_flag",
            f"The map of the flag has unknown names {unknown} and lacks {missing}.",
            "Nothing was changed: the flag's place would not be the one that is meant.",
            f"Its names are {', '.join(sorted(spec))}.",
        )
    return flag_from({**{name: option.get("default") for name, option in spec.items()}, **given})


def killed_on_spec() -> dict[str, Any]:
    """Return the options for one server that a kill was committed on, as ``_failoverlines.killed_on`` makes them."""
    return {
        "host": {"type": "str", "required": True},
        "cluster": {"type": "str", "required": True},
        "timeline": {"type": "str", "required": True},
        "lsn": {"type": "str"},
        "switched": {"type": "int", "default": 0},
        "incident_id": {"type": "str"},
        "file": {"type": "str"},
    }


def fence_spec() -> dict[str, Any]:
    """Return the options for the fence that a kill also raises."""
    return {
        # Whatever is wrong with it, the flag is still switched off.
        "tables": {"type": "raw"},
        "drain": {"type": "float", "default": 1},
    }


def who_spec() -> dict[str, Any]:
    """Return the options that say whose incident it is."""
    return {
        "incident_id": {"type": "str", "required": True},
        "run_id": {"type": "str"},
        "scenario": {"type": "str"},
        "operator": {"type": "str"},
        "reason": {"type": "str"},
        "environment": {"type": "str"},
    }


def who_from(params: Mapping[str, Any]) -> Who:
    """Return whose incident it is; a run without an id of its own gets one. Raises BadInput for an empty incident."""
    if not params["incident_id"].strip():
        raise BadInput(
            "no_incident",
            "incident_id is empty.",
            "Prior values are recorded under it; without one they could not be found again. Nothing was changed.",
            "Give any text that is unique to this incident, for instance INC-20261125-042.",
        )
    return Who(
        incident_id=params["incident_id"].strip(),
        run_id=params["run_id"] or uuid.uuid4().hex,
        scenario=params["scenario"],
        operator=params["operator"],
        reason=params["reason"],
        environment=params["environment"],
    )


def check_seconds(name: str, value: float, least: float) -> None:
    """Raise BadInput for a time that is too short to do anything."""
    if value < least:
        raise BadInput(
            "bad_deadline",
            f"{name} is {value:g} s, the least is {least:g} s.",
            "Without time nothing can be switched. Nothing was changed.",
            f"Leave {name} out, or give seconds; the default is meant for an incident.",
        )
