"""The hosts are what tests of playbooks take them for, and nothing of them is left over."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import files
from tests.hosts.composition import OPTIONAL, STANDARD
from tests.hosts.fleet import Fleet, down, leftovers, load, processes, remove_orphans, up
from tests.hosts.host import until
from tests.hosts.machine import RECIPE, call

pytest_plugins = ["tests.hosts.plugin"]
ROOT = Path(__file__).parents[2]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.hosts", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_ansible_reaches_every_host_with_the_inventory_alone(fleet: Fleet, tmp_path: Path) -> None:
    beside = Path(sys.executable).with_name("ansible")
    ansible = str(beside) if beside.exists() else shutil.which("ansible")
    if ansible is None:
        pytest.skip("Ansible is not installed for this Python")
    settings = tmp_path / "ansible.cfg"
    settings.touch()
    argv = [ansible, "all", "-i", str(fleet.inventory), "-m", "ping", "--one-line"]
    environment = os.environ | {"ANSIBLE_CONFIG": str(settings)}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answered = {line.split(" | ")[0] for line in done.stdout.splitlines() if '"pong"' in line}
    assert answered == {"db1", "db2", "redis1", "app1", "app2"}


def test_every_host_booted_without_a_failed_unit_and_runs_only_what_it_is_for(fleet: Fleet) -> None:
    services = ("postgresql@17-main", "redis-server", "redis-sentinel", "pgbouncer")
    active = {}
    for host in fleet.hosts:
        waited = host.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=60)
        assert waited.stdout.strip() == "running", (host.name, host.run(["systemctl", "--failed"]).stdout)
        states = host.run(["systemctl", "is-active", *services], check=False).stdout.split()
        active[host.name] = [name for name, state in zip(services, states, strict=True) if state == "active"]
    assert active == {
        "db1": ["postgresql@17-main"],
        "db2": ["postgresql@17-main"],
        "redis1": ["redis-server"],
        "app1": [],
        "app2": [],
    }


def test_hosts_have_a_default_route_that_leads_nowhere(fleet: Fleet) -> None:
    app = fleet["app1"]
    assert f"src {app.address}" in app.run(["ip", "-4", "route", "get", "8.8.8.8"]).stdout
    # No host has the gateway's address: the packet never gets beyond the question of who has it.
    probe = "import socket; socket.create_connection(('203.0.113.77', 80), timeout=8)"
    assert "No route to host" in app.run(["python3", "-c", probe], check=False).stderr


def test_a_row_written_on_the_primary_appears_on_the_replica(fleet: Fleet) -> None:
    db1, db2 = fleet["db1"], fleet["db2"]
    assert db2.psql("SELECT pg_is_in_recovery()") == "t"
    db1.psql("CREATE TABLE streamed (id int); INSERT INTO streamed VALUES (4711)")
    try:
        until(lambda: "streamed" in db2.psql(r"\dt"), "the table to be streamed", timeout=20)
        until(lambda: db2.psql("TABLE streamed") == "4711", "the row to be streamed", timeout=20)
        slot = "SELECT slot_name, slot_type, active FROM pg_replication_slots"
        assert db1.psql(slot) == "db2|physical|t"
    finally:
        db1.psql("DROP TABLE streamed")


def test_postgresql_asks_for_a_password_over_tcp_and_has_the_settings_that_tests_need(fleet: Fleet) -> None:
    db1 = fleet["db1"]
    asked = ["psql", "-XqAt", "-h", db1.address, "-d", "postgres", "-w", "-c", "SELECT 1"]
    refused = fleet["app1"].run([*asked, "-U", "postgres"], check=False)
    assert "no password supplied" in refused.stderr
    with_password = f"read -r PGPASSWORD; export PGPASSWORD; exec {' '.join(asked[:-2])} -U postgres -c 'SELECT 1'"
    given = fleet["app1"].run(["sh", "-c", with_password], stdin=fleet.postgres_password + "\n")
    assert given.stdout == "1\n"
    names = "'max_prepared_transactions', 'shared_preload_libraries', 'wal_level', 'password_encryption'"
    settings = db1.psql(f"SELECT name || '=' || setting FROM pg_settings WHERE name IN ({names}) ORDER BY 1").split()
    assert settings == [
        "max_prepared_transactions=10",
        "password_encryption=scram-sha-256",
        "shared_preload_libraries=pg_stat_statements",
        "wal_level=replica",
    ]


def test_pm2_keeps_a_program_running_for_root_and_for_the_user_of_the_application(fleet: Fleet) -> None:
    app1 = fleet["app1"]
    lock = json.loads((RECIPE / "package-lock.json").read_text())["packages"]["node_modules/pm2"]["version"]
    for user, home in (("root", "/root"), ("app", "/home/app")):

        def pm2(*arguments: str, user: str = user, home: str = home) -> str:
            quiet = ["env", f"PM2_HOME={home}/.pm2", "PM2_DISCRETE_MODE=true", "pm2", *arguments]
            return app1.run(quiet, user=user).stdout

        try:
            assert pm2("--version").splitlines()[-1] == lock
            pm2("start", "--silent", "--name", "clock", "/usr/bin/sleep", "--", "4711")
            [clock] = json.loads(pm2("jlist"))
            assert (clock["name"], clock["pm2_env"]["status"]) == ("clock", "online")
            app1.run(["kill", "-9", str(clock["pid"])], user=user)
            until(lambda: json.loads(pm2("jlist"))[0]["pm2_env"]["restart_time"] == 1, "pm2 to restart it", timeout=20)
        finally:
            app1.run(["env", f"PM2_HOME={home}/.pm2", "pm2", "kill"], user=user, check=False)
            app1.run(["rm", "-rf", f"{home}/.pm2"])


@pytest.fixture
def state(hosts_can_be_made: None, tmp_path: Path) -> Iterator[Path]:
    """The test's own state directory: its fleet is not that of the session."""
    # With a space in it, as a checkout's path may have.
    directory = tmp_path / "of one test"
    yield directory
    down(directory)


