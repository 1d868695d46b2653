# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters by which awx.yml hands the contents of awx/ to the modules of awx.awx."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._awx import (
    configuration_to_send,
    nodes_change,
    workflow_nodes,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._version import collection_version


def installed_version(name: str) -> str:
    """Return the version of an installed collection, ``namespace.name``; empty if Ansible finds none."""
    try:
        spec = importlib.util.find_spec(f"ansible_collections.{name}")
    except ImportError:
        return ""
    places = list(spec.submodule_search_locations or []) if spec else []
    return collection_version(Path(places[0])) if places else ""


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "awx_configuration": configuration_to_send,
            "awx_nodes": workflow_nodes,
            "awx_nodes_change": nodes_change,
            "installed_version": installed_version,
        }
