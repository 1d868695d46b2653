# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module says without its driver."""

from __future__ import annotations

import sys

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import why_and_todo, why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._driver import missing_driver

LINE = f"Type there: {sys.executable} -m pip install psycopg2-binary # bootstrap.yml does it on all hosts"


def test_one_sentence_and_one_line_to_copy() -> None:
    error = missing_driver("psycopg2", ModuleNotFoundError(name="psycopg2"))
    said = f"The Python library psycopg2 is missing for {sys.executable}. {LINE}"
    assert str(error) == said
    answer = {"failed": True, **error.as_result()}
    assert why_not(answer) == error.what
    assert why_and_todo(answer) == said
    assert answer["msg"] == f"{said}. See {error.told()['page']}"


def test_one_that_is_there_and_broken_says_why() -> None:
    error = missing_driver("psycopg2", ImportError("libpq.so.5: cannot open shared object file"))
    assert "psycopg2 cannot be loaded (libpq.so.5: cannot open shared object file) for " in str(error)
    # A library that it needs itself is missing.
    error = missing_driver("redis", ModuleNotFoundError("No module named 'async_timeout'", name="async_timeout"))
    assert "redis cannot be loaded (No module named 'async_timeout')" in str(error)
