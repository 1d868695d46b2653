# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database with bootstrap.yml's own role, which has grants on columns only, as on PostgreSQL 13."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration import playbook
from tests.integration.module import Modules, Result
from tests.integration.place import Database
from tests.integration.test_integrity_lanes import BY_TAG as CARDLESS_BY_TAG
from tests.playbooks.runner import Run
from tests.support.dataset import DataSet
from tests.support.servers import Postgres, workspace

# bootstrap.yml's own play, without the tasks about the host.
PLAY = """
- name: Bootstrap
  hosts: db
  gather_facts: false
  module_defaults:
    group/chatia.kanban_rollback.postgresql: "{{ __kanban_postgresql }}"
    community.postgresql.postgresql_user: "{{ __bootstrap_login }}"
    community.postgresql.postgresql_membership: "{{ __bootstrap_login }}"
  vars:
    __bootstrap_login:
      login_host: "{{ kanban_postgresql_host }}"
      login_port: "{{ kanban_postgresql_port }}"
      login_user: "{{ kanban_postgresql_user }}"
      login_password: "{{ kanban_postgresql_password }}"
    __bootstrap_roles: ["{{ kanban_role }}"]
  tasks:
    - name: Install or remove
      ansible.builtin.include_role:
        name: chatia.kanban_rollback.bootstrap
        tasks_from: "database_{{ state }}"
        # For its variables, of which some are kept.
        public: true
    - name: Keep what it said
      ansible.builtin.copy:
        content: >-
          {{ __bootstrap_ledger | default({}, true)
             | combine({'checks': __kanban_integrity_checks, 'flag': __kanban_flag}) | to_json }}
        dest: "{{ result_file }}"
        mode: "0600"
"""
METRICS = {
    # A percent sign, a column that only the condition reads, and a count of nothing but rows.
    "errors": {
        "source": "sql",
        "where": "db",
        "query": """SELECT count(*) FROM "ErrorLogs" WHERE severity LIKE 'h%'""",
    },
    "queue": {"source": "sql", "where": "db", "query": 'SELECT count(*) FROM "Queue"'},
    "gone": {"source": "sql", "where": "db", "query": "SELECT count(*) FROM nothing"},
}
ODD = {
    "name": "odd_names",
    "kind": "sql",
    "query": """SELECT id, "companyId" AS tenant FROM "Tags" WHERE name = '%';""",
}
# Lanes as tags, if there is no other board.
BY_TAG = {**CARDLESS_BY_TAG, "name": "by_tag", "unless": "Board"}
USERS = 'SELECT count(*) FROM "Users" WHERE "companyId"::text = ANY(%(tenants)s) AND profile <> \'bot\''

SHAPE: dict[str, Any] = {"tenants": 30, "tickets": 300, "corruption": True}

GRANTS = re.compile(r"GRANT [^;]*;")
GRANTED = """
SELECT c.relname, g.privilege_type FROM pg_class AS c, aclexplode(c.relacl) AS g
WHERE g.grantee = %s::regrole AND c.relnamespace = 'public'::regnamespace
"""


@dataclass
class Place:
    """A database with bootstrap.yml's role."""

    db: Database
    role: str
    password: str
    directory: Path
    said: Result

    @property
    def modules(self) -> Modules:
        """Modules that run as that role."""
        self.db.roles[self.role] = self.password
        return self.db.modules(self.role)

    @property
    def flagged(self) -> Modules:
        """The same, for modules that must know where the flag is."""
        return self.modules.having(**DataSet().flag_options())

    def bootstrap(self, state: str = "present", **variables: Any) -> Result:
        """Run the database part of the role ``bootstrap``, as a superuser; return what it said of the ledger."""
        done = self.play(state, **variables)
        assert done.rc == 0, done.output
        return playbook.kept(self.directory)

    def play(
        self, state: str = "present", databases: Mapping[str, Mapping[str, Any]] | None = None, **variables: Any
    ) -> Run:
        """Run it as ``bootstrap`` does, whatever comes of it; ``databases``: hosts with variables of their own."""
        given = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "kanban_postgresql_host": self.db.server.host,
            "kanban_postgresql_port": self.db.server.port,
            "kanban_postgresql_db": self.db.name,
            "kanban_postgresql_user": self.db.server.user,
            "kanban_postgresql_password": self.db.server.password,
            "kanban_role": self.role,
            "kanban_role_password": self.password,
            "kanban_metrics": METRICS,
            "kanban_users_query": USERS,
            "kanban_integrity_checks": {"odd_names": ODD, "by_tag": BY_TAG},
            # As on PostgreSQL 13, which has no pg_read_all_data.
            "bootstrap_memberships": ["pg_read_all_stats"],
            # A repair keeps whole rows, so with it the role reads more than those columns.
            "kanban_role_repairs": False,
            "result_file": str(self.directory / "result.json"),
            "state": state,
            **variables,
        }
        # None: the role's own default.
        given = {name: value for name, value in given.items() if value is not None}
        hosts = playbook.inventory(self.directory, given, db=databases or {"db1": {}})
        done = playbook.run(self.directory, playbook.written(self.directory, PLAY), *hosts)
        assert self.password not in done.output
        return done

    def as_role(self, statement: str) -> None:
        """Run a statement as that role; raises the server's error."""
        with self.db.connect("test", user=self.role, password=self.password) as session, session.cursor() as cursor:
            cursor.execute(statement)


@contextmanager
def unprepared(shape: Mapping[str, Any] = SHAPE, version: int | None = None) -> Iterator[Place]:
    """Give a place without the role, on a server of its own, where PUBLIC has no rights on the database or schema.

    ``version``: of the server; its programs must be there.
    """
    settings = {"shared_preload_libraries": "pg_stat_statements", "log_min_messages": "fatal"}
    with workspace() as directory, Postgres(directory / "own", settings, version=version, fsync=False) as server:
        db = Database(server, "kanban")
        server.create_database(db.name)
        with db.connect() as session:
            DataSet(**{**SHAPE, **shape}).load(session)
        db.rows('CREATE TABLE "Queue" (job text, secret text)')
        db.rows("REVOKE ALL ON DATABASE kanban FROM PUBLIC; REVOKE ALL ON SCHEMA public FROM PUBLIC")
        db.rows("CREATE EXTENSION pg_stat_statements")
        yield Place(db, "stopper", secrets.token_hex(8), directory, {})


@contextmanager
def bootstrapped(shape: Mapping[str, Any] = SHAPE, **variables: Any) -> Iterator[Place]:
    """Give such a place whose role is made."""
    with unprepared(shape) as made:
        made.said = made.bootstrap(**variables)
        yield made
