# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Connection options of every module that speaks to Redis."""

    DOCUMENTATION = r"""
options:
  login_host:
    description: Host of Redis. Not used if O(sentinels) or O(login_unix_socket) is given.
    type: str
    default: localhost
  login_port:
    description: Port of Redis.
    type: int
    default: 6379
  login_user:
    description: User to log in as. If omitted, the default user.
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
    description: Whether the server's certificate must be signed by a known authority and have the host's name.
    type: bool
    default: true
  ca_certs:
    description:
      - File with the CA certificates that the server's certificate is checked against. If omitted, those of the system
        are used.
    type: path
  client_cert_file:
    description: File with the client's certificate.
    type: path
  client_key_file:
    description: File with the client's key.
    type: path
  sentinels:
    description:
      - Addresses of Sentinels, as V(host:port), V(host) (port 26379) or V([v6]:port). All are asked at once. The module
        acts on the master that most of them name or, if it is a tie, on the one with the highest configuration epoch.
        If they do not agree, there is a warning.
      - If that master fails or says that it is a replica, they are asked again, until O(deadline). Once one Sentinel
        has answered, the module waits for the others at most 1 second, and not at all once more than half agree.
      - With O(tls) and O(validate_certs), certificates must contain the addresses that the Sentinels name.
    type: list
    elements: str
    default: []
  sentinel_name:
    description: Name of the master in the Sentinels.
    type: str
    default: mymaster
  sentinel_user:
    description: User to log in to the Sentinels as.
    type: str
  sentinel_password:
    description: Password for the Sentinels, which have their own passwords.
    type: str
notes:
  - Every wait is bounded. One exchange takes at most 2.5 seconds; everything, retries included, ends by O(deadline).
  - Until then, the module retries lost connections and servers that are loading or busy. With O(sentinels), it also
    retries replicas and servers with too few replicas, because they may be in the middle of a failover.
  - In a Redis Cluster, give the master of the key's slot. The error C(cluster_redirect) names it.
requirements:
  - redis >= 4.5 (the Python library) on the host that runs the module
"""
