# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to Slack, by a bot's token or by incoming webhooks. Neither Ansible nor a driver.

A message goes as a ``rich_text`` block: its texts are shown literally, so nothing in them can be a mention, a link or
markup. ``text`` beside it is for notifications, and for when blocks are refused; Slack's three special characters are
escaped in it.
"""

from __future__ import annotations

import fnmatch
import re
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notify import Message, NotSent, Route, Unsure
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyhttp import Answer, post
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifytext import fitting, runs

# Limits that the API documents, in characters: of ``text``, and of one text within a block.
MOST_TEXT, MOST_PIECE = 40_000, 3_000
# A longer block is refused if Slack counts all of it.
MOST_WHOLE = 12_000
CUT = "[…]"
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# These call everybody when names are turned into links; a zero-width character inside keeps them readable.
_CALLS = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)
_NO_WIDTH = "\u2060"
_LATER = ("ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org")
# According to the API's documentation, some of it may have succeeded.
_MAYBE = ("internal_error", "fatal_error")
_BLOCKS = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "block_mismatch")
_THERE = ("name_taken",)
_WEBHOOK_BLOCKS = ("invalid_blocks", "invalid_payload")


class Slack:
    """One workspace. ``options``: those of the module; ``create`` has patterns of channels."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        # A file or a variable that it comes from often ends in a newline.
        self._token: str = (options.get("token") or "").strip()
        self._webhooks: Mapping[str, str] = options.get("webhooks") or {}
        self._url: str = options["api_url"].rstrip("/")
        self._create = tuple(options.get("create") or ())
        self._ca_certs: str | None = options.get("ca_certs")
        # The ids of channels that were made by this run.
        self._made: dict[str, str] = {}

    def reaches(self, route: Route) -> bool:
        """Return whether there is a way to a channel."""
        return bool(self._token) or route.target in self._webhooks

    def send(self, message: Message, route: Route, seconds: float) -> str:
        """Post it, without blocks if those are refused; raises NotSent and Unsure."""
        given = payload(message, mention=message.mention == route.route)
        try:
            return self._post(route.target, given, seconds)
        except _Refused:
            return self._post(route.target, {**given, "blocks": []}, seconds)

    def _post(self, channel: str, given: Mapping[str, Any], seconds: float) -> str:
        if self._token:
            known = self._channel(channel, seconds)
            answer = self._call("chat.postMessage", {**given, "channel": known}, seconds)
            _judged(answer, bool(given["blocks"]))
        else:
            _judged_webhook(post(self._webhooks[channel], given, seconds, "", self._ca_certs), bool(given["blocks"]))
        return ""

    def _channel(self, name: str, seconds: float) -> str:
        """Return a channel's name for the API; one that is to be made is made first, once."""
        if not any(fnmatch.fnmatchcase(name, pattern) for pattern in self._create):
            return name
        if name not in self._made:
            answer = self._call("conversations.create", {"name": name.lstrip("#"), "is_private": False}, seconds).json()
            error = str(answer.get("error", ""))
            if answer.get("ok") is True:
                channel = answer.get("channel")
                self._made[name] = str(channel["id"]) if isinstance(channel, dict) and channel.get("id") else name
            elif error in _THERE:
                self._made[name] = name
            elif error in _LATER + _MAYBE:
                raise NotSent(f"the channel could not be made: {_word(error)}")
            else:
                raise NotSent(f"the channel could not be made: {_word(error)}", lasting=True, needless=True)
        return self._made[name]

    def _call(self, method: str, given: Mapping[str, Any], seconds: float) -> Answer:
        return post(f"{self._url}/{method}", given, seconds, self._token, self._ca_certs)


class _Refused(Exception):
    """Blocks are refused; the text alone may be taken."""


def payload(message: Message, mention: bool) -> dict[str, Any]:
    """Return the request for a message; ``mention``: everybody in the channel is called."""
    whole = f"**{message.subject}**\n{message.text}" if message.text else f"**{message.subject}**"
    pieces = _pieces(fitting(whole, MOST_WHOLE, CUT))
    call: list[dict[str, Any]] = [{"type": "broadcast", "range": "channel"}, {"type": "text", "text": " "}]
    section = {"type": "rich_text_section", "elements": [*(call if mention else []), *pieces]}
    text = "".join(_CALLS.sub(f"@{_NO_WIDTH}", piece["text"]) for piece in pieces).translate(_ENTITIES)
    return {
        "text": fitting(f"<!channel> {text}" if mention else text, MOST_TEXT, CUT),
        "blocks": [{"type": "rich_text", "elements": [section]}],
        "mrkdwn": False,
        "parse": "none",
        "link_names": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _pieces(text: str) -> list[dict[str, Any]]:
    """Return a message's text as texts of a block, none of them longer than the limit."""
    return [
        {"type": "text", "text": run[at : at + MOST_PIECE], **({"style": {"bold": True}} if bold else {})}
        for run, bold in runs(text)
        for at in range(0, len(run), MOST_PIECE)
    ]


def _judged(answer: Answer, blocks: bool) -> None:
    """Raise what an answer of the API means, nothing if it has taken the message."""
    found = answer.json()
    if found.get("ok") is True:
        return
    error = str(found.get("error", ""))
    if blocks and error in _BLOCKS:
        raise _Refused
    if error in _MAYBE or ("ok" not in found and 200 <= answer.status < 300):
        raise Unsure(_word(error) or "its answer is none of Slack's")
    raise NotSent(_word(error) or f"it answered {answer.status}", lasting=error not in _LATER)


def _judged_webhook(answer: Answer, blocks: bool) -> None:
    if 200 <= answer.status < 300:
        return
    word = _word(answer.text.strip())
    if blocks and word in _WEBHOOK_BLOCKS:
        raise _Refused
    raise NotSent(f"{answer.status}, {word}" if word else f"it answered {answer.status}", lasting=True)


def _word(text: str) -> str:
    """Return an error as the API names it, nothing if it is not such a word."""
    return text if re.fullmatch(r"[a-z_]{1,60}", text) else ""
