"""What a build cost is added up by stage and cause; what is part of something else is not counted twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import costs


def test_costs_are_added_up_by_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(costs, "COSTS", tmp_path)
    monkeypatch.setenv(costs.STAGE, "servers")
    costs.note("module", 0.25)
    costs.note("module", 0.5)
    costs.note_playbooks("TASK [one] **\nTASK [two] **\nPLAY RECAP **\n", 3.0)
    with costs.spent("database"):
        costs.note("sql", 9.0)
    costs.note("stage", 60.0, stage="lint", tests=3)
    sums = costs.read(tmp_path / "servers.jsonl")
    assert (sums["module"]["seconds"], sums["module"]["count"]) == (0.75, 2)
    assert (sums["playbook"]["count"], sums["playbook"]["tasks"]) == (1, 2)
    assert (sums["database"]["count"], "sql" in sums) == (1, False)
    assert costs.main() == 0
    lint, servers = capsys.readouterr().out.splitlines()[1:]
    assert lint.split()[:3] == ["lint", "3", "60"]
    assert servers.split()[-1] == "2"


def test_without_a_stage_nothing_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "COSTS", tmp_path)
    monkeypatch.delenv(costs.STAGE, raising=False)
    costs.note("module", 1.0)
    assert list(tmp_path.iterdir()) == []
