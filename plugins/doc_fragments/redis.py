# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Connection options of every module that speaks to Redis."""

    DOCUMENTATION = r"""
options:
  login_host:
    description: Host of Redis. Not used where O(sentinels) or O(login_unix_socket) is given.
    type: str
    default: localhost
  login_port:
    description: Port of Redis.
    type: int
    default: 6379
  login_user:
    description: User to log in as; left out, the default user.
    type: str
  login_password:
    description: Password of the user.
    type: str
  login_unix_socket:
    description: Path of the Unix socket, for local connections.
    type: path
  login_db:
    description: Number of the application's database.
    type: int
    default: 0
  tls:
    description: Whether to use TLS, for Redis and for O(sentinels).
    type: bool
    default: false
  validate_certs:
    description: Whether the server's certificate has to be signed by a known authority and to have the host's name.
    type: bool
    default: true
  ca_certs:
    description:
      - File with the certificates of the authorities that the server's certificate is checked against; left out, those
        of the system.
    type: path
  client_cert_file:
    description: File with the client's certificate.
    type: path
  client_key_file:
    description: File with the client's key.
    type: path
  sentinels:
    description:
      - Addresses of Sentinels, as V(host:port), V(host) (port 26379) or V([v6]:port). All are asked at once. The master
        that most of them name is acted on; where as many name another, the one of the highest configuration epoch.
        Where they do not agree there is a warning.
      - They are asked again, until O(deadline), when that one fails or says that it is a replica. When one has
        answered, those that hang are waited for at most 1 second; none where more than half agree already.
      - With O(tls) and O(validate_certs), certificates must have the addresses that the Sentinels name.
    type: list
    elements: str
    default: []
  sentinel_name:
    description: The master's name in the Sentinels.
    type: str
    default: mymaster
  sentinel_user:
    description: User to log in to the Sentinels as.
    type: str
  sentinel_password:
    description: Password for the Sentinels, which have passwords of their own.
    type: str
notes:
  - Every wait is bounded. One exchange takes at most 2.5 seconds; everything, retries included, ends by O(deadline).
  - Lost connections, and servers that are loading or busy, are tried again until then. With O(sentinels), replicas and
    servers with too few replicas are, too, for they may be in the middle of a failover.
  - In a Redis Cluster, give the master of the key's slot. The error C(cluster_redirect) names it.
requirements:
  - redis >= 4.5 (the Python library) on the host that runs the module
"""
