# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fail a test that did not run the documented command that ran_by.yml says it runs."""

from __future__ import annotations

from collections.abc import Generator
from importlib.util import find_spec

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Run the test, after its fixtures, and check what its file has started by then."""
    yield
    # Tests of pure files also run without PyYAML, and run no command.
    if find_spec("yaml") is not None:
        from tests.documents.claims import not_run

        missing = not_run(item.nodeid)
        assert not missing, f"tests/documents/ran_by.yml says that this runs what it does not: {missing}"
