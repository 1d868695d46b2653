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
      - Table of the flag, as C(name) or C(schema.name). The module looks for the exact name first, then for the
        lower-case one. If there is none, the error lists similar names.
    type: str
    required: true
  tenant_column:
    description: Column with the tenant's id.
    type: str
    default: id
  column:
    description: Column of the document, the value, or the flag itself.
    type: str
    required: true
  path:
    description: Path to the flag inside the document, one name per element. Required for O(store=jsonb).
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
      - What it means that a tenant does not have the flag. Settings that are not a JSON object count as absent. With
        V(on), they become an object that has only the flag, and the raw value is kept as the prior value.
    type: str
    choices: ['off', 'on']
    default: 'off'
  enabled_value:
    description: Value that the application writes when the flag is on.
    type: raw
    default: true
  disabled_value:
    description:
      - Value that the application writes when the flag is off. V(null) is SQL NULL, or JSON C(null) in a document. NULL
        is refused for O(store=column) with O(absent_means=on), because it means on there, and for a column that may
        not be NULL.
    type: raw
    default: false
  tenants_table:
    description:
      - Table of all tenants, for O(store=key_value). It is needed if tenants without a row matter, that is with
        O(absent_means=on), and to create rows for them. Other columns that such a row must not leave out are filled
        with the current time.
    type: str
  tenants_table_column:
    description: Column with the tenant's id in O(tenants_table).
    type: str
    default: id
  tenants:
    description: Ids of the tenants to act on. If omitted, all tenants.
    type: list
    elements: str
"""
