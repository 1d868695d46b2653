# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision tree as data: questions, ways out of each, and where they lead. Pure: neither Ansible nor a driver.

``docs/decisions.md`` shows the same as a table; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

START = "declared"


@dataclass(frozen=True)
class Way:
    """One way out of a fork.

    ``when``: in the table's words. ``answer``: yes, no or unknown. ``to``: the next fork, or an outcome. ``look``: what
    to look at if something is not known or not well; such a way can never end in "no incident".
    """

    when: str
    answer: str
    to: str
    look: str = ""


@dataclass(frozen=True)
class Fork:
    """A question, and its ways by name."""

    question: str
    ways: Mapping[str, Way]


TREE: Mapping[str, Fork] = {
    "declared": Fork(
        "Has a person declared what it is?",
        {
            "corruption": Way("data is reported to be corrupt", "yes", "scenario3"),
            "down": Way("the system is reported to be down", "yes", "scenario1"),
            "security": Way("a security hole is reported", "yes", "scenario1"),
            "p2": Way("it is declared a P2: recorded, and the rest of the tree only recommends", "yes", "data"),
            "nothing": Way("nothing is declared", "no", "data"),
            "other": Way(
                "what is declared is none of these words", "unknown", "data", "the spelling of kanban_declared"
            ),
        },
    ),
    "data": Fork(
        "Is data corrupt?",
        {
            "corrupt": Way("a critical check counts more than it tolerates", "yes", "scenario3"),
            "whole": Way("every check that applies has counted, and there is one", "no", "down"),
            "unknown": Way(
                "a check ran out of time or failed, none applies, or no database answered",
                "unknown",
                "down",
                "why the checks gave no count (rights, locks, time), and preflight.yml",
            ),
        },
    ),
    "down": Fork(
        "Is the system down?",
        {
            "sockets": Way("sockets are refused everywhere, enough times in a row", "yes", "scenario1"),
            "hosts": Way(
                "no host is healthy, after enough tries; where one cannot be reached, from more than one place",
                "yes",
                "scenario1",
            ),
            "up": Way("every host is healthy, and sockets connect", "no", "performance"),
            "partly": Way(
                "a host is healthy, but another is not, or not all sockets connect, or users are not served",
                "no",
                "performance",
                "the hosts that are not healthy, and their logs",
            ),
            "unknown": Way(
                "no host is known to be healthy, but there were too few tries, or one place alone cannot reach them",
                "unknown",
                "performance",
                "the way to the application's hosts; another place to ask from is kanban_app_public_url",
            ),
        },
    ),
    "performance": Fork(
        "Is there a performance issue?",
        {
            "degraded": Way("metrics are degraded", "yes", "share"),
            "unstable": Way("metrics are good and bad in turn", "yes", "pause"),
            "good": Way("metrics are good", "no", "errors"),
            "unknown": Way(
                "there is no data",
                "unknown",
                "errors",
                "whether the metrics' source answers, and has the metric (kanban_metrics)",
            ),
        },
    ),
    "share": Fork(
        "Does it affect most of the tenants that are on?",
        {
            "most": Way("the share that is affected has reached the limit (plan: 50 %)", "yes", "scenario1"),
            "some": Way("it has not", "no", "scenario2"),
            "unknown": Way(
                "nobody knows the share: scenario 2 ranks them, and goes on from there", "unknown", "scenario2"
            ),
            "nobody": Way(
                "no tenant is on, so there is nothing to roll back",
                "no",
                "whole",
                "what else slows the application down: nobody has Kanban V2",
            ),
        },
    ),
    "errors": Fork(
        "Do most tenants that are on have errors, whatever the metrics say?",
        {
            "most": Way(
                "the share with errors has reached that limit",
                "yes",
                "whole",
                "those tenants' errors, and whether the metrics measure what they suffer from",
            ),
            "few": Way("it has not", "no", "whole"),
            "nothing": Way("this application keeps no log of errors to ask", "no", "whole"),
            "unknown": Way("nobody knows", "unknown", "whole", "the log of errors, and the role's rights on it"),
        },
    ),
    "whole": Fork(
        "Is everything known, and good?",
        {
            "yes": Way("no question above was left open, and nothing was found that is not well", "yes", "none"),
            "no": Way("something was not known, or is not well", "no", "unknown"),
        },
    ),
}

# Outcome -> severity, what it means, and the playbook with what it needs.
OUTCOMES: Mapping[str, tuple[str, str, str]] = {
    "scenario3": ("P0", "SCENARIO 3, P0 CRITICAL: stop everything, data is at stake", "scenario3"),
    "scenario1": ("P0", "SCENARIO 1, P0: off for every tenant", "scenario1"),
    "scenario2": ("P1", "SCENARIO 2, P1: off for the tenants that suffer most", "scenario2"),
    "pause": ("P1", "PAUSE, P1: good and bad in turn, so nobody new gets it", "scenario2 -e kanban_pause=true"),
    "none": ("none", "NO INCIDENT: everything is known, and good", ""),
    "unknown": ("none", "NOT CLEAR: no scenario applies, and not all is known and good", "triage"),
}
