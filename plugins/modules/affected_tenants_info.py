#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: affected_tenants_info
short_description: Rank the tenants that have a feature flag on by their errors, or return the list that was frozen
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Counts the errors of each tenant within a window that ends now, by the server's clock, in one pass over the window's
    rows, and lists the tenants with more than O(more_than) of them that exist and have the flag on, worst first.
  - Tenants with as many errors stand in the order of their ids, so the same errors always make the same list.
  - What is on is decided by the rules of M(chatia.kanban_rollback.feature_flag); no value is cast.
  - Where the ledger has a list frozen for O(incident_id), that one is returned instead, so that what is shown, acted on
    and verified are the same tenants. A list is frozen by an event C(ranking frozen) of the incident
    (M(chatia.kanban_rollback.incident)) that holds RV(freeze); the first one counts while the incident is open. Once
    tenants of the incident are put back, be it some of them, it is history, and the next one counts.
  - Reads only, takes no row locks, and works on replicas as well.
options:
  error_logs:
    description:
      - Table of errors, as C(name) or C(schema.name). The exact name is looked for first, then the lower-case one.
    type: str
    required: true
  companies:
    description:
      - Table of tenants, for their names and to tell ids that no tenant has. Left out, the flag's table tells.
    type: str
  users:
    description: Table of users, to count those of the affected tenants.
    type: str
  users_query:
    description:
      - A query that returns one whole number, used instead of O(users). C(%(tenants)s) in it stands for the ids of the
        affected tenants, a list of text; other percent signs stand for themselves. It is run read-only.
    type: str
  columns:
    description:
      - Columns by table and by what they mean, for instance C({error_logs:{company:companyId,created_at:createdAt}}).
        Needed are C(company), C(created_at) and, with O(contains), C(context) of C(error_logs); C(id) and C(name) of
        C(companies); C(company) of C(users). Others are not looked at.
      - C(context) may be text, json or jsonb. C(created_at) may have a time zone or none.
    type: dict
    required: true
  window:
    description: Seconds before now in which an error counts. One that is dated later than now counts, with a warning.
    type: float
    default: 3600
  more_than:
    description: A tenant is affected when it has more errors than this.
    type: int
    default: 10
  top:
    description: How many tenants to list at most, up to 1000; V(0) lists them all, up to 1000.
    type: int
    default: 20
  contains:
    description:
      - Only errors whose context contains this text, at most 200 characters. No character of it is a wildcard. In JSON
        it is found as it is written and as JSON escapes it. Empty, every error counts.
    type: str
    default: ''
  ignore_case:
    description: Whether upper and lower case are the same in O(contains). Accents never are left out.
    type: bool
    default: true
  naive_timezone:
    description: Which time zone the times of errors are in where their column has none. ORMs write UTC.
    type: str
    default: UTC
  incident_id:
    description: The incident, by its id or an alias, whose frozen list is returned where there is one.
    type: str
  incident_adopt:
    description: Whether an incident that is open already is meant where the ledger does not know O(incident_id).
    type: bool
    default: false
  frozen_age:
    description:
      - Seconds after which a frozen list is history and the tenants are ranked anew. An incident may stay open for
        weeks, and with O(incident_adopt=true) it is joined by who names none.
    type: float
    default: 86400
  since_switch:
    description:
      - Rank by the errors since the incident's frozen list was switched off, as its ledger has that moment, and not by
        O(window); where the ledger has none, by those of so many seconds. What is frozen is not returned then.
      - No more than O(window) is looked at, and O(more_than) shrinks in proportion with the time, to at least 1.
    type: float
  frozen:
    description:
      - V(prefer) ranks where no list is frozen, and counts beside a frozen one what is now. V(only) does neither,
        whatever O(since_switch) says, for a switch waits for it; where no list is frozen, RV(measured=false).
    type: str
    choices: [prefer, only]
    default: prefer
  environment:
    description: Refuse a ledger that is marked with another environment.
    type: str
  deadline:
    description: Seconds for all of it. A ranking that does not end in time fails; it is never cut short.
    type: float
    default: 30
  on_missing:
    description:
      - What to do where the table of errors, or one of its columns, does not exist. V(fail) fails; V(report) returns
        RV(measured=false). Neither returns an empty list that reads as nobody being affected.
    type: str
    choices: [fail, report]
    default: fail
  on_replica:
    description: Whether to read a replica as well, or to V(skip) it.
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
- name: Who is affected most
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
    - False where the table of errors is missing and O(on_missing=report), where no list is frozen and O(frozen=only),
      or where a replica was skipped.
  returned: success
  type: bool
