"""Which engine makes the hosts, and what is said where it cannot; no host is needed."""

from pathlib import Path

import pytest

from tests.hosts import engine
from tests.hosts.machine import PROGRAMS, HostsError


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only directory in which programs are looked for, with all that every engine needs; no engine is named."""
    monkeypatch.delenv(engine.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engine, "_PLACES", ())
    monkeypatch.setattr("os.geteuid", int)
    for name in PROGRAMS:
        put(tmp_path, name)
    return tmp_path


def put(directory: Path, name: str, script: str = "exit 0") -> None:
    (directory / name).write_text(f"#!/bin/sh\n{script}\n")
    (directory / name).chmod(0o755)


def test_podman_is_taken_where_it_is_and_where_nothing_is_and_docker_where_it_is_alone(programs: Path) -> None:
    assert engine.chosen() is engine.PODMAN
    put(programs, "docker")
    assert engine.chosen() is engine.DOCKER
    put(programs, "podman")
    assert engine.chosen() is engine.PODMAN


def test_the_environment_decides_and_an_unknown_engine_is_refused_by_name(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(programs, "podman")
    monkeypatch.setenv(engine.VARIABLE, "docker")
    assert engine.chosen() is engine.DOCKER
    monkeypatch.setenv(engine.VARIABLE, "lxc")
    with pytest.raises(HostsError, match=r"KANBAN_HOSTS_ENGINE=lxc.*podman or docker"):
        engine.chosen()
    assert "podman or docker" in engine.what_is_missing()


def test_what_an_engine_lacks_is_named_with_its_package(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = engine.what_is_missing()
    assert missing.startswith("podman, runc, netavark not found")
    assert missing.endswith("netavark podman runc")
    monkeypatch.setenv(engine.VARIABLE, "docker")
    assert engine.what_is_missing().endswith(" docker.io docker-cli")


def test_a_docker_whose_daemon_does_not_answer_is_missing_too(programs: Path) -> None:
    put(programs, "docker", "echo 'Cannot connect to the Docker daemon.' >&2; exit 1")
    assert engine.what_is_missing().endswith("Cannot connect to the Docker daemon.")
    put(programs, "docker")
    assert engine.what_is_missing() == ""
