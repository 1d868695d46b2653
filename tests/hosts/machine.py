"""What the machine must have, one way to call its programs, and one lock between processes."""

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

RECIPE = Path(__file__).parent / "recipe"

# Program -> Debian package; what an engine also needs is listed with it.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "npm": "npm",
    "ip": "iproute2",
    "nft": "nftables",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}


class HostsError(Exception):
    """The hosts could not be made, reached or removed; the text says what to do."""


def call(
    argv: Sequence[str],
    *,
    timeout: float = 30,
    stdin: str | None = None,
    check: bool = True,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program of the machine and return what it said.

    `timeout` is in seconds; `environment` is added to our own. Raises HostsError with the program's stderr if it
    fails (unless `check` is false), and if it takes too long. Secrets belong in `stdin`, never in `argv`.
    """
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    try:
        # An empty input, not ours: a program that asks something must not wait for somebody at a terminal.
        done = subprocess.run(
            argv,
            input=stdin or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env={**os.environ, "PATH": path, **(environment or {})},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise HostsError(f"`{' '.join(argv)}` was not done after {timeout:g} s and was ended") from error
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing")[-2000:]
        raise HostsError(f"`{' '.join(argv)}` failed with status {done.returncode}: {said}")
    return done


@contextlib.contextmanager
def locked(path: Path, *, timeout: float) -> Iterator[None]:
    """Hold a lock between processes on `path` (created, and removed again). The kernel releases it for a killed holder.

    Raises HostsError if another process still has it after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder before us may have removed the file in between: then ours is a lock on nothing.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                break
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(descriptor)
        if time.monotonic() > deadline:
            raise HostsError(f"another process has held {path} for more than {timeout:g} s: wait for it, or end it")
        time.sleep(0.1)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
