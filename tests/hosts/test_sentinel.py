"""A Redis with a replica, and a Sentinel that makes the replica the master when the master is gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts.composition import OPTIONAL, STANDARD
from tests.hosts.fleet import Fleet, down, up
from tests.hosts.host import until

pytest_plugins = ["tests.hosts.plugin"]


@pytest.fixture
def redis(hosts_can_be_made: None, tmp_path: Path) -> Iterator[Fleet]:
    """The three of them, and nobody else."""
    state = tmp_path / "redis"
    try:
        [master] = [spec for spec in STANDARD if spec.group == "redis"]
        yield up(state, [master, OPTIONAL["redis2"], OPTIONAL["sentinel1"]])
    finally:
        down(state)


def ask(fleet: Fleet, name: str, *command: str, port: int = 6379) -> list[str]:
    return fleet[name].run(["redis-cli", "--raw", "-p", str(port), *command]).stdout.split()


def master(fleet: Fleet) -> list[str]:
    return ask(fleet, "sentinel1", "SENTINEL", "get-master-addr-by-name", "mymaster", port=26379)


def test_a_write_reaches_the_replica_which_takes_over_when_the_master_dies(redis: Fleet) -> None:
    assert master(redis) == [redis["redis1"].address, "6379"]
    assert ask(redis, "redis1", "SET", "kept", "4711") == ["OK"]
    until(lambda: ask(redis, "redis2", "GET", "kept") == ["4711"], "the key to reach the replica", timeout=10)
    # It learns of replicas by asking the master every ten seconds.
    followers = ("SENTINEL", "replicas", "mymaster")
    known = redis["redis2"].address
    until(lambda: known in ask(redis, "sentinel1", *followers, port=26379), "Sentinel to know it", timeout=20)
    redis["redis1"].pause()
    until(lambda: master(redis) == [redis["redis2"].address, "6379"], "Sentinel to fail over", timeout=30)
    until(lambda: ask(redis, "redis2", "ROLE")[0] == "master", "the replica to be the master", timeout=10)
    assert ask(redis, "redis2", "GET", "kept") == ["4711"]
