#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: feature_flag
short_description: Switch a feature flag off or on for all tenants, or put it back as it was
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Switches a flag that an application keeps per tenant in PostgreSQL. Switching off is meant for the worst moment. It
    does not wait for locked rows, commits in batches, and names the tenants that it could not switch by O(deadline)
    with the sessions that lock them.
  - No value is lost. The value that each tenant had is written to the ledger (schema C(kanban_rollback)) in the same
    transaction that switches it, so O(state=restored) brings back exactly who had the feature, and how. Absent,
    V(null), V(false), C("sim") and C([]) are all different.
  - Off means absent (unless O(absent_means=on)), SQL or JSON NULL, V(false), or exactly O(disabled_value). Everything
    else is on and is switched off, C("false") and V(0) included. Tenants that are off are not rewritten.
  - A flag inside a C(json) or text column is edited as text, so every other character of the settings stays.
options:
  state:
    description:
      - V(disabled) switches off, V(enabled) switches on, V(restored) puts back what O(incident_id) changed.
      - V(restored) leaves alone, and lists, tenants whose flag was changed since.
      - A row whose tenant is NULL (null in lists of tenants) is switched off and put back as all others are, unless
        O(store=key_value). If there are several, nobody knows whose a value was, so they count as changed since.
      - V(paused) switches nobody and raises the latch, see O(latch). While the incident is open, tenants that are on
        stay on, even when their settings are saved. Only this module, under the same incident, can switch on anybody
        else, new tenants included. V(restored) for all tenants ends the pause, and so does closing the incident. The
        module fails if the latch cannot be raised.
    type: str
    choices: [disabled, enabled, restored, paused]
    default: disabled
  deadline:
    description:
      - Seconds within which all tenants must have the wanted state. Otherwise the module fails, with full results.
    type: float
    default: 20
  on_blocked:
    description:
      - What to do about sessions that hold a tenant's row or the table. V(report) names them, V(terminate) also ends
        them (needs membership in C(pg_signal_backend)). Prepared transactions are named, never ended.
    type: str
    choices: [report, terminate]
    default: report
  settle:
    description:
      - Seconds to go on after the kill until every transaction that was open has ended. What such a transaction writes
        back from an earlier read is switched off again. V(0) skips this.
    type: float
    default: 0
  latch:
    description:
      - Whether to put a row trigger on the table, with the kill. While the incident is open, it turns a change from off
        to on back to off, and records it. It never raises an error. It needs the ledger and the TRIGGER privilege.
        Without them a warning says so. O(state=restored) passes it, and removes it.
      - It is raised once nobody is on, and then they are counted again. From then on only a transaction can bring the
        flag back that had written it and not committed; O(settle) waits for those. It does not wait for a writer that
        locks the table for longer than 0.25 seconds. A latch that M(chatia.kanban_rollback.ledger) has installed needs
        no lock on the table.
      - A row that is inserted counts as switched on by that, unless the tenant has one that is on. So a save by
        C(INSERT ... ON CONFLICT) leaves a tenant on, and one that deletes the row and inserts it again turns it off.
      - There is one latch per flag. Even with O(tenants), it turns back the switching on of any tenant, and of the row
        without tenant of a key/value store.
      - O(state=paused) raises it regardless of this option.
    type: bool
    default: false
  latch_wait:
    description:
      - Seconds to wait, after the kill, for whoever kept the latch from the table, once nobody is on whose prior value
        is not kept. V(0) does not try again, and gives no warning if the latch is not up.
    type: float
    default: 2
  share:
    description:
      - With O(state=restored) or V(disabled), acts on a stage of the tenants that had the feature when O(incident_id)
        first switched them off, whether or not they have it again. They are ordered by id (numbers as numbers, all else
        as text by code points), the same for every caller. The stage reaches up to this percentage of them, rounded up.
        Nobody has to send hundreds of thousands of ids.
      - The latch stays raised, for the others. The row without tenant of a key/value store is restored with V(100),
        and if O(withdrawn), switched off again with it, if the incident had switched it off.
      - Not with O(tenants). A tenant that was first switched on under the incident does not count as having had it.
    type: float
  share_above:
    description: Where the stage begins, in per cent. Tenants up to there belong to earlier stages.
    type: float
    default: 0
  share_first:
    description: A tenant that comes before all others, if it had the feature.
    type: str
  withdrawn:
    description:
      - With O(state=disabled), whether this takes the feature back from tenants to which O(state=restored) or
        V(enabled) had given it for a try. It is recorded as that, and not as a kill, see
        RV(chatia.kanban_rollback.incident_info#module:kills).
    type: bool
    default: false
  spent:
    description:
      - With O(state=restored) and O(tenants), whether to restore also tenants that the incident has restored before.
      - A tenant that was switched off since then gets its prior value again, unless its flag now has a value that the
        incident did not write, see RV(changed_since) and RV(other_values).
    type: bool
    default: false
  global_default:
    description:
      - Whether to switch also the row without tenant of a key/value store, the default of every tenant without a row.
        It is switched before all others, and waited for first. If there are several, all are, each with its own prior
        value. Some tenants (O(tenants), O(share)) are switched without it, and O(state=restored) brings it back with
        the last stage.
      - With V(false), the module fails with C(default_left_on) if it is on when all tenants are to be off.
    type: bool
    default: true
  incident_adopt:
    description:
      - Whether an incident that is already open in the ledger is the same one. O(incident_id) then becomes its alias.
        For ids that the controller generated, not for ids that a person gave.
    type: bool
    default: false
  on_replica:
    description:
      - What to do on a server in recovery. V(fail) fails, V(skip) returns the figures that the server shows.
    type: str
    choices: [fail, skip]
    default: fail
  state_dir:
    description:
      - Directory on the host for prior values when the ledger cannot take them (mode 0700, files 0600).
      - Without it, or if it cannot be written, C(/var/lib/kanban_rollback), C(~/.local/state/kanban_rollback),
        C(/var/tmp/kanban_rollback) and C(/dev/shm/kanban_rollback) are tried. If none can be written, RV(priors) has
        the values.
    type: path
  evidence_dir:
    description:
      - Directory on the host for this incident's evidence, as O(chatia.kanban_rollback.evidence#module:dest). If given,
        a separate process collects what PostgreSQL shows at this moment, under the label C(t0), while this module goes
        on. M(chatia.kanban_rollback.evidence) returns it later. The kill does not wait for it, and a failure to start
        it is a warning.
      - Only for O(state=disabled), and not in check mode. It uses one more connection, which is opened after this
        module has its own, and closed early if fewer than 5 are free.
    type: path
  killed_on:
    description:
      - Servers on which this run's kill was committed. With O(settle), the one of this cluster is compared with the
        server that is here now. If another server has taken over since, RV(failover) says what was lost with the old
        one, and the ledger records it as an event.
    type: list
    elements: dict
    suboptions:
      host:
        description: Name of the host, for the record.
        type: str
        required: true
      cluster:
        description: The C(cluster) of its RV(database).
        type: str
        required: true
      timeline:
        description: Timeline of its write-ahead log, see RV(position).
        type: str
        required: true
      lsn:
        description: How far its log is known.
        type: str
      switched:
        description: How many tenants the kill switched off there.
        type: int
        default: 0
      incident_id:
        description: Id of the incident in its ledger.
        type: str
      file:
        description: File on that host with the prior values, if the ledger did not take them.
        type: str
  fence:
    description:
      - What to refuse, as M(chatia.kanban_rollback.write_fence) does it. If given, the process that switches the flag
        also raises the fence, half a second sooner than a process that is started for it.
      - The fence is raised when the flag is off, or at the first lock that the switch has to wait for. Tables that
        cannot be locked then are tried again between the switch's own tries, for 0.25 seconds each.
      - It is proven even if not every tenant could be switched, unless that took more than 5 seconds. The fence must
        be raised within 3 seconds, and after 6 seconds the module waits for no server any more. RV(fence) has the
        result. If the fence does not hold, M(chatia.kanban_rollback.write_fence) goes on with it, with its own time and
        messages, and this module does not fail for it.
      - Only for O(state=disabled), and not in check mode.
    type: dict
    suboptions:
      tables:
        description:
          - As O(chatia.kanban_rollback.write_fence#module:tables). A value that is not a list is left to that module,
            which reports what is wrong with it.
        type: raw
      drain:
        description: Seconds to wait for transactions that were writing when the fence was raised; V(0) looks once.
        type: float
        default: 1
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
  - chatia.kanban_rollback.flag
  - chatia.kanban_rollback.incident
attributes:
  check_mode:
    support: full
    description: Counts and shows what would change, and takes no row locks.
  diff_mode:
    support: full
    description:
      - Shows the number of tenants before and after, up to 20 of those that change, and how many more there are.
seealso:
  - module: chatia.kanban_rollback.feature_flag_info
  - module: chatia.kanban_rollback.incident
  - module: chatia.kanban_rollback.evidence
"""

EXAMPLES = r"""
- name: Switch Kanban V2 off for every tenant
  chatia.kanban_rollback.feature_flag:
    login_db: chatia_db
    table: Companies
    column: settings
    path: [kanbanV2Enabled]
    state: disabled
    incident_id: INC-20261125-042

- name: Switch it off for two tenants, ending the sessions that hold their rows
  chatia.kanban_rollback.feature_flag:
    login_db: chatia_db
    table: Companies
    column: settings
    path: [kanbanV2Enabled]
    state: disabled
    tenants: [17, 23]
    on_blocked: terminate
    incident_id: INC-20261125-042

- name: Pause the roll-out, so that nobody new gets it and whoever has it keeps it
  chatia.kanban_rollback.feature_flag:
    login_db: chatia_db
    table: Companies
    column: settings
    path: [kanbanV2Enabled]
    state: paused
    incident_id: INC-20261125-042

- name: Put back exactly what was there
  chatia.kanban_rollback.feature_flag:
    login_db: chatia_db
    table: Companies
    column: settings
    path: [kanbanV2Enabled]
    state: restored
    incident_id: INC-20261125-042

- name: Put back the first tenth of those that had it
  chatia.kanban_rollback.feature_flag:
    login_db: chatia_db
    table: Companies
    column: settings
    path: [kanbanV2Enabled]
    state: restored
    share: 10
    incident_id: INC-20261125-042

- name: A key/value table with 'enabled' and 'disabled'
  chatia.kanban_rollback.feature_flag:
    login_db: chatia_db
    store: key_value
    table: Settings
    tenant_column: companyId
    key_column: key
    key: kanbanV2
    column: value
    enabled_value: enabled
    disabled_value: disabled
    state: disabled
    incident_id: INC-20261125-042
"""

RETURN = r"""
total:
  description: Number of tenants meant (all, or those of O(tenants) that exist).
  returned: success
  type: int
  sample: 1284
enabled_before:
  description: How many of them were on.
  returned: success
  type: int
  sample: 385
enabled_after:
  description: How many are on now, counted again in a fresh snapshot.
  returned: success
  type: int
  sample: 0
changed_count:
  description:
    - How many were switched (in check mode, would be). The row without tenant of a key/value store counts as one.
  returned: success
  type: int
  sample: 385
blocked:
  description:
    - Up to 100 tenants that could not be switched or put back, each with the session that locks its row.
      RV(blocked_count) is the total.
  returned: when not in check mode
  type: list
  elements: dict
  contains:
    tenant:
      description: The tenant's id; null for the table.
      type: str
    default_of_all:
      description: True, with no tenant, for the row without tenant of a key/value store.
      type: bool
    pid:
      description: The blocking backend; 0 for a prepared transaction, null when nobody was seen.
      type: int
    application_name:
      description: The name that the session gave itself.
      type: str
    transaction_age:
      description: Seconds since the blocking transaction began.
      type: float
    to_end_it:
      description:
        - The statement that ends it. For a prepared transaction both that may, because only its transaction manager
          knows whether it told anybody that the transaction is committed.
      type: str
    refused:
      description: Why the server refused to write the row, in its words; then the row is not locked.
      type: str
blocked_count:
  description: Length of RV(blocked) before it was cut.
  returned: when not in check mode
  type: int
terminated:
  description: Sessions that were ended under O(on_blocked=terminate).
  returned: when not in check mode
  type: list
  elements: dict
unreadable:
  description: Up to 20 tenants whose settings are text that is not JSON. They are left untouched, and fail the module.
  returned: success
  type: list
  elements: str
list_id:
  description: Identifies the same O(tenants) again, whatever their order; null without them.
  returned: success
  type: str
  sample: 3f1c7a0b9d24e856
unknown_tenants:
  description: Up to 100 of O(tenants) that do not exist; the others are switched, and then the module fails.
  returned: success
  type: list
  elements: str
changed_since:
  description: Up to 100 tenants that O(state=restored) left alone because their flag was changed since.
  returned: when O(state=restored), and in check mode only with O(share)
  type: list
  elements: str
other_values:
  description:
    - Those of RV(changed_since) that had the feature with another value than O(enabled_value), so that O(state=enabled)
      would not be the same.
  returned: when O(spent), not in check mode, and the ledger knows the incident
  type: list
  elements: dict
  contains:
    tenant:
      description: The tenant's id.
      type: str
    value:
      description: The value that it had, as text; null if it was absent, or if there were several.
      type: str
missing:
  description: Up to 100 tenants of the incident that no longer exist.
  returned: when O(state=restored), and in check mode only with O(share)
  type: list
  elements: str
lacking:
  description:
    - Up to 100 tenants of the stage that are off and are neither RV(missing) nor RV(changed_since). RV(lacking_count)
      is the total.
    - If more than 20,000 are off, nobody looks for the reason, and all of them are meant.
  returned: when O(state=restored) with O(share), in check mode, and the ledger knows the incident
  type: list
  elements: str
lacking_count:
  description: Length of RV(lacking) before it was cut.
  returned: when RV(lacking) is
  type: int
unreturned_count:
  description:
    - How many of RV(lacking) it would give the feature back to. The others had it back, and were switched off since.
  returned: when RV(lacking) is
  type: int
switched_off:
  description:
    - How many tenants the incident had switched off in this ledger when O(state=restored) began to put them back. A
      tenant counts as often as it was switched off. For O(chatia.kanban_rollback.incident#module:switched_off).
  returned: when O(state=restored), and the ledger knows the incident
  type: int
stage:
  description: The stage that O(share) means.
  returned: when O(share) is given, and not on a replica
  type: dict
  contains:
    had_it:
      description: Tenants that had the feature, in all.
      type: int
      sample: 1284
    before:
      description: How many of them belong to earlier stages.
      type: int
      sample: 129
    tenants:
      description: How many belong to this stage, whether they still exist or not.
      type: int
      sample: 513
    default:
      description: Whether the row without tenant of a key/value store belongs to it, as the incident switched it off.
      returned: when O(withdrawn) is given with an O(share) of V(100)
      type: bool
priors:
  description: Where prior values were kept.
  returned: when switched
  type: dict
  contains:
    kept_in:
      description: C(ledger), C(file), C(result) or C(nothing to keep).
      type: str
    path:
      description: The file on the host that ran the module.
      type: str
    file_name:
      description: The name that such a file has or would have.
      type: str
    unsaved:
      description:
        - The values themselves, the switch's and each sweep's, when neither the ledger nor any file could take them.
          Save them.
      type: list
      elements: dict
priors_of_default:
  description: The same as RV(priors) for the row without tenant of a key/value store.
  returned: when it was to be switched
  type: dict
incident:
  description: The incident that this was recorded under, whether it was opened now, and those that were open before.
  returned: success
  type: dict
  contains:
    noted:
      description: Whether it is also found by the id that was asked for, which the ledger may have refused.
      type: bool
    switched_seconds_ago:
      description:
        - Seconds since an earlier run of the incident last switched a tenant off, by the server's clock; null if this
          run switched one, none ever did, or no ledger tells.
      returned: when O(state) is V(disabled) or V(enabled)
      type: float
latch:
  description: Whether stale writes are turned back from now on.
  returned: when O(latch=true), or O(state=paused)
  type: dict
  contains:
    raised:
      description: Whether the latch is raised.
      type: bool
    reason:
      description: Why it is not raised.
      type: str
sweep:
  description: What became of the transactions that were open after the kill.
  returned: when O(settle) is given
  type: dict
  contains:
    settled:
      description: Whether all of them have ended.
      type: bool
    switched_again:
      description:
        - How many tenants they had switched on again, which were switched off again. A tenant whose row was locked
          until then is not among them.
      type: int
    waiting_for:
      description: Up to 20 transactions that are still open.
      type: list
      elements: dict
position:
  description: Where the server was in its write-ahead log when all of this was committed.
  returned: when switched
  type: dict
  contains:
    timeline:
      description: Its timeline, null if not reported. A different one means that a replica was promoted.
      type: str
      sample: "00000001"
    lsn:
      description: A position at or after the last commit of this module.
      type: str
      sample: 0/301F108
standbys:
  description:
    - Up to 100 standbys of this server, and whether what was switched is on their disk. The module waits for those that
      are behind, 2 seconds at most.
  returned: when O(settle) is given
  type: list
  elements: dict
  contains:
    name:
      description: The name that the standby gave itself.
      type: str
    sync:
      description: C(async), C(potential), C(sync) or C(quorum); null for a role without C(pg_read_all_stats).
      type: str
    has:
      description: Whether it has all that was switched; null for a role without C(pg_read_all_stats).
      type: bool
    behind:
      description: How many bytes of the log it lacks.
      type: int
failover:
  description: What became of the kill, if another server has taken over since.
  returned: when O(killed_on) names an older primary of this cluster
  type: dict
  contains:
    host:
      description: The host that this server has replaced.
      type: str
    from_timeline:
      description: Its timeline.
      type: str
    to_timeline:
      description: The timeline now.
      type: str
    known_lsn:
      description: How far the old log is known.
      type: str
    forked_at:
      description: Where this server left the old log; null if it does not report it. What came after is lost.
      type: str
    last_commit_at:
      description: When the last transaction from there was committed, UTC; null if the server does not report it.
      type: str
    lost_bytes:
      description: How much of the old log is lost at least; null if unknown.
      type: int
    switched:
      description: How many tenants the kill had switched off there.
      type: int
    recorded:
      description: For how many tenants this server's ledger now has prior values from this run; null if unknown.
      type: int
    lost_priors:
      description: How many prior values are lost; null if unknown.
      type: int
    incident_id:
      description: Id of the incident in the old primary's ledger.
      type: str
    file:
      description: File on that host with the prior values, if the ledger did not take them.
      type: str
global_default:
  description: C(on), C(off) or C(absent), for the row without tenant of a key/value store.
  returned: when O(store=key_value), and for O(state=restored) when it belongs to the undo
  type: str
without_row:
  description:
    - How many of RV(total) have no row in a key/value store, so that they follow its default. Null if no
      O(tenants_table) says which tenants there are.
    - For O(state=restored) of all tenants with that of the last stage, how many follow the default in all.
  returned: when switched, in check mode too, and for O(state=restored) when the default belongs to the undo
  type: int
evidence:
  description: What is known, at the end of this module, about the evidence that is collected beside it.
  returned: when O(evidence_dir) is given, O(state=disabled), and not in check mode
  type: dict
  contains:
    started:
      description: Whether a process collects it, or it already exists.
      type: bool
    path:
      description: The directory on the host that it is written to; null if that was not known yet.
      type: str
    pid:
      description: The process that collects it.
      type: int
    reason:
      description: Why it was not started, or another remark.
      type: str
fence:
  description:
    - What M(chatia.kanban_rollback.write_fence) returns, for its O(chatia.kanban_rollback.write_fence#module:answer).
    - If the switch took more than 5 seconds, or if that module would have failed without a result, it has only what was
      raised during the switch, as V(changed), V(raised_ms) and V(terminated), and V(holds) is false. Null if that is
      nothing.
  returned: when O(fence) is given, O(state=disabled), not in check mode, and the flag was looked for
  type: dict
  contains:
    holds:
      description: Whether it is raised and C(proven) or C(draining), or skipped on a replica as the flag was.
      type: bool
fence_ms:
  description: Milliseconds that RV(fence) took after the switch, whatever its result.
  returned: when RV(fence) is
  type: int
same_name:
  description:
    - Every table of the name O(table), and what this run switched in it, where the name is in several schemas and does
      not say which one is meant. At most 8, the likeliest first.
    - The module then ends with the error C(same_name), or with that of a table on which some tenants are left.
    - After an undo, the further tables that were put back.
  returned: when there are several such tables
  type: list
  elements: dict
  contains:
    table:
      description: The table as C(schema.name); null for one that this role may not switch.
      type: str
    changed_count:
      description: How many tenants were switched in it.
      type: int
    total:
      description: How many tenants it has.
      type: int
    enabled_after:
      description: How many of them are on now.
      type: int
    counted:
      description: Whether they could be counted; false if another session locks the table.
      type: bool
    priors:
      description: Where the prior values of a further table are kept, as RV(priors).
      type: dict
    priors_of_default:
      description: Likewise, as RV(priors_of_default).
      type: dict
    what:
      description: Why a table was not switched.
      type: str
    todo:
      description: What helps, for instance a GRANT.
      type: str
table:
  description: The flag's table, as C(schema.name).
  returned: success
  type: str
  sample: public.Companies
flag:
  description: The flag's name in the ledger.
  returned: success
  type: str
  sample: public.Companies.settings -> kanbanV2Enabled
database:
  description: Which database this was, by name, address, cluster, role and version; whether a pooler is in between.
  returned: success
  type: dict
contained_ms:
  description: Milliseconds from the first statement of the kill to the count that proves it.
  returned: when switched
  type: int
elapsed_ms:
  description: Milliseconds for everything before RV(fence_ms).
  returned: success
  type: int
error:
  description: On failure, what is wrong, why it matters and what to do.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines, for instance C(read_only_server).
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

from ansible.module_utils.basic import AnsibleModule

# pylint: disable-next=unused-import
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _compileonce  # noqa: F401
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    check_seconds,
    fence_spec,
    flag_from,
    flag_spec,
    killed_on_spec,
    login_from,
    postgres_spec,
    who_from,
    who_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagentry import change_flag
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Request
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._stages import check_share


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            **flag_spec(),
            **who_spec(),
            "state": {"type": "str", "choices": ["disabled", "enabled", "restored", "paused"], "default": "disabled"},
            "deadline": {"type": "float", "default": 20},
            "on_blocked": {"type": "str", "choices": ["report", "terminate"], "default": "report"},
            "settle": {"type": "float", "default": 0},
            "latch": {"type": "bool", "default": False},
            "latch_wait": {"type": "float", "default": 2},
            "share": {"type": "float"},
            "share_above": {"type": "float", "default": 0},
            "share_first": {"type": "str"},
            "withdrawn": {"type": "bool", "default": False},
            "spent": {"type": "bool", "default": False},
            "global_default": {"type": "bool", "default": True},
            "incident_adopt": {"type": "bool", "default": False},
            "on_replica": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "state_dir": {"type": "path"},
            "evidence_dir": {"type": "path"},
            "killed_on": {"type": "list", "elements": "dict", "options": killed_on_spec()},
            "fence": {"type": "dict", "options": fence_spec()},
        },
        mutually_exclusive=[("tenants", "share")],
        required_if=[("spent", True, ("tenants",))],
        supports_check_mode=True,
    )
    params = module.params

    def work() -> Outcome:
        check_seconds("deadline", params["deadline"], 1)
        check_seconds("settle", params["settle"], 0)
        check_seconds("latch_wait", params["latch_wait"], 0)
        check_share(params["share"], params["share_above"], params["state"], params["withdrawn"])
        request = Request(
            flag=flag_from(params),
            who=who_from(params),
            adopt=params["incident_adopt"],
            killed_on=params["killed_on"] or (),
            **{
                name: params[name]
                for name in (
                    "state",
                    "tenants",
                    "deadline",
                    "on_blocked",
                    "settle",
                    "latch",
                    "latch_wait",
                    "share",
                    "share_above",
                    "share_first",
                    "withdrawn",
                    "spent",
                    "global_default",
                    "on_replica",
                    "state_dir",
                    "fence",
                )
            },
        )
        return change_flag(login_from(params), request, module.check_mode, params["evidence_dir"])

    run(module, work, PSYCOPG2)


if __name__ == "__main__":
    main()
