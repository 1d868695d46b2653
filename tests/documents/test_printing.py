# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of the documentation that a moment is enough for, each as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from tests.documents import started
from tests.documents.commands import ROOT, commands_of, documents
from tests.playbooks.runner import beside, environment
from tests.support import tarball
from tests.support.redis_server import Redis
from tests.support.servers import workspace

COLLECTIONS = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"), "PAGER": "cat"}


def documented(program: str) -> set[str]:
    """Return the lines that begin with a program."""
    lines = [line for path in documents() for line in commands_of(path.read_text())]
    return {line for line in lines if line.split()[0].rpartition("/")[2] == program}


def test_what_is_described_is_shown() -> None:
    lines = documented("ansible-doc")
    names = {re.sub(r"<\w+>", "feature_flag", line.split()[-1]) for line in lines if "-t role" not in line}
    assert "chatia.kanban_rollback.feature_flag" in names
    shown = started.run([beside("ansible-doc"), *sorted(names)], ROOT, env=environment(**COLLECTIONS))
    assert shown.returncode == 0, shown.stderr
    for name in names:
        assert re.search(rf"MODULE {re.escape(name)}\b", shown.stdout), shown.stderr
    for line in [line for line in lines if "-t role" in line]:
        role = started.run([beside("ansible-doc"), *line.split()[1:]], ROOT, env=environment(**COLLECTIONS))
        assert role.returncode == 0, role.stderr
        assert "kanban_postgresql_host" in role.stdout


def test_the_tarball_is_installed_as_the_documentation_says(tmp_path: Path) -> None:
    tarball.build(tmp_path)
    # It lies where make build puts it, or beside.
    lines = sorted(line for line in documented("ansible-galaxy") if "*" in line)
    assert lines
    for number, line in enumerate(lines):
        target = tmp_path / f"collections{number}"
        words = [str(*tmp_path.glob(Path(word).name)) if "*" in word else word for word in line.split()[1:]]
        # The dependency lies in site-packages here, and nothing is downloaded for it.
        argv = [beside("ansible-galaxy"), *words, "--offline"]
        done = started.run(argv, tmp_path, env=environment(ANSIBLE_COLLECTIONS_PATH=str(target)))
        assert done.returncode == 0, done.stdout + done.stderr
        assert (target / "ansible_collections/chatia/kanban_rollback/playbooks/scenario3.yml").is_file()


def test_the_rules_are_tested_with_a_prefix_of_ones_own(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "extensions/prometheus", tmp_path / "rules")
    (line,) = documented("sed")
    done = started.run_line(line, tmp_path / "rules", env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout + done.stderr
    assert "YOURS" in (tmp_path / "rules/kanban_v2.rules.yml").read_text()


def test_the_cells_of_the_matrix_are_listed() -> None:
    (line,) = {line for line in documented("python") if line.endswith("tools.matrix --list")}
    listed = started.run([sys.executable, *line.split()[1:]], ROOT)
    assert listed.returncode == 0, listed.stderr
    assert {"postgresql-13", "redis-7", "pgbouncer"} <= set(re.findall(r"[\w.-]+", listed.stdout))


def test_prefixes_of_redis_are_counted(tmp_path: Path) -> None:
    client = shutil.which("redis-cli")
    if client is None:
        pytest.skip("there is no redis-cli on this machine")
    (line,) = documented("redis-cli")
    with workspace() as own, Redis(own / "redis") as server:
        with server.client() as keys:
            keys.mset({"bull:a:1": "x", "bull:b": "x", "sess:7": "x"})
        # A reader's Redis is where the client looks by itself.
        own_client = tmp_path / "redis-cli"
        own_client.write_text(f'#!/bin/sh\nexec {client} -h {server.host} -p {server.port} "$@"\n')
        own_client.chmod(0o755)
        around = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "REDISCLI_AUTH": server.password}
        counted = started.run_line(line, tmp_path, env=around)
    assert counted.returncode == 0, counted.stderr
    assert [row.split() for row in counted.stdout.splitlines()] == [["2", "bull"], ["1", "sess"]]


def test_a_token_is_long_and_random() -> None:
    (line,) = documented("openssl")
    tokens = [started.run(line.split(), ROOT).stdout.strip() for _number in range(2)]
    assert all(re.fullmatch(r"[0-9a-f]{64}", token) for token in tokens)
    assert tokens[0] != tokens[1]


def test_make_alone_lists_what_there_is() -> None:
    help_text = started.run(["make"], ROOT).stdout
    targets = re.findall(r"^([a-z][\w-]*):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert len(targets) > 20
    for target in targets:
        assert re.search(rf"^ +make {target} +\S", help_text, re.MULTILINE), help_text


def test_what_is_documented_of_make_is_there() -> None:
    for line in documented("make"):
        dry = started.run(["make", "--dry-run", "--no-print-directory", *shlex.split(line)[1:]], ROOT)
        assert dry.returncode == 0, f"{line}: {dry.stderr}"


def test_the_inventories_of_the_documentation_are_there() -> None:
    for line in documented("ansible-playbook"):
        for name in re.findall(r"-i (inventories/\S+)", line):
            assert yaml.safe_load(next((ROOT / name).glob("hosts.y*ml")).read_text()), line
