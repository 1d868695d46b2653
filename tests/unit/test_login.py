# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What libpq is given: nothing that an old one does not know, unless the user asks for it."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._login import Login

LOGIN = Login(host="db1", password="secret")


def test_a_libpq_before_12_is_told_of_no_tcp_user_timeout() -> None:
    older, newer = LOGIN.as_params("x", 110_009), LOGIN.as_params("x", 120_000)
    assert "tcp_user_timeout" not in older
    assert newer == {**older, "tcp_user_timeout": 10_000} == LOGIN.as_params("x")
    assert (older["host"], older["password"], "sslcert" in older) == ("db1", "secret", False)


def test_what_the_user_adds_wins() -> None:
    login = Login(connect_params={"tcp_user_timeout": 5, "port": 6543})
    for libpq in (110_009, 180_000):
        params = login.as_params("x", libpq)
        assert (params["tcp_user_timeout"], params["port"]) == (5, 6543)
