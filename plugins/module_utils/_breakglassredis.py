# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The write block in ``break-glass.sql``: what to type on which host. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import shlex
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redisserver import parse_address

# Not on a command line: everybody on the host can read those, and they end up in the shell's history.
_ASK = "read -rs REDISCLI_AUTH; export REDISCLI_AUTH"
_ASK_SENTINEL = "read -rs SENTINEL_AUTH"
_REPLY = (
    "It must answer OK: redis-cli exits 0 on an error as well. READONLY is a replica's answer: the line of another "
    "host does it. The same line with DEL and the key instead of SET releases it."
)


def block_text(key: str, hosts: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what a person reads and types to hold the write block; for ``hosts`` see ``block_lines``."""
    text = ["Where Redis has a password, type it first, unseen:", f"  {_ASK}"]
    if any(host.get("sentinels") for host in hosts):
        text += ["and where the Sentinels have one:", f"  {_ASK_SENTINEL}"]
    for names, line in block_lines(key, hosts):
        text += [f"On {names}:" if names else "Then:", f"  {line}"]
    return [*text, _REPLY]


def block_lines(key: str, hosts: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return pairs of the hosts on which to type it, and the shell's line; hosts with the same line share a pair.

    :param hosts: for each its ``name`` and the options ``login_host``, ``login_port``, ``login_db``, ``login_user``,
        ``login_unix_socket``, ``tls``, ``ca_certs``, ``sentinels`` and ``sentinel_name``, as the modules name them.

    Raises BadInput for a Sentinel that is not an address.
    """
    by_line: dict[str, list[str]] = {}
    for host in hosts or [{"login_host": "REDIS_HOST"}]:
        for line in _lines(key, host):
            by_line.setdefault(line, []).append(str(host.get("name") or ""))
    return [(", ".join(name for name in names if name), line) for line, names in by_line.items()]


def _lines(key: str, host: Mapping[str, Any]) -> list[str]:
    secure = ["--tls"] if host.get("tls") else []
    if secure and host.get("ca_certs"):
        secure += ["--cacert", str(host["ca_certs"])]
    own = ["--user", str(host["login_user"])] if host.get("login_user") else []
    own += ["-n", str(host["login_db"])] if host.get("login_db") else []
    hold = shlex.join([*own, "SET", key, "true"])
    if host.get("sentinels"):
        return [_by_sentinel(str(text), host, secure, hold) for text in host["sentinels"]]
    if host.get("login_unix_socket"):
        return [f"redis-cli -s {shlex.quote(str(host['login_unix_socket']))} {hold}"]
    return [f"{_to(str(host.get('login_host') or 'localhost'), host.get('login_port') or 6379, secure)} {hold}"]


def _by_sentinel(address: str, host: Mapping[str, Any], secure: Sequence[str], hold: str) -> str:
    """Return the line for the master that a Sentinel names; Redis's password is not the Sentinel's."""
    where = parse_address(address)
    ask = shlex.join(["SENTINEL", "get-master-addr-by-name", str(host.get("sentinel_name") or "mymaster")])
    own = 'REDISCLI_AUTH=$SENTINEL_AUTH; [ "$SENTINEL_AUTH" ] || unset REDISCLI_AUTH'
    found = f"$({own}; {_to(where.host, where.port, secure)} {ask})"
    options = "".join(f" {shlex.quote(word)}" for word in secure)
    return f'set -- {found}; [ $# -eq 2 ] && redis-cli -h "$1" -p "$2"{options} {hold}'


def _to(host: str, port: Any, secure: Sequence[str]) -> str:
    return shlex.join(["redis-cli", "-h", host, "-p", str(port), *secure])
