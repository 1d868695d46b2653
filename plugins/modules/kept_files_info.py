#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: kept_files_info
short_description: List the dumps and the evidence that lie on a host
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Lists the complete dumps of M(chatia.kanban_rollback.pg_dump) in a directory, with what their manifests say, and
    what its runs left unfinished. A dump is complete if the names and sizes of its files match its manifest; contents
    are not read.
  - Lists the evidence that M(chatia.kanban_rollback.evidence) collected, also where it was put when its directory could
    not be written. A directory that belongs to another user is not read.
  - Reads at most 20000 entries and 200 manifests of 8 MiB. Anything beyond, and anything that is no complete dump, is
    in RV(uncertain) with the reason.
  - P(chatia.kanban_rollback.what_is_over#filter) chooses from the result what has expired.
options:
  dump_dir:
    description: Directory of the dumps. If omitted, none are looked for.
    type: path
  incidents_dir:
    description: Directory of the incidents' records.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - plugin: chatia.kanban_rollback.what_is_over
    plugin_type: filter
"""

EXAMPLES = r"""
- name: List what is kept on a database's host
  chatia.kanban_rollback.kept_files_info:
    dump_dir: /var/lib/kanban_rollback/dumps
    incidents_dir: ~/.local/state/kanban_rollback/incidents
  register: kept
"""

RETURN = r"""
dumps:
  description: Complete dumps, by path.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Its directory.
      type: str
    incident_id:
      description: The incident that it was made for; null if it was made without one.
      type: str
    database:
      description: C(cluster) and C(name) of its database.
      type: dict
    tables:
      description: Its tables, each as C(schema.name).
      type: list
      elements: str
    ended_at:
      description: When it was complete, in UTC.
      type: str
    written:
      description: The later of that and the time of the manifest's file, in seconds since 1970.
      type: float
unfinished:
  description: What dead runs of pg_dump left, each with C(path) and C(written).
  returned: success
  type: list
  elements: dict
evidence:
  description: Directories of evidence, each with C(path) and C(written).
  returned: success
  type: list
  elements: dict
uncertain:
  description: What else is there, or could not be read, each with C(path), C(what) and C(why).
  returned: success
  type: list
  elements: dict
error:
  description: On failure, what is wrong, why it matters and what to do, and the C(page) that says more.
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._keptfiles import kept_files


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={"dump_dir": {"type": "path"}, "incidents_dir": {"type": "path", "required": True}},
        supports_check_mode=True,
    )

    def work() -> Outcome:
        return kept_files(module.params["dump_dir"], module.params["incidents_dir"]), None

    run(module, work)


if __name__ == "__main__":
    main()
