# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connection options that modules for Redis share: once here, and once in a documentation fragment."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Driver
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redis import IMPORT_ERROR, Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import parse_address

REDIS = Driver("redis", IMPORT_ERROR)


def redis_spec() -> dict[str, Any]:
    """Return the connection options, by the names that Redis modules of the ecosystem use."""
    return {
        "login_host": {"type": "str", "default": "localhost"},
        "login_port": {"type": "int", "default": 6379},
        "login_user": {"type": "str"},
        "login_password": {"type": "str", "no_log": True},
        "login_unix_socket": {"type": "path"},
        "login_db": {"type": "int", "default": 0},
        "tls": {"type": "bool", "default": False},
        "validate_certs": {"type": "bool", "default": True},
        "ca_certs": {"type": "path"},
        "client_cert_file": {"type": "path"},
        "client_key_file": {"type": "path", "no_log": False},
        "sentinels": {"type": "list", "elements": "str", "default": []},
        "sentinel_name": {"type": "str", "default": "mymaster"},
        "sentinel_user": {"type": "str"},
        "sentinel_password": {"type": "str", "no_log": True},
    }


def redis_login_from(params: Mapping[str, Any]) -> Login:
    """Return the login that a module's parameters describe; raises BadInput for a Sentinel that is not an address."""
    return Login(
        host=params["login_host"],
        port=params["login_port"],
        database=params["login_db"],
        user=params["login_user"],
        password=params["login_password"],
        unix_socket=params["login_unix_socket"],
        tls=params["tls"],
        validate_certs=params["validate_certs"],
        ca_certs=params["ca_certs"],
        client_cert_file=params["client_cert_file"],
        client_key_file=params["client_key_file"],
        sentinels=[parse_address(text) for text in params["sentinels"]],
        sentinel_name=params["sentinel_name"],
        sentinel_user=params["sentinel_user"],
        sentinel_password=params["sentinel_password"],
    )
