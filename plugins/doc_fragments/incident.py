# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options that say whose incident it is."""

    DOCUMENTATION = r"""
options:
  incident_id:
    description: Free text that is unique to this incident. Everything in the ledger is recorded under it.
    type: str
    required: true
  run_id:
    description: Id of this run of a playbook. Events are chained per incident and run. If omitted, an id is generated.
    type: str
  scenario:
    description: Which scenario of the runbook this is, for the record.
    type: str
  operator:
    description: Who acts, for the record.
    type: str
  reason:
    description: Why, for the record.
    type: str
  environment:
    description:
      - Name of the environment, for instance V(production). The first one that is given marks the ledger. A different
        one is refused before anything is changed.
    type: str
"""
