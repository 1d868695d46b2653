#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: affected_tenants_info
short_description: Rank the tenants that have a feature flag on by their errors, or return the frozen list
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Counts the errors of each tenant in a window that ends now, by the server's clock, in one pass over the window's
    rows. Lists the tenants that exist, have the flag on, and have more than O(more_than) errors, worst first.
  - Tenants with equally many errors are ordered by their ids, so the same errors always give the same list.
  - The rules of M(chatia.kanban_rollback.feature_flag) decide what counts as on; no value is cast.
  - If the ledger has a frozen list for O(incident_id), the module returns that list instead. The tenants that are
    shown, acted on and verified are then the same. A list is frozen by an event C(ranking frozen) of the incident
    (M(chatia.kanban_rollback.incident)) that contains RV(freeze); the first such event counts while the incident is
    open. Once any tenants of the incident are put back, that list is history, and the next one counts.
  - Reads only, takes no row locks, and works on replicas as well.
options:
  error_logs:
    description:
      - Table of errors, as C(name) or C(schema.name). The exact name is looked for first, then the lower-case one.
    type: str
    required: true
  companies:
    description:
      - Table of tenants. It gives their names and shows which ids no tenant has. Left out, the flag's table shows that.
    type: str
  users:
    description: Table of users, to count those of the affected tenants.
    type: str
  users_query:
    description:
      - A query that returns one whole number, used instead of O(users). In it, C(%(tenants)s) stands for the ids of the
        affected tenants, as a list of text; other percent signs stand for themselves. The query runs read-only.
    type: str
  columns:
    description:
      - Columns by table and by their meaning, for instance C({error_logs:{company:companyId,created_at:createdAt}}).
        The module needs C(company), C(created_at) and, with O(contains), C(context) of C(error_logs); C(id) and C(name)
        of C(companies); C(company) of C(users). It ignores others.
      - C(context) may be text, json or jsonb. C(created_at) may be with or without a time zone.
    type: dict
    required: true
  window:
    description:
      - Length of the window before now, in seconds. An error that is dated later than now counts, with a warning.
    type: float
    default: 3600
  more_than:
    description: A tenant is affected when it has more errors than this.
    type: int
    default: 10
  top:
    description: How many tenants to list at most, up to 1000; V(0) lists all of them, also up to 1000.
    type: int
    default: 20
  contains:
    description:
      - Count only errors whose context contains this text of at most 200 characters. No character is a wildcard. In
        JSON, the text is found both as written and as JSON escapes it. If it is empty, every error counts.
    type: str
    default: ''
  ignore_case:
    description: Whether O(contains) ignores upper and lower case. Accents are never ignored.
    type: bool
    default: true
  naive_timezone:
    description: Time zone of the errors' times if their column has none. ORMs write UTC.
    type: str
    default: UTC
  incident_id:
    description: The id or an alias of the incident whose frozen list is returned, if it has one.
    type: str
  incident_adopt:
    description: Whether to use an incident that is already open if the ledger does not know O(incident_id).
    type: bool
    default: false
  frozen_age:
    description:
      - Seconds after which a frozen list is history and the tenants are ranked again. An incident may stay open for
        weeks, and with O(incident_adopt=true) a run that names no incident joins it.
    type: float
    default: 86400
  since_switch:
    description:
      - Rank by the errors since the incident's frozen list was switched off, instead of by O(window). The ledger gives
        that moment; if it has none, the errors of this many seconds count. The frozen list is not returned then.
      - The module looks at no more than O(window), and O(more_than) shrinks in proportion to the time, but not below 1.
    type: float
  frozen:
    description:
      - V(prefer) ranks if no list is frozen; beside a frozen list it counts the present figures. V(only) does neither,
        whatever O(since_switch) says, because a switch waits for it; if no list is frozen, it returns
        RV(measured=false).
    type: str
    choices: [prefer, only]
    default: prefer
  environment:
    description: Refuse a ledger that is marked with another environment.
    type: str
  deadline:
    description: Seconds that the module may take. A ranking that does not end in time fails; it is never cut short.
    type: float
    default: 30
  on_missing:
    description:
      - What to do if the table of errors, or one of its columns, does not exist. V(fail) fails; V(report) returns
        RV(measured=false). Neither returns an empty list that would read as nobody being affected.
    type: str
    choices: [fail, report]
    default: fail
  on_replica:
    description: Whether to V(read) a replica as well or to V(skip) it.
    type: str
    choices: [read, skip]
    default: read
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
  - chatia.kanban_rollback.flag