skipped:
  description: Whether this was a replica, which was left alone. The figures are null then.
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
      description: The name in one line, at most 200 characters; null where O(companies) is not given or not readable.
      type: str
    errors:
      description: Errors in the window.
      type: int
    first_at:
      description: The first of them, UTC.
      type: str
    last_at:
      description: The last of them, UTC; null for a date that is none.
      type: str
    mean_seconds_between:
      description: Mean seconds from one error to the next; null where there is one error only.
      type: float
    errors_now:
      description: Of a frozen list, the errors in the window that ends now; null where they were not counted.
      type: int
affected_count:
  description: Tenants that exist and have more than O(more_than) errors, whether they are on or off.
  returned: success
  type: int
affected_on_count:
  description: Those of them that are on, also the ones that the list has no place for.
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
  description: RV(affected_on_count) of RV(on_count), from 0 to 1; null where none is on.
  returned: success
  type: float
  sample: 0.0525
users_count:
  description: Users of the tenants that RV(affected_on_count) counts; null where nothing says how to count them.
  returned: success
  type: int
errors_total:
  description: Errors in the window with the text, of whomever.
  returned: success
  type: int
errors_without_tenant:
  description: Those of them that name no tenant.
  returned: success
  type: int
unknown_count:
  description: Ids with more than O(more_than) errors that no tenant has (any more).
  returned: success
  type: int
window:
  description: O(window), and likewise RV(more_than) and RV(top); of a frozen list, those that it was made with.
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
  description: Where the window began, UTC, by the server's clock.
  returned: success
  type: str
note:
  description: What to look at before a ranking without any error is read as nobody being affected; null else.
  returned: success
  type: str
doubt:
  description:
    - Why the figures of O(since_switch) cannot be relied on; null where nothing speaks against them. Errors that were
      written since the ranking and are dated before it come from a clock that is behind; and where no error was found
      and no ranking is frozen to compare with, nothing shows that errors would be found.
  returned: success
  type: str
frozen:
  description:
    - Whether this is the list that the incident froze; then the figures are those of that moment, too, and those of
      this one are in RV(now).
  returned: success
  type: bool
frozen_at:
  description: When it was frozen, UTC.
  returned: success
  type: str
gone:
  description: Tenants of a frozen list that exist no more.
  returned: success
  type: list
  elements: str
now:
  description:
    - Beside a frozen list, the figures (RV(share), RV(on_count), RV(affected_on_count) and the others, and RV(note)) as
      they are now; null where they were not counted.
  returned: success
  type: dict
incident_id:
  description: The incident that froze it.
  returned: when RV(frozen=true)
  type: str
freeze:
  description: List and figures, as the event C(ranking frozen) holds them.
  returned: when ranked now
  type: dict
index_missing:
  description: Whether the table of errors is large and no index finds the rows of the window.
  returned: success
  type: bool
index_hint:
  description: The statement that makes one.
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
  description: Whether the ledger is there and can be read, its version and environment.
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
  description: Milliseconds for all of it.
  returned: success
  type: int
error:
  description:
    - On failure, what is wrong (C(code), C(what)), why it matters (C(why)), what to do (C(todo)), and where more is
      said (C(page)).
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
    """Read the options, do the work, end."""
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
