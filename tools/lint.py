"""All static checks: `python -m tools.lint`. Each runs, even after another has failed."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.audit import audit
from tools.gates import CACHE, ROOT, Gate, run_gates
from tools.oldest import command
from tools.tree import NAME, NAMESPACE, build, collection_copy

# Through the link, so that mypy names the files as their imports do.
PLUGINS = f".ansible/collections/ansible_collections/{NAMESPACE}/{NAME}/plugins"
# What runs on hosts and controllers, and what builds that.
BANDIT = ("plugins", "playbooks/callback_plugins", "tools")
TYPED = (PLUGINS.replace("plugins", "playbooks/callback_plugins"), "tools", "tests", "molecule")


def gates(copy: Path, tarball: Path) -> list[Gate]:
    """Return the checks. `copy` is a clean copy of the collection, `tarball` the build made from it."""
    python = sys.executable
    # The playbooks' fully qualified names resolve to the copy.
    collections = {"ANSIBLE_COLLECTIONS_PATH": str(copy.parents[2])}
    oldest = command(f"{NAMESPACE}/{NAME}")
    if not oldest:
        print("lint: no Python 3.8 on this machine, so nothing is imported with it")
    return [
        *([Gate("import with Python 3.8", oldest, cwd=copy.parents[2])] if oldest else []),
        Gate("ruff check", ["ruff", "check", "."]),
        Gate("ruff format", ["ruff", "format", "--check", "--diff", "."]),
        Gate("mypy", ["mypy", PLUGINS, *TYPED]),
        # ruff covers subprocesses and low severity, and requires a reason beside each.
        Gate("bandit", ["bandit", "--quiet", "--severity-level", "medium", "--recursive", *BANDIT]),
        Gate("dependency audit", check=audit),
        Gate("prose", [python, "-m", "tools.prose"]),
        Gate("yamllint", ["yamllint", "--strict", "."]),
        # In the copy: the checkout contains environments and caches that are not the project's to lint, and the link to
        # itself. The galaxy rule requires a README and a changelog, which the copy also has.
        Gate(
            "ansible-lint",
            ["ansible-lint", "--offline", "--strict", "--profile", "production"],
            cwd=copy,
            env=collections,
        ),
        Gate("changelog fragments", ["antsibull-changelog", "lint"], cwd=copy),
        Gate(
            "documentation",
            [
                *("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--skip-rstcheck"),
                *("--validate-collection-refs", "self", "--disallow-unknown-collection-refs", "."),
            ],
            cwd=copy,
            env=collections,
        ),
        Gate(
            "galaxy-importer",
            [python, "-m", "galaxy_importer.main", str(tarball)],
            # It writes its report into its working directory.
            cwd=tarball.parent,
            # ansible-lint has already run, with this project's configuration.
            env={"GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "false"},
            forbidden=r"^(ERROR|WARNING).*",
        ),
    ]


def main() -> int:
    """Run the checks and return an exit status."""
    (CACHE / "junit" / "lint.xml").unlink(missing_ok=True)
    with collection_copy() as copy:
        return run_gates("lint", gates(copy, build(copy)))


if __name__ == "__main__":
    print(f"lint: {ROOT}")
    sys.exit(main())