attributes:
  check_mode:
    support: full
    description: Changes nothing anyway.
  diff_mode:
    support: N/A
    description: Changes nothing.
seealso:
  - module: chatia.kanban_rollback.feature_flag
  - module: chatia.kanban_rollback.incident
"""

EXAMPLES = r"""
- name: Rank the tenants that are affected most
  chatia.kanban_rollback.affected_tenants_info:
    login_db: chatia_db
    table: Companies
    column: settings
    path: [kanbanV2Enabled]
    error_logs: ErrorLogs
    companies: Companies
    columns:
      error_logs: {company: companyId, context: context, created_at: createdAt}
      companies: {id: id, name: name}
    contains: kanban
    incident_id: INC-20261125-042
  register: worst

- name: Freeze the list
  chatia.kanban_rollback.incident:
    login_db: chatia_db
    incident_id: INC-20261125-042
    event:
      phase: assess
      event: ranking frozen
      data: "{{ worst.freeze }}"
  when:
    - not worst.frozen
    - worst.tenants | length > 0

- name: Switch off exactly those
  chatia.kanban_rollback.feature_flag:
    login_db: chatia_db
    table: Companies
    column: settings
    path: [kanbanV2Enabled]
    state: disabled
    incident_id: INC-20261125-042
    tenants: "{{ worst.tenants | map(attribute='tenant') | list }}"
"""

RETURN = r"""
measured:
  description:
    - False if the table of errors is missing and O(on_missing=report), if no list is frozen and O(frozen=only), or if a
      replica was skipped.
  returned: success
  type: bool
skipped:
  description: Whether the module skipped this server because it is a replica. The figures are null then.
  returned: when O(on_replica=skip) and the server is a replica
  type: bool
skipped_reason:
  description: Why.
  returned: when RV(skipped=true)
  type: str
why_not:
  description: Why nothing was measured. The figures are null then.
  returned: when O(on_missing=report) and the table of errors, or a column, is missing, or O(frozen=only) and no list is
  type: str
tenants:
  description: The list, most errors first, then by id in the order of the id's type.
  returned: success
  type: list
  elements: dict
  contains:
    tenant:
      description: The id, as M(chatia.kanban_rollback.feature_flag) takes it.
      type: str
    name:
      description: The name in one line, at most 200 characters; null if O(companies) is not given or not readable.
      type: str
    errors:
      description: Errors in the window.
      type: int
    first_at:
      description: The first of them, UTC.
      type: str
    last_at:
      description: The last of them, UTC; null for an invalid date.
      type: str
    mean_seconds_between:
      description: Mean seconds from one error to the next; null if there is only one error.
      type: float
    errors_now:
      description: For a frozen list, the errors in the window that ends now; null if they were not counted.
      type: int
affected_count:
  description: Tenants that exist and have more than O(more_than) errors, whether they are on or off.
  returned: success
  type: int
affected_on_count:
  description: Those of them that are on, including the ones that the list has no place for.
  returned: success
  type: int
on_count:
  description: Tenants that are on.
  returned: success
  type: int
total:
  description: Tenants meant.
  returned: success
  type: int
share:
  description: RV(affected_on_count) divided by RV(on_count), from 0 to 1; null if no tenant is on.
  returned: success
  type: float
  sample: 0.0525
users_count:
  description: Users of the tenants that RV(affected_on_count) counts; null if no option says how to count them.
  returned: success
  type: int
errors_total:
  description: Errors in the window that contain the text, no matter whose.
  returned: success
  type: int
errors_without_tenant:
  description: Those of them that name no tenant.
  returned: success
  type: int
unknown_count:
  description: Ids with more than O(more_than) errors that belong to no tenant (any more).
  returned: success
  type: int
window:
  description:
    - O(window); for a frozen list, the window that it was made with. The same applies to RV(more_than) and RV(top).
  returned: success
  type: float
