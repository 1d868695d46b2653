# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of the write block have every option that this inventory's Redis needs, and never a password."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._breakglassredis import block_lines, block_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput

KEY = "kanban:emergency:write-block"
ASK = '$(REDISCLI_AUTH=$SENTINEL_AUTH; [ "$SENTINEL_AUTH" ] || unset REDISCLI_AUTH; redis-cli -h s1 -p 26379'


@pytest.mark.parametrize(
    ("host", "line"),
    [
        ({}, f"redis-cli -h localhost -p 6379 SET {KEY} true"),
        ({"login_host": "r1", "login_port": 6380}, f"redis-cli -h r1 -p 6380 SET {KEY} true"),
        ({"login_db": 3}, f"redis-cli -h localhost -p 6379 -n 3 SET {KEY} true"),
        ({"login_user": "ops team"}, f"redis-cli -h localhost -p 6379 --user 'ops team' SET {KEY} true"),
        ({"login_unix_socket": "/run/r.sock", "login_db": 1}, f"redis-cli -s /run/r.sock -n 1 SET {KEY} true"),
        ({"tls": True}, f"redis-cli -h localhost -p 6379 --tls SET {KEY} true"),
        (
            {"tls": True, "ca_certs": "/etc/my ca.pem"},
            f"redis-cli -h localhost -p 6379 --tls --cacert '/etc/my ca.pem' SET {KEY} true",
        ),
        ({"ca_certs": "/etc/ca.pem"}, f"redis-cli -h localhost -p 6379 SET {KEY} true"),
        (
            {"sentinels": ["s1"], "login_db": 2, "login_host": "ignored"},
            f'set -- {ASK} SENTINEL get-master-addr-by-name mymaster); [ $# -eq 2 ] && redis-cli -h "$1" -p "$2" '
            f"-n 2 SET {KEY} true",
        ),
        (
            {"sentinels": ["s1:26379"], "tls": True, "ca_certs": "/ca", "login_user": "u", "sentinel_name": "my m"},
            f"set -- {ASK} --tls --cacert /ca SENTINEL get-master-addr-by-name 'my m'); [ $# -eq 2 ] && "
            f'redis-cli -h "$1" -p "$2" --tls --cacert /ca --user u SET {KEY} true',
        ),
    ],
)
def test_every_way_to_redis(host: dict[str, Any], line: str) -> None:
    assert block_lines(KEY, [{"name": "redis1", **host}]) == [("redis1", line)]


def test_each_sentinel_has_a_line_and_hosts_with_the_same_one_share_it() -> None:
    hosts = [{"name": name, "sentinels": ["s1", "[::1]:26380"]} for name in ("r1", "r2")]
    lines = block_lines(KEY, hosts)
    assert [names for names, _line in lines] == ["r1, r2", "r1, r2"]
    assert "redis-cli -h ::1 -p 26380 SENTINEL" in lines[1][1]
    assert "read -rs SENTINEL_AUTH" in "\n".join(block_text(KEY, hosts))


def test_passwords_are_asked_for_unseen_and_no_host_is_a_gap_that_shows() -> None:
    text = "\n".join(block_text("a key; rm -rf /", []))
    assert "read -rs REDISCLI_AUTH; export REDISCLI_AUTH" in text
    assert "redis-cli -h REDIS_HOST -p 6379 SET 'a key; rm -rf /' true" in text
    assert "It must answer OK" in text
    assert "SENTINEL" not in text


def test_a_sentinel_that_is_no_address() -> None:
    with pytest.raises(BadInput):
        block_lines(KEY, [{"sentinels": ["a:b:c"]}])
