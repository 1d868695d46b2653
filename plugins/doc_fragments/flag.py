# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options that say where a flag is kept."""

    DOCUMENTATION = r"""
options:
  store:
    description:
      - How the application keeps the flag. V(jsonb) is a member of a JSON document in a column of the tenant's row (of
        type C(jsonb), C(json) or text); V(key_value) is a row per tenant and key; V(column) is a column of its own.
    type: str
    choices: [jsonb, key_value, column]
    default: jsonb
  table:
    description:
      - Table of the flag, as C(name) or C(schema.name). The exact name is looked for first, then the lower-case one.
        If there is none, the error lists near names.
    type: str
    required: true
  tenant_column:
    description: Column with the tenant's id.
    type: str
    default: id
  column:
    description: Column that holds the document, the value, or the flag itself.
    type: str
    required: true
  path:
    description: Names that lead to the flag inside of the document. Required for O(store=jsonb).
    type: list
    elements: str
  key_column:
    description: Column with the key. Required for O(store=key_value).
    type: str
  key:
    description: The flag's key. Required for O(store=key_value).
    type: str
  absent_means:
    description:
      - What a tenant without the flag has. Settings that are no JSON object count as absent; under V(on) they become an
        object that holds only the flag, and the raw value is the prior.
    type: str
    choices: ['off', 'on']
    default: 'off'
  enabled_value:
    description: What the application writes for on.
    type: raw
    default: true
  disabled_value:
    description: What the application writes for off.
    type: raw
    default: false
  tenants_table:
    description:
      - Table of all tenants, for O(store=key_value). Needed where tenants without a row matter, that is with
        O(absent_means=on), and to make rows for them. Other columns that such a row must not leave out are filled
        with the time of day.
    type: str
  tenants_table_column:
    description: Column with the tenant's id in O(tenants_table).
    type: str
    default: id
  tenants:
    description: Ids of the tenants that are meant; left out, all are.
    type: list
    elements: str
"""