more_than:
  description: See RV(window).
  returned: success
  type: int
top:
  description: See RV(window).
  returned: success
  type: int
since:
  description: When the window began, UTC, by the server's clock.
  returned: success
  type: str
note:
  description: What to check before reading a ranking without errors as nobody being affected; otherwise null.
  returned: success
  type: str
doubt:
  description:
    - Why the figures of O(since_switch) cannot be relied on; null if nothing speaks against them. Errors that were
      written after the ranking but are dated before it come from a clock that is behind, and those dated after the
      server's now from one that is ahead. If no error was found and no ranking is frozen to compare with, nothing shows
      that errors would be found.
  returned: success
  type: str
frozen:
  description:
    - Whether this is the list that the incident froze. The figures are then those of that moment, and the present ones
      are in RV(now).
  returned: success
  type: bool
frozen_at:
  description: When it was frozen, UTC.
  returned: success
  type: str
gone:
  description: Tenants of a frozen list that no longer exist.
  returned: success
  type: list
  elements: str
now:
  description:
    - Beside a frozen list, the present figures (RV(share), RV(on_count), RV(affected_on_count) and the others, and
      RV(note)); null if they were not counted.
  returned: success
  type: dict
incident_id:
  description: The incident that froze it.
  returned: when RV(frozen=true)
  type: str
freeze:
  description: The list and its figures, as recorded in the event C(ranking frozen).
  returned: when ranked now
  type: dict
index_missing:
  description: Whether the table of errors is large and has no index that finds the rows of the window.
  returned: success
  type: bool
index_hint:
  description: The statement that creates one.
  returned: when ranked now
  type: str
plan:
  description: How the server reads the table of errors.
  returned: when ranked now
  type: str
  sample: Index Scan using ErrorLogs_createdAt_idx on ErrorLogs
unknown_tenants:
  description: Up to 100 of O(tenants) that do not exist.
  returned: when ranked now
  type: list
  elements: str
unknown_tenants_count:
  description: How many there are.
  returned: when ranked now
  type: int
flag:
  description: The flag's name in the ledger.
  returned: when ranked now
  type: str
ledger:
  description: Whether the ledger exists and can be read, its version and environment.
  returned: when not skipped
  type: dict
database:
  description: Which database this was.
  returned: success
  type: dict
ranking_ms:
  description: Milliseconds for the ranking's one statement.
  returned: when ranked now
  type: int
elapsed_ms:
  description: Milliseconds that the module took.
  returned: success
  type: int
error:
  description:
    - On failure, what is wrong (C(code), C(what)), why it matters (C(why)), what to do (C(todo)), and where the
      documentation says more (C(page)).
  returned: failure
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    flag_from,
    flag_spec,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._rankentry import read_affected
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ranking import RankRequest

SPEC = {
    "error_logs": {"type": "str", "required": True},
    "companies": {"type": "str"},
    "users": {"type": "str"},
    "users_query": {"type": "str"},
    "columns": {"type": "dict", "required": True},
    "window": {"type": "float", "default": 3600},
    "more_than": {"type": "int", "default": 10},
    "top": {"type": "int", "default": 20},
    "contains": {"type": "str", "default": ""},
    "ignore_case": {"type": "bool", "default": True},
    "naive_timezone": {"type": "str", "default": "UTC"},
    "incident_id": {"type": "str"},
    "incident_adopt": {"type": "bool", "default": False},
    "frozen_age": {"type": "float", "default": 86400},
    "since_switch": {"type": "float"},
    "frozen": {"type": "str", "choices": ["prefer", "only"], "default": "prefer"},
    "environment": {"type": "str"},
    "deadline": {"type": "float", "default": 30},
    "on_missing": {"type": "str", "choices": ["fail", "report"], "default": "fail"},
    "on_replica": {"type": "str", "choices": ["read", "skip"], "default": "read"},
}


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={**postgres_spec(), **flag_spec(), **SPEC},
        required_if=[("frozen", "only", ["incident_id"])],
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        own = {name: params[name] for name in SPEC if name != "incident_adopt"}
        request = RankRequest(flag=flag_from(params), tenants=params["tenants"], adopt=params["incident_adopt"], **own)
        return read_affected(login_from(params), request), None

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
