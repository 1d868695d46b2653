# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages by mail, one for each list, over SMTP. Neither Ansible nor a driver.

Addresses are in the envelope only, so nobody on a list sees who else is on it. The id of a mail is made from its
message and its list, so a second copy is recognized as one.
"""

from __future__ import annotations

import email.message
import email.policy
import hashlib
import re
import smtplib
import socket
import ssl
from contextlib import contextmanager
from datetime import datetime, timezone
from email.headerregistry import Group
from email.utils import format_datetime, parseaddr
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._httpapi import is_loopback
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import (
    Message,
    NotSent,
    Partly,
    Route,
    Unsure,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifytext import line_of, plain

# At most this many refused addresses are named.
_NAMED = 3
PORTS = {"starttls": 587, "implicit": 465, "none": 25}
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*")


class Mail:
    """One mail server. ``options``: host, port, user, password, tls, ca_cert, from, lists (addresses by name)."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._host: str = options.get("host") or ""
        self._tls: str = options["tls"]
        self._port: int = options.get("port") or PORTS[self._tls]
        self._user, self._password = options.get("user") or "", options.get("password") or ""
        self._ca_cert: str | None = options.get("ca_cert")
        self._from: str = options.get("from") or ""
        self._lists: Mapping[str, Sequence[str]] = options.get("lists") or {}

    def reaches(self, route: Route) -> bool:
        """Return whether there is a server, and the list is not empty."""
        return bool(self._host and self._from and self._lists.get(route.target))

    def send(self, message: Message, route: Route, seconds: float) -> str:
        """Send it to a list, or to those on it who do not have it yet, and return why some were refused.

        Raises Partly if it defers some of them, and NotSent, Unsure and BadInput.
        """
        recipients = [_address(one) for one in route.left or self._lists[route.target]]
        sender = _address(parseaddr(self._from)[1] or self._from)
        body = mail_of(message, route, self._from, sender).as_bytes(policy=email.policy.SMTP)
        with self._connected(seconds) as server:
            refused = _envelope(server, sender, recipients)
            _content(server, body)
        later = [one for one, code in refused.items() if code < 500]
        why = f"not taken for {len(refused)} of {len(recipients)} addresses: {_named(refused)}" if refused else ""
        if later:
            raise Partly(why, later)
        return why

    @contextmanager
    def _connected(self, seconds: float) -> Iterator[smtplib.SMTP]:
        """Yield a server that is ready for mail; if anything fails before that, the mail was certainly not sent."""
        if self._user and self._tls == "none" and not is_loopback(self._host):
            raise BadInput(
                "password_in_the_clear",
                "Mail has a password and no TLS.",
                "Whoever is on the way could read it. Nothing was sent.",
                "Set tls to starttls or implicit.",
            )
        try:
            context = None if self._tls == "none" else ssl.create_default_context(cafile=self._ca_cert)
            server = self._opened(seconds, context)
        except smtplib.SMTPResponseException as error:
            raise _refused("the server refuses", error.smtp_code) from None
        except ssl.SSLCertVerificationError:
            raise NotSent("its certificate is not trusted", lasting=True) from None
        except (OSError, smtplib.SMTPException) as error:
            raise NotSent(_why(error)) from None
        try:
            yield server
        finally:
            server.close()

    def _opened(self, seconds: float, context: ssl.SSLContext | None) -> smtplib.SMTP:
        # Passed on, because otherwise a resolver is asked, which may hang.
        name = socket.gethostname()
        if self._tls == "implicit" and context:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, name, timeout=seconds, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, name, timeout=seconds)
        try:
            if self._tls == "starttls" and context:
                server.starttls(context=context)
            server.ehlo_or_helo_if_needed()
            if self._user:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server


def mail_of(message: Message, route: Route, shown_from: str, sender: str) -> email.message.EmailMessage:
    """Return a mail. Its headers are one line each, whatever the message contains."""
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    mail["Subject"] = line_of(message.subject)
    mail["From"] = line_of(shown_from)
    mail["To"] = Group(route.target, ())
    mail["Date"] = format_datetime(datetime.now(timezone.utc))
    mail["Message-ID"] = message_id(message, route, sender)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{plain(message.text) or line_of(message.subject)}\n", charset="utf-8")
    return mail


def message_id(message: Message, route: Route, sender: str) -> str:
    """Return the id of a mail, always the same for the same message to the same list."""
    text = "\n".join((message.incident, message.key, route.route))
    return f"<kanban-{hashlib.sha256(text.encode()).hexdigest()[:32]}@{sender.rpartition('@')[2]}>"


def _address(text: str) -> str:
    if not _ADDRESS.fullmatch(text):
        raise BadInput(
            "bad_address",
            "One of the addresses is none.",
            "Its list was not written to.",
            "Give each as name@example.com, without a name beside it.",
        )
    return text


def _named(refused: Mapping[str, int]) -> str:
    more = f" and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    # Those who will never get it come first.
    worst = sorted(refused.items(), key=lambda one: -one[1])[:_NAMED]
    return ", ".join(f"{one} ({code})" for one, code in worst) + more


def _envelope(server: smtplib.SMTP, sender: str, recipients: Sequence[str]) -> dict[str, int]:
    """Send the envelope, and return the codes of the recipients that are refused; raises NotSent if all are."""
    try:
        code, _text = server.mail(sender)
        if code != 250:
            raise _refused("the sender is refused", code)
        codes = {one: server.rcpt(one)[0] for one in recipients}
        refused = {one: answer for one, answer in codes.items() if answer not in (250, 251)}
        if len(refused) == len(recipients):
            raise _refused("every address is refused", min(codes.values()))
        code, _text = server.docmd("DATA")
    except (OSError, smtplib.SMTPException) as error:
        raise NotSent(_why(error)) from None
    if code != 354:
        raise _refused("the mail is refused", code)
    return refused


def _content(server: smtplib.SMTP, body: bytes) -> None:
    """Send the content; from here on, silence does not tell whether the mail was taken."""
    stuffed = re.sub(rb"(?m)^\.", b"..", body)
    try:
        server.send(stuffed + (b"" if stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n")
        code, _text = server.getreply()
    except (OSError, smtplib.SMTPException) as error:
        raise Unsure(_why(error)) from None
    if code != 250:
        raise _refused("the mail is refused", code)


def _refused(what: str, code: int) -> NotSent:
    return NotSent(f"{what} ({code})", lasting=code >= 500)


def _why(error: Exception) -> str:
    """Return the reason without the server's words, which may be anybody's."""
    if isinstance(error, TimeoutError) or "timed out" in str(error):
        return "no answer in time"
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "it closed the connection"
    if isinstance(error, OSError) and not isinstance(error, smtplib.SMTPException):
        return (error.strerror or type(error).__name__).lower()
    return type(error).__name__
