# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening a file with another account's rights while other threads keep theirs. Neither Ansible nor a driver."""

from __future__ import annotations

import array
import contextlib
import errno
import os
import pwd
import signal
import socket
from typing import NoReturn

# Opening a pipe in a file's place would hang.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_NUMBER = array.array("i", [0]).itemsize


def open_own(path: str | os.PathLike[str], follow: bool = True) -> int:
    """Open a file for reading with this process's own rights; raises OSError. ``follow``: also if it is a link."""
    return os.open(path, _FLAGS if follow else _FLAGS | os.O_NOFOLLOW)


def open_as(owner: pwd.struct_passwd, path: str, seconds: float) -> int:
    """Open a file for reading with no more rights than the owner has, if this is root; raises OSError.

    What has root's own rights follows no link. Rights are a whole process's, so a short-lived one opens the file.
    """
    if os.geteuid() != 0:
        return open_own(path)
    if owner.pw_uid == 0:
        return open_own(path, follow=False)
    # Asked here: in the other process a name service could wait for what a thread held at the fork.
    groups = os.getgrouplist(owner.pw_name, owner.pw_gid)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        child = os.fork()
        if child == 0:
            _open_there(owner, groups, path, theirs)
        theirs.close()
        try:
            ours.settimeout(seconds)
            return _received(ours)
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _open_there(owner: pwd.struct_passwd, groups: list[int], path: str, answer: socket.socket) -> NoReturn:
    """Open the file in the new process and pass it on, or the number of the error."""
    with contextlib.suppress(BaseException):
        said, found = errno.EPERM, []
        try:
            os.setgroups(groups)
            os.setresgid(owner.pw_gid, owner.pw_gid, owner.pw_gid)
            os.setresuid(owner.pw_uid, owner.pw_uid, owner.pw_uid)
            said, found = 0, [os.open(path, _FLAGS)]
        except OSError as error:
            said = error.errno or said
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", found))] if found else []
        answer.sendmsg([str(said).encode()], passed)
    os._exit(0)


def _received(answer: socket.socket) -> int:
    try:
        said, passed, _flags, _address = answer.recvmsg(16, socket.CMSG_SPACE(_NUMBER), socket.MSG_CMSG_CLOEXEC)
    except socket.timeout:
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)) from None
    for _level, _kind, content in passed:
        return array.array("i", content[:_NUMBER])[0]
    number = int(said or errno.EPERM)
    raise OSError(number, os.strerror(number))
