"""What `make check` chooses: linters for the files that changed, and one capability's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import check


def test_a_changed_file_is_linted_by_what_knows_its_kind() -> None:
    files = [Path("plugins/modules/write_fence.py"), Path("roles/contain/tasks/main.yml"), Path("docs/awx.md")]
    chosen = {gate.name: gate.argv for gate in check.lint(files)}
    assert set(chosen) == {"ruff check", "ruff format", "mypy", "yamllint", "ansible-lint"}
    # By the name that its imports use.
    assert chosen["mypy"][1].endswith("chatia/kanban_rollback/plugins/modules/write_fence.py")
    assert chosen["ansible-lint"][-1] == chosen["yamllint"][-1] == "roles/contain/tasks/main.yml"
    assert check.lint([Path("docs/awx.md")]) == []


def test_the_tests_of_a_capability_are_the_pure_ones_and_those_with_servers() -> None:
    pure, with_servers = check.tests("fence")
    assert pure[0].startswith(".venv-unit/")
    assert "tests/unit/test_fencescope.py" in pure
    assert with_servers[0].startswith(".venv/")
    assert "tests/integration/test_fence_drain.py" in with_servers
    assert check.tests("no_such_capability") == []


def test_a_word_that_names_no_test_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        check.main(["no_such_capability"])
    assert "no test file is named test_*no_such_capability*.py" in capsys.readouterr().err
