# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The six judgments of every drill. Pure: facts in, AssertionError with what was expected and what was found out."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence

from tests.drills.watch import Off
from tests.playbooks.runner import Run
from tests.staging.account import Entry, Report

# Seconds from Enter. On an idle machine containment takes about five.
BOUND = 20.0
UNDO_SECONDS = 60.0
# A machine with other load is slower by what waits for its cores; a drill alone keeps two of them busy.
_ALONE = 2.0
MOST_PATIENCE = 6.0
# In which the application finds its servers again.
_FOUND_AGAIN_SECONDS = 20.0
# Ansible's exit status when a task has failed, and when a host could not be reached. Any other is its own breakdown.
FAILED = (2, 4)
# Writes that must be acknowledged in a drill, and last values to compare, or its account would show nothing.
LEAST_WRITES = 10
# Writes that come before Enter and so are in each dump.
LEAST_DUMPED = 3
_NAMED = 8


def patience(load: float | None = None, cores: int | None = None) -> float:
    """Return the factor for bounds on a machine as loaded as this one: 1 if the drill is alone."""
    load = os.getloadavg()[0] if load is None else load
    return min(MOST_PATIENCE, max(1.0, load / (cores or os.cpu_count() or 1) / _ALONE))


def excused_until(mended_at: float | None) -> float:
    """Return the Unix time until which the fault, mended at that time, may be why nobody took a message."""
    assert mended_at is not None, "expected: the fault mended before anything is judged; found: it is not"
    return mended_at + _FOUND_AGAIN_SECONDS * patience()


def judge_off(seen: Off, bound: float, most: int = 0, returns: float = 0) -> None:
    """1. The flag is off within its bound, by an independent read, and stays off except for ``returns`` seconds."""
    expected = f"expected: at most {most} companies on within {bound:.0f} s of Enter; found: "
    assert seen.looks, expected + "nobody could look"
    assert seen.after is not None, f"{expected}never, in {seen.looks} looks"
    assert seen.after <= bound, f"{expected}after {seen.after:.1f} s"
    if seen.back is not None:
        expected = f"expected: off for good since {seen.after:.1f} s"
        expected += f", or on again for at most {returns:.0f} s" if returns else ""
        again = f"on again after {seen.back:.1f} s, for {seen.lasted:.1f} s"
        assert seen.lasted < returns, f"{expected}; found: {again}"


def judge_stayed_off(on: int) -> None:
    """1. The flag has not come back between a stop and the second run. ``on``: the most companies that were seen on."""
    assert not on, f"expected: off from the stop to the second run; found: {on} companies on again"


class Lost(AssertionError):
    """Something was lost: that is not played again in the hope that it goes better (``--rerun-except`` in Makefile)."""


@contextlib.contextmanager
def _as_loss() -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        raise Lost(*error.args) from None


@_as_loss()
def judge_lost(
    report: Report,
    refused_messages: Sequence[Entry],
    unanswered: Sequence[Entry],
    dumped: Report | None,
    priors: Mapping[str, str],
    had_it: Mapping[str, str],
) -> None:
    """2. Nothing is lost: what people were told was done is there, and in the dump; who had the flag is known exactly.

    ``unanswered``: messages that nobody took at first, if the fault does not explain it. ``dumped``: the account
    against the dump, if there is one. ``priors`` and ``had_it``: value by tenant. Raises Lost.
    """
    assert report.acknowledged >= LEAST_WRITES, (
        f"expected: at least {LEAST_WRITES} acknowledged writes; found: {report.acknowledged}"
    )
    assert report.messages, "expected: inbound messages to look for; found: none was acknowledged"
    for where, compared, least in (("database", report, LEAST_WRITES), ("dump", dumped, LEAST_DUMPED)):
        if compared is not None:
            told = f"{compared.acknowledged} acknowledged writes"
            assert compared.checked >= least, (
                f"expected: at least {least} last values to compare with the {where}; "
                f"found: {compared.checked} of {told}"
            )
            wrong = [*compared.missing, *compared.unexpected]
            assert not wrong, (
                f"expected: what is left of {told} in the {where}, {compared.checked} last values and "
                f"{compared.messages} messages; found: {_some(wrong)}"
            )
    for what, messages in (("refused", refused_messages), ("left without an answer", unanswered)):
        assert not messages, f"expected: no inbound message {what}; found: {len(messages)}, the first {messages[0]}"
    assert not report.lost, f"expected: no inbound message lost; found: {_some(report.lost)}"
    wrong = [f"{one}: had {value}, kept {priors.get(one)}" for one, value in had_it.items() if priors.get(one) != value]
    assert not wrong, f"expected: the prior value of each of {len(had_it)} companies; found: {_some(wrong)}"