def remains(state: Path) -> list[str]:
    """Return whatever is left of a fleet on this machine."""
    fleet = files.fleet_id(state)
    named = [str(path) for path in Path("/run").glob(f"*{fleet}*")]
    return leftovers(state) + named + processes(state) + ([str(state)] if state.exists() else [])


def test_down_from_another_process_leaves_nothing(state: Path) -> None:
    fleet = up(state, [spec for spec in STANDARD if spec.group == "app"])
    assert fleet.ssh("app1", "hostname").stdout == "app1\n"
    assert remains(state)
    bridge = fleet["app1"].address.rpartition(".")[0] + ".1/"
    assert bridge in call(["ip", "-oneline", "address"]).stdout
    assert load(state).hosts == fleet.hosts
    status = command("--state", str(state), "status")
    assert (status.returncode, status.stdout.count("running")) == (0, 2), status.stderr
    assert command("--state", str(state), "down").returncode == 0
    assert remains(state) == []
    assert bridge not in call(["ip", "-oneline", "address"]).stdout
    again = command("--state", str(state), "down")
    assert (again.returncode, again.stderr) == (0, "")
    gone = command("--state", str(state), "status")
    assert gone.returncode == 1
    assert "no hosts are up" in gone.stderr


def test_down_leaves_what_others_put_into_the_state_directory(state: Path) -> None:
    up(state, [OPTIONAL["db3"]])
    (state / "notes").write_text("mine")
    down(state)
    assert [path.name for path in state.iterdir()] == ["notes"]


def test_hosts_whose_checkout_is_gone_are_removed_and_no_others(state: Path) -> None:
    up(state, [OPTIONAL["db3"]])
    assert files.fleet_id(state) not in remove_orphans()
    assert load(state)["db3"].state == "running"
    shutil.rmtree(state)
    done = command("orphans")
    assert done.returncode == 0, done.stderr
    assert files.fleet_id(state) in done.stdout
    assert remains(state) == []


@pytest.mark.parametrize(
    "killed_at",
    [
        pytest.param("first key", marks=pytest.mark.drill),
        pytest.param("first container", marks=pytest.mark.drill),
        "last container",
    ],
)
def test_up_and_down_work_after_a_killed_up(state: Path, killed_at: str) -> None:
    killed = subprocess.Popen(
        [sys.executable, "-m", "tests.hosts", "--state", str(state), "up", "--with", "db3"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        moments = {
            "first key": (state / files.KEY).exists,
            # The network is one of the leftovers.
            "first container": lambda: len(leftovers(state)) >= 2,
            "last container": lambda: len(leftovers(state)) == 7,
        }
        until(moments[killed_at], killed_at, timeout=120, pause=0.01)
        assert killed.poll() is None, "it ended before it could be killed"
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait(timeout=10)
    done = command("--state", str(state), "up", "--with", "db3")
    assert done.returncode == 0, done.stderr
    assert "6 hosts up" in done.stdout
    fleet = load(state)
    identifier = "SELECT system_identifier FROM pg_control_system()"
    db1, db2, db3 = (fleet[name].psql(identifier) for name in ("db1", "db2", "db3"))
    assert db1 == db2 != db3, "db3 has to be a primary of its own, not a copy"
    fleet.down()
    assert remains(state) == []


def test_an_interrupted_up_takes_down_what_it_began(state: Path) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.hosts", "--state", str(state), "up"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: len(leftovers(state)) >= 2, "the first container", timeout=120, pause=0.01)
    running.terminate()
    _out, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert said.startswith("interrupted")
    assert remains(state) == []
