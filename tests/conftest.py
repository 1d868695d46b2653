# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all tests share: the hosts, brought up when a test first asks for them."""

from __future__ import annotations

from pathlib import Path

pytest_plugins = ["tests.hosts.plugin", "tests.documents.plugin"]

try:
    from hypothesis.configuration import set_hypothesis_home_dir
except ImportError:  # Tests without properties run without it.
    pass
else:
    # Its caches belong with everything else that is generated.
    set_hypothesis_home_dir(Path(__file__).parents[1] / ".cache" / "hypothesis")
