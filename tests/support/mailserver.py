# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A mail server on loopback: as much of RFC 5321 as clients that submit mail need, with STARTTLS and AUTH PLAIN."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import os
import signal
import socketserver
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from tests.support.redis_server import Certificates

USER, PASSWORD = "kanban", "p4ssword-of-mail"


@dataclass(frozen=True)
class How:
    """How a server behaves. ``refuses``: replies by a command's beginning; ``certificates``: it wants TLS and a login.

    ``lost``: it closes after the whole mail, without a reply; ``hang``: seconds before a reply to the whole mail.
    """

    record: Path
    refuses: dict[str, str]
    certificates: Certificates | None = None
    lost: bool = False
    hang: float = 0.0


class _Handler(socketserver.StreamRequestHandler):
    how: How

    def handle(self) -> None:
        self.secure, self.known = False, False
        self.say("220 ready")
        sender, recipients = "", list[str]()
        while line := self.rfile.readline().decode().strip():
            refusal = next((said for start, said in self.how.refuses.items() if line.upper().startswith(start)), "")
            verb = line.split(" ")[0].upper()
            if refusal:
                self.say(refusal)
            elif verb == "EHLO":
                offers = ["AUTH PLAIN"] if self.secure else ["STARTTLS"] if self.how.certificates else []
                lines = ["localhost", "8BITMIME", *offers]
                for number, offer in enumerate(lines, 1):
                    self.say(f"250{' ' if number == len(lines) else '-'}{offer}")
            elif verb == "STARTTLS":
                self.say("220 go on")
                self.encrypt()
            elif verb == "AUTH":
                self.known = base64.b64decode(line.split(" ")[2]).decode() == f"\0{USER}\0{PASSWORD}"
                self.say("235 known" if self.known else "535 not known")
            elif verb == "MAIL":
                sender, recipients = line, []
                self.say("250 ok" if self.known or not self.how.certificates else "530 who are you")
            elif verb == "RCPT":
                recipients.append(line.partition("<")[2].rstrip(">"))
                self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                self.keep(sender, recipients, self.content())
                time.sleep(self.how.hang)
                if self.how.lost:
                    return
                self.say("250 kept")
            else:
                self.say("221 bye" if verb == "QUIT" else "502 what")

    def content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines)

    def encrypt(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        assert self.how.certificates
        context.load_cert_chain(self.how.certificates.certificate, self.how.certificates.key)
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.secure = True

    def say(self, line: str) -> None:
        self.connection.sendall(line.encode() + b"\r\n")

    def keep(self, sender: str, recipients: list[str], content: bytes) -> None:
        with self.how.record.open("a") as record:
            record.write(json.dumps([sender, recipients, content.decode("latin-1")]) + "\n")


@dataclass
class MailServer:
    """A running server, and the mails that it has received."""

    port: int
    record: Path
    certificates: Certificates | None

    @property
    def options(self) -> dict[str, Any]:
        """The module's option, without lists."""
        common: dict[str, Any] = {"host": "localhost", "port": self.port, "from": "Kanban <kanban@chatia.example>"}
        if not self.certificates:
            return {**common, "tls": "none"}
        return {**common, "user": USER, "password": PASSWORD, "ca_cert": str(self.certificates.ca)}

    @property
    def mails(self) -> list[tuple[list[str], EmailMessage]]:
        """The recipients, by the envelope, and the message of each mail."""
        found = [json.loads(line) for line in self.record.read_text().splitlines()]
        return [(to, _parsed(text)) for _from, to, text in found]


def _parsed(text: str) -> EmailMessage:
    return email.message_from_bytes(text.encode("latin-1"), policy=email.policy.default)


@contextmanager
def mail_server(
    directory: Path,
    certificates: Certificates | None = None,
    *,
    lost: bool = False,
    hang: float = 0,
    refuses: dict[str, str] | None = None,
) -> Iterator[MailServer]:
    """Run one; ``refuses``: replies by the beginning of a command, for instance ``RCPT TO:<X``."""
    record = directory / f"mails-{len(list(directory.glob('mails-*')))}"
    record.touch()
    how = How(record, refuses or {}, certificates, lost, hang)
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"how": how}))
    server.daemon_threads = True
    pid = os.fork()
    if pid == 0:
        try:
            server.serve_forever(poll_interval=10)
        finally:
            os._exit(1)
    server.server_close()
    try:
        yield MailServer(server.server_address[1], record, certificates)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
