# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where and as whom to connect. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Mapping

# The first version that knows tcp_user_timeout; wheels of psycopg2 2.8 bundle an older one.
_LIBPQ_12 = 120_000


@dataclass(frozen=True)
class Login:
    """Where and as whom to connect; the fields are the modules' ``login_*`` options."""

    host: str = ""
    port: int = 5432
    database: str = "postgres"
    user: str = "postgres"
    password: str = field(default="", repr=False)
    unix_socket: str = ""
    ssl_mode: str = "prefer"
    ca_cert: str | None = None
    ssl_cert: str | None = None
    ssl_key: str | None = None
    connect_params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    # No session waits for the server past this moment of the monotonic clock, whatever its statements may take.
    not_after: float = math.inf

    @property
    def where(self) -> str:
        """Host (or socket), port and database, for messages."""
        return f"{self.unix_socket or self.host or 'local socket'}:{self.port}/{self.database}"

    def as_params(self, application_name: str, libpq: int = _LIBPQ_12) -> dict[str, Any]:
        """Return libpq's parameters; the ones the user adds in ``connect_params`` win.

        :param libpq: the driver's version, 110009 for 11.9; libpq refuses to connect with a parameter that it does not
            know. The client programs of a supported server have a newer one.
        """
        params: dict[str, Any] = {
            "host": self.unix_socket or self.host,
            "port": self.port,
            "dbname": self.database,
            "user": self.user,
            "password": self.password,
            "sslmode": self.ssl_mode,
            "sslrootcert": self.ca_cert,
            "sslcert": self.ssl_cert,
            "sslkey": self.ssl_key,
            "application_name": application_name,
            "client_encoding": "UTF8",
            "keepalives_idle": 5,
            "tcp_user_timeout": 10_000 if libpq >= _LIBPQ_12 else None,
        }
        given = {name: value for name, value in params.items() if value not in ("", None)}
        return {**given, **self.connect_params}
