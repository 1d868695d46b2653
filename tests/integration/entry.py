# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process in which a test runs one module: `python -m tests.integration.entry feature_flag`, arguments on stdin.

Without a name it forks such a process for each request on its standard input, a socket: it has Ansible and the modules
loaded already, and is small, which saves a third of a second in each of thousands of calls.

Ansible's own wrapper does the same with a zipped copy; `test_through_ansible.py` shows that both give one result.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
import traceback

from ansible.module_utils import basic

MODULES = "ansible_collections.chatia.kanban_rollback.plugins.modules"
# Bytes of a request: a name and an environment.
LONGEST = 1 << 17


def run(name: str) -> int:
    """Run a module with the arguments on stdin, its result to stdout; return its exit status."""
    basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
    # Since core 2.19 a module must be told how to serialize its results; older versions ignore this.
    basic._ANSIBLE_PROFILE = "legacy"
    try:
        importlib.import_module(f"{MODULES}.{name}").main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    return 1


def serve() -> int:
    """Start a module for each request until there are no more; answer with its id and a descriptor of its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as channel:
        while True:
            request, files, _flags, _address = socket.recv_fds(channel, LONGEST, 3)
            if not request:
                return 0
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            name, environment = json.loads(request)
            with contextlib.suppress(Exception):  # The module's own process says what is wrong with it.
                importlib.import_module(f"{MODULES}.{name}")
            pid = os.fork()
            if pid == 0:
                _become(name, files, environment)
            ended = os.pidfd_open(pid)
            socket.send_fds(channel, [str(pid).encode()], [ended])
            for descriptor in (*files, ended):
                os.close(descriptor)


def _become(name: str, files: list[int], environment: dict[str, str]) -> None:
    """Become the module, in the new process, and keep nothing of whoever asked for it."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor, file in enumerate(files):
            os.dup2(file, descriptor)
        os.closerange(3, max(files) + 1)
        os.environ.clear()
        os.environ.update(environment)
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115 - until the end
        status = run(name)
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]) if sys.argv[1:] else serve())
