# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of the documentation that take only a moment, each as written."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

from tests.documents import started
from tests.documents.commands import ROOT, commands_of, documents
from tests.integration.alertsenders import alertmanager
from tests.playbooks.runner import beside, environment
from tests.support import binaries, tarball
from tests.support.processes import free_port
from tests.support.servers import Redis, workspace
from tools.matrix.cells import CELLS
from tools.tree import collection_copy

COLLECTIONS = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"), "PAGER": "cat"}


def documented(program: str) -> set[str]:
    """Return the documented lines that begin with a program."""
    lines = [line for path in documents() for line in commands_of(path.read_text())]
    return {line for line in lines if line.split()[0].rpartition("/")[2] == program}


def repository(place: Path) -> Path:
    """Make a repository of what git knows here, as a commit of it would be."""
    with collection_copy() as copy:
        shutil.copytree(copy, place, symlinks=True)
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    for words in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "All"]):
        subprocess.run(["git", *words], cwd=place, check=True, timeout=60)
    return place


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


@pytest.mark.parametrize("source", ["tarball", "git"])
def test_it_is_installed_as_readme_says(tmp_path: Path, source: str) -> None:
    install = (ROOT / "README.md").read_text().partition("\n## Install\n")[2].partition("\n## ")[0]
    lines = [line for line in commands_of(install) if line.startswith(("ansible-galaxy ", "cp "))]
    assert [line.split()[0] for line in lines] == ["ansible-galaxy", "cp", "cp", "ansible-galaxy"]
    if source == "tarball":
        assert tarball.build(tmp_path).name.startswith("chatia-kanban_rollback-")
        del lines[3]
    else:
        from_git = re.sub(r"git\+https://\S+", f"git+file://{repository(tmp_path / 'repository')}", lines.pop())
        lines[0] = from_git
    env = environment(HOME=str(tmp_path), PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    # As for a reader, who sets neither.
    del env["ANSIBLE_HOME"], env["ANSIBLE_STDOUT_CALLBACK"]
    for line in lines:
        # No Galaxy is asked: one that cannot be reached changes nothing.
        done = started.run_line(line, tmp_path, env={**env, "ANSIBLE_GALAXY_SERVER": "https://127.0.0.1:1"})
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    assert (tmp_path / "inventories/production/hosts.yml").is_file()
    told = started.run([beside("ansible-config"), "dump", "--only-changed"], tmp_path, env=env).stdout
    assert f"CONFIG_FILE() = {tmp_path / 'ansible.cfg'}" in told
    assert re.search(r"^DEFAULT_FORKS\(.*\) = 50$", told, re.MULTILINE)
    asked = ["-i", "inventories/production", "chatia.kanban_rollback.preflight", "--list-hosts"]
    shown = started.run([beside("ansible-playbook"), *asked], tmp_path, env=env)
    assert shown.returncode == 0, shown.stdout + shown.stderr


def test_the_example_of_a_configuration_is_as_the_checkouts() -> None:
    ours, example = ConfigParser(interpolation=None), ConfigParser(interpolation=None)
    ours.read(ROOT / "ansible.cfg")
    example.read(ROOT / "inventories/examples/ansible.cfg")
    settings = {(section, name): value for section in example.sections() for name, value in example.items(section)}
    assert {("defaults", "forks"), ("defaults", "stdout_callback"), ("ssh_connection", "ssh_args")} <= set(settings)
    assert settings == {place: ours.get(*place) for place in settings}


def test_the_rules_are_tested_with_a_prefix_of_ones_own(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "extensions/prometheus", tmp_path / "rules")
    (line,) = documented("sed")
    done = started.run_line(line, tmp_path / "rules", env={"PATH": os.environ["PATH"]})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout + done.stderr
    assert "YOURS" in (tmp_path / "rules/kanban_v2.rules.yml").read_text()


def test_the_prefixes_of_redis_are_counted() -> None:
    (line,) = documented("redis-cli")
    with workspace() as directory, Redis(directory / "redis") as server, server.client() as client:
        for key in ("cards:1", "cards:2", "session:1"):
            client.set(key, "x")
        # The reader adds the server's address and the user.
        told = [f"redis-cli -h {server.host} -p {server.port}", line.removeprefix("redis-cli ")]
        env = {"PATH": os.environ["PATH"], "REDISCLI_AUTH": server.password}
        done = started.run_line(" ".join(told), directory, env=env)
    assert done.returncode == 0, done.stderr
    assert [row.split() for row in done.stdout.splitlines()] == [["2", "cards"], ["1", "session"]]


def test_an_alert_that_is_typed_is_sent_to_the_rulebook(tmp_path: Path) -> None:
    (line,) = documented("amtool")
    with alertmanager(tmp_path / "sender", free_port()) as sender:
        # It does not listen where a reader's does.
        done = started.run(shlex.split(line.replace("127.0.0.1:9093", f"127.0.0.1:{sender.port}")), tmp_path)
        assert done.returncode == 0, done.stderr
        (alert,) = sender.alerts
    said = {"alertname": "KanbanTrial", "service": "kanban-v2", "environment": "production"}
    assert alert["labels"] == {**said, "kanban_scenario": "triage"}
    assert {"name": "kanban-rulebook"} in alert["receivers"]


def test_the_java_of_the_rulebook_is_in_the_package_that_is_named(tmp_path: Path) -> None:
    (line,) = [one for one in documented("apt") if "jre" in one]
    program, *words = line.split()
    planned = started.run([program, "--simulate", *words], tmp_path, env=environment())
    assert planned.returncode == 0, planned.stderr
    (said,) = re.findall(r"Java (\d+) or newer \(`" + re.escape(line), (ROOT / "docs/alerts.md").read_text())
    # .ci/run has installed it: nothing is left to do, and its Java is as new as the page says.
    assert re.search(r"^Inst ", planned.stdout, re.MULTILINE) is None, planned.stdout
    version = started.run(["java", "-version"], tmp_path).stderr
    assert int(re.findall(r'version "(\d+)', version)[0]) >= int(said)


def test_the_cells_of_the_matrix_are_named() -> None:
    (line,) = [one for one in documented("python") if "tools.matrix" in one]
    listed = started.run([sys.executable, *line.split()[1:]], ROOT)
    assert listed.returncode == 0, listed.stderr
    assert [row.split()[0] for row in listed.stdout.splitlines()] == [cell.name for cell in CELLS]


def test_what_each_stage_of_a_build_cost_is_counted() -> None:
    (line,) = {one.rpartition("/")[2] for one in documented("python") if "tools.costs" in one}
    counted = started.run([sys.executable, *line.split()[1:]], ROOT)
    assert counted.returncode == 0, counted.stderr
    assert counted.stdout.split()[:3] == ["stage", "tests", "seconds"]


def test_tests_run_with_a_postgresql_that_is_named(tmp_path: Path) -> None:
    (line,) = [one for path in documents() for one in commands_of(path.read_text()) if one.startswith("KANBAN_TEST_")]
    named, _python, *words = line.split()
    variable = named.partition("=")[0]
    # One of the tests is enough here, with this machine's PostgreSQL.
    less = ["-k", "test_other_settings", "-o", f"cache_dir={tmp_path}"]
    env = environment(**{variable: str(binaries.postgres())})
    done = started.run([sys.executable, *words, *less], ROOT, env=env)
    assert re.search(r"[1-9]\d* passed", done.stdout), done.stdout + done.stderr
    # The variable counts: if it names no PostgreSQL, no other is used instead.
    none = started.run([sys.executable, *words, *less], ROOT, env=environment(**{variable: str(tmp_path)}))
    assert none.returncode, none.stdout
    assert variable in none.stdout


def test_the_tests_of_one_change_are_there(tmp_path: Path) -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text()
    (search,) = [line for line in commands_of(page) if line.startswith("git grep ")]
    # A copy without git's own files has the same text.
    listed = started.run_line(search.replace("git grep", "git grep --no-index", 1), ROOT)
    assert "_smokejudge.py" in listed.stdout, listed.stderr
    lines = [line for line in commands_of(page) if "-m pytest tests" in line]
    assert len(lines) == 2
    for line in lines:
        argv = [sys.executable, *line.split()[1:], "-o", f"cache_dir={tmp_path}"]
        done = started.run(argv, ROOT, env=environment())
        assert re.search(r"[1-9]\d* passed", done.stdout), done.stdout + done.stderr


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
