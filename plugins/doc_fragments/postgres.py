# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Connection options of every module that speaks to PostgreSQL."""

    DOCUMENTATION = r"""
options:
  login_host:
    description: Host of the database; empty means the local Unix socket.
    type: str
    default: ''
  login_port:
    description: Port of the database.
    type: int
    default: 5432
  login_db:
    description: Database of the application, with its tenants and the ledger.
    type: str
    default: postgres
    aliases: [db, database]
  login_user:
    description: Role to connect as.
    type: str
    default: postgres
  login_password:
    description: Password of the role. Without it, C(PGPASSWORD) and C(~/.pgpass) on the host are used.
    type: str
    default: ''
  login_unix_socket:
    description: Directory of the Unix socket, for local connections.
    type: str
    default: ''
  ssl_mode:
    description: Whether, and how strictly, TLS is used.
    type: str
    default: prefer
    choices: [allow, disable, prefer, require, verify-ca, verify-full]
  ca_cert:
    description: File with the CA certificates that the server's certificate is checked against.
    type: path
  ssl_cert:
    description: File with the client's certificate.
    type: path
  ssl_key:
    description: File with the client's key.
    type: path
  connect_params:
    description: Further libpq parameters. They take precedence over the other options.
    type: dict
    default: {}
notes:
  - Every wait is bounded. Connecting takes at most 5 seconds. Each transaction has its own lock, statement and idle
    timeouts. If a server stops answering, the module gives up a few seconds after those.
  - Settings are local to each transaction, so they also work through a pooler in transaction mode. The result says if
    there is one.
requirements:
  - psycopg2 >= 2.8 on the host that runs the module
"""
