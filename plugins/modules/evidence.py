#!/usr/bin/python
# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: evidence
short_description: Keep what was going on at the moment of an incident
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Writes what PostgreSQL and the application show at this moment to files on the host that it runs on (files 0600,
    directories 0700), bounded in time and size. If a part cannot be collected, the reason is recorded, and the other
    parts go on.
  - From PostgreSQL, it collects sessions, locks and who waits for whom, prepared transactions, position in the WAL and
    timeline, replication, counters of databases and user tables, the top statements of C(pg_stat_statements), settings
    that differ from their default. No table of the application is read or locked.
  - From Redis, it collects C(INFO), the list of clients, the names of slow commands without their arguments, and the
    number of keys. No key is read.
  - From the application's host, it collects pm2's processes without their environment and arguments, the ends of log
    files, and the answers of HTTP addresses.
  - M(chatia.kanban_rollback.feature_flag) with O(chatia.kanban_rollback.feature_flag#module:evidence_dir) begins the
    same collection for PostgreSQL beside the kill. With O(wait), this module returns that collection, and collects only
    what is missing.
  - Each source has a directory with an C(index.json), which is written last. Nothing is overwritten. A collection that
    did not finish stays, and the next one gets a directory beside it.
options:
  incident_id:
    description: Free text that is unique to this incident.
    type: str
    required: true
  sources:
    description: What to look at.
    type: list
    elements: str
    choices: [postgresql, redis, application]
    default: [postgresql]
  dest:
    description:
      - Directory on the host for this incident's evidence, created with mode 0700 if needed.
      - Without it, or if it cannot be written, belongs to another user, or its disk is nearly full,
        C(incidents/<incident_id>/evidence) in C(/var/lib/kanban_rollback), C(~/.local/state/kanban_rollback),
        C(/var/tmp/kanban_rollback) and C(/dev/shm/kanban_rollback) are tried. RV(path) says which it was.
    type: path
  label:
    description:
      - Name of the moment, for instance V(t0) or V(after-recovery), and of the directory in O(dest). Complete evidence
        that exists under the same label is returned, not collected again, unless O(run_id) or O(scenario) say that it
        is of another stop.
    type: str
    default: t0
  run_id:
    description:
      - Id of this run of a playbook. If given, evidence of other runs does not count, because a run may stop anew what
        an earlier one of the same incident had stopped. After 50 collections the newest counts, whoever took it.
    type: str
    default: ''
  scenario:
    description: Scenario that the run plays. If given, evidence of other scenarios does not count; as O(run_id).
    type: str
    default: ''
  wait:
    description:
      - Seconds to wait for a collection that is under way under the same label. If it does not end in that time, has
        died or was never begun, the evidence is collected now, and RV(taken) is V(later).
    type: float
    default: 0
  seconds:
    description: Seconds that collecting may take, all sources side by side. RV(missing) names what this limit cut off.
    type: float
    default: 10
  max_bytes:
    description:
      - Bytes that all files together may take. Each source has an equal share, each file at most a quarter of that, and
        nothing takes more than a tenth of the free space on the disk.
    type: int
    default: 33554432
  redis:
    description:
      - Where Redis is, for the source V(redis). The options have the same names as in
        M(chatia.kanban_rollback.write_block). Left out, they have their defaults.
    type: dict
    suboptions:
      login_host:
        description: Host of Redis. Not used if O(redis.sentinels) or O(redis.login_unix_socket) is given.
        type: str
        default: localhost
      login_port:
        description: Port of Redis.
        type: int
        default: 6379
      login_user:
        description: User to log in as; left out, the default user.
        type: str
      login_password:
        description: Password of the user.
        type: str
      login_unix_socket:
        description: Path of the Unix socket, for local connections.
        type: path
      login_db:
        description: Number of the application's database.
        type: int
        default: 0
      tls:
        description: Whether to use TLS, for Redis and for O(redis.sentinels).
        type: bool
        default: false
      validate_certs:
        description: Whether the server's certificate must be signed by a known authority and carry the host's name.
        type: bool
        default: true
      ca_certs:
        description:
          - File with the certificates of the authorities to check the server's certificate against; left out, those of
            the system.
        type: path
      client_cert_file:
        description: File with the client's certificate.
        type: path
      client_key_file:
        description: File with the client's key.
        type: path
      sentinels:
        description:
          - Addresses of Sentinels, as V(host:port), V(host) (port 26379) or V([v6]:port). The master that most of them
            name is looked at.
          - With O(redis.tls) and O(redis.validate_certs), certificates must carry the addresses that the Sentinels
            name.
        type: list
        elements: str
        default: []
      sentinel_name:
        description: The master's name in the Sentinels.
        type: str
        default: mymaster
      sentinel_user:
        description: User to log in to the Sentinels as.
        type: str
      sentinel_password:
        description: Password for the Sentinels, which have their own passwords.
        type: str
  pm2:
    description:
      - Program of pm2; a name is looked for in C(PATH), C(/usr/local/bin) and C(/usr/bin). Empty means that there is no
        pm2. If its daemon does not run, pm2 is not asked, because it would start one.
    type: str
    default: pm2
  pm2_home:
    description:
      - pm2's directory. Left out, it is C(PM2_HOME) or C(~/.pm2). If the module runs as root, pm2 runs as the owner of
        the directory.
    type: path
  log_files:
    description:
      - Log files, or shell patterns of them, in addition to those that pm2 names. If pm2 does not answer, C(logs/*.log)
        in O(pm2_home) are read.
    type: list
    elements: str
    default: []
  log_bytes:
    description:
      - Bytes from the end of each log that are kept. If it has fewer, the ends of the two newest files that it was
        rotated to are kept too, as far as they fit; a compressed one is kept whole or not at all.
    type: int
    default: 524288
  max_log_files:
    description:
      - How many logs are kept. Those of processes that are not online come first, then error logs, then those written
        most recently. RV(missing) names the others, and those that pm2 names where there is no such file.
    type: int
    default: 10
  urls:
    description:
      - HTTP addresses, for instance of metrics, that this host asks with GET. Each has 3 seconds and 1 MiB. Redirects
        are not followed. User, password and query of an address are used, but never recorded.
    type: list
    elements: str
    default: []
  validate_certs:
    description: Whether to check the certificates of https addresses.
    type: bool
    default: true
extends_documentation_fragment:
  - chatia.kanban_rollback.postgres
attributes:
  check_mode:
    support: full
    description: Collects nothing, and tells whether there is something to collect.
  diff_mode:
    support: none
    description: Evidence has no state before it.
seealso:
  - module: chatia.kanban_rollback.feature_flag
notes:
  - The files hold query texts, log lines and answers as they are. They are meant to stay on their host.
  - The same user must collect and return evidence; directories of other users are ignored.
  - psycopg2 is needed only for the source V(postgresql), the Python library redis only for V(redis).
"""

EXAMPLES = r"""
- name: Return the evidence that was begun beside the kill, or collect it now
  chatia.kanban_rollback.evidence:
    login_db: chatia_db
    incident_id: INC-20261125-042
    dest: /var/lib/kanban_rollback/incidents/INC-20261125-042/evidence
    label: t0
    wait: 10

- name: Keep processes, ends of logs and metrics of the application
  chatia.kanban_rollback.evidence:
    sources: [application]
    incident_id: INC-20261125-042
    pm2_home: /home/deploy/.pm2
    log_files: [/var/log/nginx/error.log]
    urls: ["http://127.0.0.1:3000/metrics"]
"""

RETURN = r"""
path:
  description: Directory on the host with the label's evidence; in check mode, the directory that it would be.
  returned: success
  type: str
  sample: /var/lib/kanban_rollback/incidents/INC-20261125-042/evidence/t0
elsewhere:
  description:
    - Those directories that are not in the first place (O(dest), or C(/var/lib/kanban_rollback)) because that could not
      be written; otherwise empty.
  returned: success
  type: list
  elements: str
taken:
  description:
    - C(beside_containment) if a process beside the kill took it, C(on_request) if this module did, or C(later) if this
      module did because there was none from beside the kill. For several sources, the last of these. Null if there is
      no evidence.
  returned: success
  type: str
taken_at:
  description: When collecting began, in UTC by the host's clock; for several sources, the first of these.
  returned: success
  type: str
  sample: "2026-11-25T03:14:07.123456Z"
complete:
  description:
    - Whether every part of every source was tried to its end; a part that a server does not have counts as tried.
  returned: success
  type: bool
truncated:
  description: Whether a part of any file was left out; this includes log files of which only the end was saved.
  returned: success
  type: bool
files:
  description: The files, each source's C(index.json) included.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: C(postgresql), C(redis) or C(application).
      type: str
    name:
      description: The file's name, for instance C(activity.jsonl).
      type: str
    path:
      description: Its whole path on the host.
      type: str
    bytes:
      description: Its size.
      type: int
    sha256:
      description: Its checksum.
      type: str
    truncated:
      description: Whether a part was left out.
      type: bool
missing:
  description: What could not be collected, or not completely.
  returned: success
  type: list
  elements: dict
  contains:
    source:
      description: C(postgresql), C(redis) or C(application).
      type: str
    part:
      description: The part or file, for instance C(statements); C(all) for the whole source.
      type: str
    reason:
      description: Why, in one line.
      type: str
unfinished:
  description: Directories of incomplete collections of these sources and this label, as of one whose process died.
  returned: success
  type: list
  elements: str
elapsed_ms:
  description: Milliseconds that the module took, waiting included.
  returned: success
  type: int
error:
  description: On failure, what is wrong, why it matters and what to do. The other results are given as well.
  returned: failure
  type: dict
  contains:
    code:
      description: A short, stable word for machines, for instance C(no_place) or C(no_evidence).
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

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._arguments import (
    PSYCOPG2,
    check_seconds,
    login_from,
    postgres_spec,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ending import Outcome, params_of, run
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidence import Request, take
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceapplication import Application
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._evidenceplace import Moment
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._redislogin import (
    REDIS,
    redis_login_from,
    redis_spec,
)

DRIVERS = {"postgresql": PSYCOPG2, "redis": REDIS}


def main() -> None:
    """Read the options, do the work and exit."""
    module = AnsibleModule(
        argument_spec={
            **postgres_spec(),
            "incident_id": {"type": "str", "required": True},
            "sources": {
                "type": "list",
                "elements": "str",
                "choices": ["postgresql", "redis", "application"],
                "default": ["postgresql"],
            },
            "dest": {"type": "path"},
            "label": {"type": "str", "default": "t0"},
            "run_id": {"type": "str", "default": ""},
            "scenario": {"type": "str", "default": ""},
            "wait": {"type": "float", "default": 0},
            "seconds": {"type": "float", "default": 10},
            "max_bytes": {"type": "int", "default": 32 * 1024 * 1024},
            "redis": {"type": "dict", "options": redis_spec(), "apply_defaults": True, "no_log": True},
            "pm2": {"type": "str", "default": "pm2"},
            "pm2_home": {"type": "path"},
            "log_files": {"type": "list", "elements": "str", "default": []},
            "log_bytes": {"type": "int", "default": 512 * 1024},
            "max_log_files": {"type": "int", "default": 10},
            # An address may contain a password or a token.
            "urls": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "validate_certs": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    params = params_of(module, (), ("redis",))

    def work() -> Outcome:
        check_seconds("seconds", params["seconds"], 1)
        check_seconds("wait", params["wait"], 0)
        shared = ("sources", "dest", "wait", "seconds", "max_bytes")
        local = ("pm2", "pm2_home", "log_files", "log_bytes", "max_log_files", "urls", "validate_certs")
        application = Application(**{name: params[name] for name in local})
        request = Request(
            Moment(params["incident_id"].strip(), **{name: params[name] for name in ("label", "run_id", "scenario")}),
            redis=redis_login_from(params["redis"]),
            application=application,
            **{name: params[name] for name in shared},
        )
        return take(login_from(params), request, module.check_mode)

    needed = [driver for name, driver in DRIVERS.items() if name in params["sources"]]
    run(module, work, next((driver for driver in needed if driver.error), None))


if __name__ == "__main__":
    main()
