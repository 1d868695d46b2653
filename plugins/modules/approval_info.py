#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: approval_info
short_description: Tell who approved what a job of an AWX workflow is about to do
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Reads from AWX's API which approval the node of a job follows on success, and who gave that approval. AWX itself
    does not pass the name on to the jobs after an approval. Reads only.
  - Fails if that is not known, so that nothing is done without a known approver.
options:
  url:
    description:
      - Name or https address of AWX. http is allowed for a server on this machine only. Redirects are never followed.
      - Left out, E(CONTROLLER_HOST) is used. A credential of the type Red Hat Ansible Automation Platform sets it.
    type: str
  token:
    description: OAuth token of a user who may read the workflow. Left out, E(CONTROLLER_OAUTH_TOKEN) is used.
    type: str
  username:
    description: User to log in as if there is no token. Left out, E(CONTROLLER_USERNAME) is used.
    type: str
  password:
    description: Password of the user. Left out, E(CONTROLLER_PASSWORD) is used.
    type: str
  validate_certs:
    description:
      - Whether to check the certificate. Left out, E(CONTROLLER_VERIFY_SSL) is used, and true if that is not set.
    type: bool
    default: true
  ca_certs:
    description: A PEM file of the authorities to trust instead of the system's.
    type: path
  workflow_job_id:
    description: Id of the workflow's run, C(awx_workflow_job_id) in a job.
    type: int
    required: true
  job_id:
    description: Id of this job, C(awx_job_id) in it.
    type: int
    required: true
  deadline:
    description: Seconds that the module may take.
    type: float
    default: 30
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
notes:
  - Runs on the controller. Does not use the proxies of the environment.
seealso:
  - module: chatia.kanban_rollback.integrity_repair
  - module: chatia.kanban_rollback.pg_restore_tables
"""

EXAMPLES = r"""
- name: Ask AWX who approved this
  chatia.kanban_rollback.approval_info:
    workflow_job_id: "{{ awx_workflow_job_id }}"
    job_id: "{{ awx_job_id }}"
  delegate_to: localhost
  register: approval
"""

RETURN = r"""
approved_by:
  description: The user who approved.
  returned: success
  type: str
approved_at:
  description: When, UTC.
  returned: success
  type: str
requested_by:
  description: The user who launched the workflow; empty if a schedule launched it.
  returned: success
  type: str
name:
  description: The approval's name.
  returned: success
  type: str
approval_id:
  description: Its id in AWX.
  returned: success
  type: int
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - A short, stable word for machines, C(no_address), C(no_login), C(key_in_the_clear), C(bad_url),
          C(url_with_more), C(bad_ca_certs), C(bad_deadline), C(no_answer), C(refused), C(not_awx),
          C(not_of_the_workflow), C(job_not_running), C(no_approval), C(not_approved).
      type: str
    what:
      description: What is wrong.
      type: str
    why:
      description: Why it matters now.
      type: str
    todo:
      description: What to do next.
      type: str
    page:
      description: The address of the section of the documentation that says more about C(code).
      type: str
"""

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._approvalentry import approval_of, request_from
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import check_seconds
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "fallback": (env_fallback, ["CONTROLLER_HOST"])},
            "token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["CONTROLLER_OAUTH_TOKEN"])},
            "username": {"type": "str", "fallback": (env_fallback, ["CONTROLLER_USERNAME"])},
            "password": {"type": "str", "no_log": True, "fallback": (env_fallback, ["CONTROLLER_PASSWORD"])},
            "validate_certs": {"type": "bool", "default": True, "fallback": (env_fallback, ["CONTROLLER_VERIFY_SSL"])},
            "ca_certs": {"type": "path"},
            "workflow_job_id": {"type": "int", "required": True},
            "job_id": {"type": "int", "required": True},
            "deadline": {"type": "float", "default": 30},
        },
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        return approval_of(request_from(params)), None

    run(module, work)


if __name__ == "__main__":
    main()
