"""What a client sees of each fault, and that it can be undone."""

import socket
import subprocess
import time

import pytest

from tests.hosts.fleet import Fleet
from tests.hosts.host import until
from tests.hosts.machine import HostsError
from tests.playbooks.runner import CHECKOUT, beside, environment

pytest_plugins = ["tests.hosts.plugin"]


def test_a_cut_host_fails_ssh_and_a_mended_one_answers_again(fleet: Fleet) -> None:
    assert fleet.ssh("app2", "hostname").stdout == "app2\n"
    fleet["app2"].cut()
    try:
        assert fleet.ssh("app2", "true").returncode == 255
        assert fleet.ssh("app1", "true").returncode == 0, "the other hosts were hit too"
        assert fleet["app2"].run(["hostname"]).stdout == "app2\n", "the engine's way in goes past the network"
    finally:
        fleet["app2"].mend()
    assert fleet.ssh("app2", "hostname").stdout == "app2\n"
    assert "default via" in fleet["app2"].run(["ip", "route"]).stdout


def test_a_blackholed_host_times_out_instead_of_refusing(fleet: Fleet) -> None:
    redis1 = fleet["redis1"]
    redis1.blackhole()
    try:
        with pytest.raises(TimeoutError):
            socket.create_connection((redis1.address, 6379), timeout=2)
        # Twice is not an error, and one mend undoes it.
        redis1.blackhole()
    finally:
        redis1.mend()
    socket.create_connection((redis1.address, 6379), timeout=5).close()


def test_a_mute_host_does_what_it_is_told_and_is_not_heard(fleet: Fleet) -> None:
    redis1 = fleet["redis1"]
    with socket.create_connection((redis1.address, 6379), timeout=2) as connection:
        redis1.mute()
        try:
            connection.sendall(b"SET told yes\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(16)
            assert redis1.run(["redis-cli", "GETDEL", "told"]).stdout.strip() == "yes"
        finally:
            redis1.mend()
        connection.settimeout(10)
        assert connection.recv(16) == b"+OK\r\n"


def test_a_paused_host_accepts_and_says_nothing(fleet: Fleet) -> None:
    redis1 = fleet["redis1"]
    redis1.pause()
    try:
        assert redis1.state == "paused"
        with socket.create_connection((redis1.address, 6379), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(16)
            redis1.unpause()
            connection.settimeout(10)
            assert connection.recv(16) == b"+PONG\r\n"
    finally:
        if redis1.state == "paused":
            redis1.unpause()


def test_a_killed_replica_says_no_goodbye_and_streams_again_after_its_start(fleet: Fleet) -> None:
    db2 = fleet["db2"]
    with socket.create_connection((db2.address, 22), timeout=5) as connection:
        assert connection.recv(64).startswith(b"SSH-2.0")
        db2.kill()
        connection.settimeout(2)
        with pytest.raises(TimeoutError):
            connection.recv(16)
    assert db2.state == "exited", "nobody but start() boots it again"
    with pytest.raises(HostsError, match="start it first"):
        db2.cut()
    db2.start()
    db2.wait_until_ready()
    assert fleet.ssh("db2", "hostname").stdout == "db2\n"


@pytest.mark.drill
def test_a_shared_connection_ends_with_its_host_and_the_first_command_finds_it_again(fleet: Fleet) -> None:
    """Without ansible.cfg's keep-alive the pending command holds the connection, and the first command waits."""

    def said() -> str:
        argv = [beside("ansible"), "-i", str(fleet.inventory), "app1", "-m", "ansible.builtin.raw", "-a", "hostname"]
        argv += ["--task-timeout", "10"]
        done = subprocess.run(
            argv, cwd=CHECKOUT, env=environment(), capture_output=True, text=True, timeout=40, check=False
        )
        return done.stdout

    app1 = fleet["app1"]
    assert "app1 | CHANGED" in said()
    app1.kill()
    began = time.monotonic()
    try:
        # Ansible gives up the command and leaves the connection to later ones.
        assert "Timed out after 10 second" in said()
        # TCP retransmits 25 and 51 seconds after the command.
        time.sleep(max(0.0, began + 30 - time.monotonic()))
    finally:
        app1.start()
    app1.wait_until_ready()
    assert "app1 | CHANGED" in said()


def test_a_host_comes_back_from_a_reboot_of_its_own(fleet: Fleet) -> None:
    app1 = fleet["app1"]
    before = app1.run(["stat", "-c", "%Y", "/proc/1"]).stdout
    time.sleep(1.1)
    fleet.ssh("app1", "systemctl", "reboot")

    def rebooted() -> bool:
        now = app1.run(["stat", "-c", "%Y", "/proc/1"], check=False)
        return now.returncode == 0 and now.stdout != before

    until(rebooted, "app1 to boot again", timeout=60)
    app1.wait_for_ssh()
    assert fleet.ssh("app1", "hostname").stdout == "app1\n"


def test_run_is_bounded_on_the_host_too(fleet: Fleet) -> None:
    app1 = fleet["app1"]
    with pytest.raises(HostsError, match=r"sleep 4711.* ended after 1 s"):
        app1.run(["sleep", "4711"], timeout=1)
    assert app1.run(["pgrep", "--exact", "sleep"], check=False).returncode == 1
    with pytest.raises(HostsError, match="status 3"):
        app1.run(["sh", "-c", "exit 3"])
