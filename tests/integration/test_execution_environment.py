# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The execution environment's definition, by ansible-builder: its build context, and what it finds there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.module import ROOT
from tests.playbooks.runner import beside
from tools.tree import collection_copy

# The environment with the oldest Ansible does not have it.
pytest.importorskip("ansible_builder")
DEFINITION = "extensions/ee/execution-environment.yml"


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    """A clean copy of the collection, with its tarball where `make build` puts it."""
    with collection_copy() as made:
        _run("ansible-galaxy", "collection", "build", str(made), "--output-path", str(made / ".cache/dist"))
        yield made


def _run(program: str, *arguments: str) -> str:
    done = subprocess.run([beside(program), *arguments], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_build_context_has_it_all(copy: Path, tmp_path: Path) -> None:
    context = tmp_path / "context"
    _run("ansible-builder", "create", "--file", str(copy / DEFINITION), "--context", str(context))
    container = (context / "Containerfile").read_text()
    definition = yaml.safe_load((copy / DEFINITION).read_text())
    assert f'EE_BASE_IMAGE="{definition["images"]["base_image"]["name"]}"' in container
    collections = yaml.safe_load((context / "_build/requirements.yml").read_text())["collections"]
    (own,) = [one["name"] for one in collections if one.get("type") == "file"]
    # Where the build looks for it.
    assert (context / "_build" / own).is_file()
    assert "psycopg2-binary==" in (context / "_build/requirements.txt").read_text()


def test_introspection_finds_what_the_collections_need(copy: Path) -> None:
    found = yaml.safe_load(_run("ansible-builder", "introspect", str(copy.parents[2])))
    needs = {kind: [line.partition(" # ")[0].strip() for line in lines] for kind, lines in found.items()}
    assert {"psycopg2-binary>=2.9", "redis>=4.5"} <= set(needs["python"])
    assert "openssh-clients [platform:rpm]" in needs["system"]
    # Whatever any of the collections needs has a version in the definition, or is left out on purpose.
    definition = yaml.safe_load((copy / DEFINITION).read_text())["dependencies"]
    pinned = {one.partition("==")[0] for one in definition["python"]} | set(definition["exclude"]["python"])
    assert {re.split("[<>=]", one)[0] for one in needs["python"]} == pinned


def test_its_pins_are_those_that_the_tests_run_with() -> None:
    definition = yaml.safe_load((ROOT / DEFINITION).read_text())["dependencies"]
    pins = (ROOT / "requirements/demo.txt").read_text().split()
    assert definition["ansible_core"]["package_pip"] in pins
    assert set(definition["python"]) <= set(pins)
    assert all("version" in one or one.get("type") == "file" for one in definition["galaxy"]["collections"])
    versions = {one["name"]: one.get("version") for one in definition["galaxy"]["collections"]}
    installed = _run("ansible-galaxy", "collection", "list", "community.postgresql")
    assert re.search(rf"community.postgresql +{versions['community.postgresql']}\b", installed), installed
    version = re.search(r"^version: (\S+)", (ROOT / "galaxy.yml").read_text(), re.MULTILINE)
    assert version
    assert f"collections/chatia-kanban_rollback-{version[1]}.tar.gz" in versions
