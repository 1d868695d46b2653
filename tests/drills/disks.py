# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory of a host on its own disk, small enough to be filled: what was there moves onto it."""

from __future__ import annotations

from tests.drills.drill import Drill
from tests.hosts.host import Host

DATA = "/var/lib/postgresql/17/main"
LOG = f"{DATA}/pg_wal"
SERVICE = "postgresql@17-main"
_MEBIBYTES = 400
_MOVE = """
mv "$1" "$1.was"
mkdir "$1"
"""
_BACK = """
chown --reference="$1.was" "$1"
chmod --reference="$1.was" "$1"
cp -a "$1.was/." "$1/"
"""
_RETURN = """
rmdir "$1"
mv "$1.was" "$1"
"""
# Ends when there is no room left, as intended.
_FILL = 'cat /dev/zero > "$1/filler"; sync; test "$(df --output=avail "$1" | tail -n 1)" -eq 0'
# For a minute at most: the run that is to make that path may never come to it.
_FILL_LATER = """
(for try in $(seq 12000); do
   ls -d $2 > "$1/seen" 2> "$1/complaint" && break
   sleep 0.005
 done
 fallocate -l "$(df -B1 --output=avail "$1" | tail -n 1)" "$1/filler") > "$1/said" 2>&1 &
"""


def own_disk(host: Host, directory: str, mebibytes: int = _MEBIBYTES) -> None:
    """Move an existing directory onto its own file system in memory."""
    host.run(["sh", "-ec", _MOVE, "sh", directory])
    host.mount_memory(directory, mebibytes)
    host.run(["sh", "-ec", _BACK, "sh", directory])


def give_back(host: Host, directory: str) -> None:
    """Remove the directory's own disk and what was written to it: the earlier content is back."""
    host.unmount(directory)
    host.run(["sh", "-ec", _RETURN, "sh", directory])


def fill(host: Host, directory: str) -> None:
    """Leave no byte free on the disk that a directory is on."""
    host.run(["sh", "-c", _FILL, "sh", directory], timeout=60)


def fill_later(host: Host, directory: str, pattern: str) -> None:
    """Leave no byte free on a directory's disk as soon as a path matches the pattern."""
    host.run(["sh", "-c", _FILL_LATER, "sh", directory, pattern])


def fill_database(drill: Drill, directory: str) -> None:
    """Move the primary's data or log onto its own disk, where it stays, and fill that.

    The server is stopped for a moment. Mending makes room again and starts a server that the full disk had ended.
    """
    db1 = drill.estate.fleet["db1"]
    # Moving all of it back is not worth the time.
    drill.ground.give_up()
    drill.messages_wait = True
    db1.run(["systemctl", "stop", SERVICE], timeout=60)
    own_disk(db1, directory)
    db1.run(["systemctl", "start", SERVICE], timeout=60)
    db1.wait_until_ready()
    # The first session after a start writes what each later one needs.
    drill.place.psql("SELECT 1")
    drill.after(db1.wait_until_ready)
    drill.after(db1.run, ["systemctl", "start", SERVICE], timeout=60)
    drill.after(db1.run, ["rm", "-f", f"{directory}/filler"])
    fill(db1, directory)