def judge_said(
    run: Run,
    *,
    fails: bool,
    says: Collection[str] = (),
    never: Collection[str] = (),
    contradicted: Sequence[str] = (),
) -> None:
    """3. The last screen and the exit status are true."""
    expected = FAILED if fails else (0,)
    assert run.rc in expected, f"expected: status {' or '.join(map(str, expected))}; found: {run.rc}:\n{run.output}"
    assert run.screen, f"expected: a last screen; found: none:\n{run.output}"
    unsaid = [words for words in says if words not in run.screen]
    assert not unsaid, f"expected on the last screen: {unsaid}; found: {run.screen}"
    said = [words for words in never if words in run.screen]
    assert not said, f"expected not on the last screen: {said}; found: {run.screen}"
    assert not contradicted, f"expected: what is said is so; found: {'; '.join(contradicted)}\n{run.screen}"


def judge_again(run: Run, whole: Collection[str], contradicted: Sequence[str]) -> None:
    """4. The same command again, once the fault is mended, completes."""
    assert run.rc == 0, f"expected: the second run to complete with status 0; found: {run.rc}:\n{run.output}"
    judge_said(run, fails=False, says=[words.strip() for words in whole], contradicted=contradicted)


def judge_undone(
    run: Run, before: str, after: Mapping[str, str], contradicted: Sequence[str], bound: float = UNDO_SECONDS
) -> None:
    """5. The misfire is undone to the letter, in time. ``after``: the settings by the host that was asked."""
    assert run.rc == 0, f"expected: the undo to end with status 0; found: {run.rc}:\n{run.output}"
    assert run.seconds <= bound, f"expected: undone within {bound:.0f} s; found: {run.seconds:.1f} s"
    judge_settings(before, after)
    assert not contradicted, f"expected: what is said is so; found: {'; '.join(contradicted)}\n{run.screen}"


@_as_loss()
def judge_settings(before: str, after: Mapping[str, str]) -> None:
    """5. Who had the flag has it back to the letter; raises Lost. ``after``: the settings by the host."""
    for where, settings in after.items():
        pairs = zip(before.splitlines(), settings.splitlines(), strict=False)
        other = [f"{was} became {now}" for was, now in pairs if was != now]
        assert settings == before, f"expected: the settings as before at {where}; found: {_some(other) or settings}"


@_as_loss()
def judge_saved(told: Collection[tuple[int, str]], there: Collection[tuple[int, str]]) -> None:
    """2. Each save beside the flag is there, also one that others followed; raises Lost. Both: company and its key."""
    lost = [f"{key!r} of company {company}" for company, key in sorted(set(told) - set(there))]
    assert not lost, f"expected: each of {len(told)} saves of settings; found: without {_some(lost)}"


@_as_loss()
def judge_nobody_wrote(wrote: Sequence[Entry]) -> None:
    """2. Nobody was told, since the proof of the fence, that a card was moved; raises Lost."""
    assert not wrote, f"expected: no write of the board acknowledged under the fence; found: {wrote[0]}"


@_as_loss()
def judge_kept(lost: Sequence[str]) -> None:
    """2. What the stops kept is whole to the end, beside what came later; raises Lost."""
    assert not lost, f"expected: evidence and dumps of each stop as they were written; found: {_some(lost)}"


def judge_left(before: Collection[str], after: Collection[str]) -> None:
    """6. Nothing is left over: no lock, session, trigger, lease, file or process that was not there before."""
    left = sorted(set(after) - set(before))
    assert not left, f"expected: nothing left over; found: {_some(left)}"


def _some(things: Sequence[str]) -> str:
    more = f" and {len(things) - _NAMED} more" if len(things) > _NAMED else ""
    return "; ".join(things[:_NAMED]) + more
