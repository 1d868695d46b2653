# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is verified as docs/releasing.md says, and what was changed since is refused."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.documents import started
from tests.documents.commands import ROOT, commands_of
from tests.playbooks.runner import environment
from tools import release

PAGE = (ROOT / "docs/releasing.md").read_text(encoding="utf-8")
GPG = ["gpg", "--batch", "--quiet"]


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The fingerprint of a key in a keyring of its own."""
    # The path of the agent's socket has to be short.
    with tempfile.TemporaryDirectory(prefix="gpg-") as home:
        monkeypatch.setenv("GNUPGHOME", home)
        made = [*GPG, "--passphrase", "", "--quick-generate-key", "release@example.com", "ed25519", "sign", "never"]
        try:
            subprocess.run(made, check=True, timeout=60, capture_output=True)
            listed = subprocess.check_output([*GPG, "--with-colons", "-K"], timeout=60, text=True)
            yield re.findall(r"^fpr:+(\w{40}):", listed, re.MULTILINE)[0]
        finally:
            subprocess.run(["gpgconf", "--kill", "all"], check=True, timeout=60)


def type_line(line: str, directory: Path) -> subprocess.CompletedProcess[str]:
    """Type a line beside the downloaded files, as a reader who has another home and reaches no Galaxy."""
    env = environment(HOME=str(directory), PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    for name in ("ANSIBLE_HOME", "GNUPGHOME"):
        env.pop(name, None)
    return started.run_line(line, directory, env={**env, "ANSIBLE_GALAXY_SERVER": "https://127.0.0.1:1"})


def test_what_is_signed_is_verified_and_what_was_changed_is_refused(tmp_path: Path, key: str) -> None:
    told = release.make(tmp_path, key)
    assert told.startswith(f"Signed by {key}: ")
    (tmp_path / ".gnupg").mkdir(mode=0o700)
    exported = subprocess.run([*GPG, "--export", key], check=True, timeout=60, capture_output=True).stdout
    (tmp_path / "release.gpg").write_bytes(exported)
    lines = list(commands_of(f"```shell{PAGE.partition('## Verify a release')[2].partition('```shell')[2]}"))
    assert [line.split()[0] for line in lines] == ["gpg", "sha256sum", "ansible-galaxy", "ansible-galaxy"]
    for line in lines:
        done = type_line(line, tmp_path)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
    signatures, sums, install, verify = lines
    ours = tmp_path / ".ansible/collections/ansible_collections/chatia/kanban_rollback"

    # A file that was changed after it was installed.
    with (ours / "playbooks/scenario3.yml").open("a") as installed:
        installed.write("# Changed\n")
    done = type_line(verify, tmp_path)
    assert (done.returncode != 0, "playbooks/scenario3.yml" in done.stdout) == (True, True), done.stdout + done.stderr

    # A tarball that was changed and is consistent in itself: only the signatures show it.
    (tarball,) = tmp_path.glob("*.tar.gz")
    tampered(tarball)
    assert type_line(f"{install} --force", tmp_path).returncode == 0
    done = type_line(verify, tmp_path)
    assert (done.returncode != 0, "Signature verification failed" in done.stdout) == (True, True), done.stdout
    assert type_line(sums, tmp_path).returncode != 0
    # Checksums that were made again for it.
    (tmp_path / "SHA256SUMS").write_text(subprocess.check_output(["sha256sum", tarball.name], cwd=tmp_path, text=True))
    assert type_line(sums, tmp_path).returncode == 0
    assert type_line(signatures, tmp_path).returncode != 0


def tampered(tarball: Path) -> None:
    """Change the description in a tarball's MANIFEST.json."""
    with tarfile.open(tarball) as packed:
        members = [(one, file.read() if (file := packed.extractfile(one)) else None) for one in packed.getmembers()]
    with tarfile.open(tarball, "w:gz") as packed:
        for one, data in members:
            changed = data.replace(b"Stop, repair", b"Keep, repair") if data and one.name == "MANIFEST.json" else data
            assert (changed == data) == (one.name != "MANIFEST.json")
            packed.addfile(one, io.BytesIO(changed) if changed is not None else None)


def test_without_a_key_nothing_is_signed_and_what_is_no_fingerprint_is_repeated_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "CACHE", tmp_path)
    monkeypatch.delenv(release.KEY, raising=False)
    assert release.main() == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("NOT SIGNED: set KANBAN_SIGNING_KEY")
    dist = tmp_path / "dist"
    assert sorted(path.suffix for path in dist.iterdir()) == ["", ".gz", ".json"]

    secret = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
    monkeypatch.setenv(release.KEY, secret)
    assert release.main() == 1
    captured = capsys.readouterr()
    assert "NOT SIGNED: KANBAN_SIGNING_KEY is no fingerprint" in captured.err
    assert "PRIVATE" not in captured.out + captured.err
    assert not dist.exists()


def test_gpg_says_why_it_does_not_sign(key: str) -> None:
    other = f"{'0' * 8}{key[8:]}"
    with pytest.raises(release.NotSigned, match="No secret key"):
        release.sign(b"", other)


def test_the_sbom_fits_its_schema_and_has_what_is_required(tmp_path: Path) -> None:
    cyclonedx = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    validator = cyclonedx.JsonStrictValidator(schema.SchemaVersion.V1_7)
    tarball = tmp_path / "x.tar.gz"
    tarball.write_bytes(b"x")
    bill = release.sbom(tarball)
    assert validator.validate_str(json.dumps(bill)) is None
    assert validator.validate_str(json.dumps({**bill, "components": [{"name": "x"}]})) is not None
    ranges = {one["name"]: one.get("versionRange") for one in bill["components"]}
    core = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["requires_ansible"]
    assert ranges.keys() >= {"psycopg2-binary", "redis", "openssh-client", "python3-psycopg2", "python3-redis"}
    assert ranges["ansible-core"] == f"vers:pypi/{core}"
    assert ranges["community.postgresql"] == "vers:generic/>=3.10.0"
    assert bill["dependencies"][0]["dependsOn"] == sorted(one["bom-ref"] for one in bill["components"])
