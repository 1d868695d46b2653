"""Build a release (tarball, SBOM, checksums, signatures by your key) in `.cache/dist`: `python -m tools.release`."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tools.gates import CACHE, ROOT, environment
from tools.tree import NAME, NAMESPACE, build, collection_copy

KEY = "KANBAN_SIGNING_KEY"
CONTROLLER, HOSTS = "controller", "hosts"
# A person types a passphrase meanwhile.
_SIGNING_SECONDS = 300


class NotSigned(Exception):
    """A signature was asked for and could not be made."""


def _yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def _lines(name: str) -> list[str]:
    return [line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]


def _component(purl: str, where: str, versions: str = "", built_with: str = "") -> dict[str, Any]:
    """Return something that the collection needs and does not contain.

    :param versions: the range as it is required, such as ``>=2.9``.
    :param built_with: the version in the execution environment.
    """
    kind, _, name = purl.removeprefix("pkg:").partition("/")
    told = {"needed-on": where, "execution-environment": built_with}
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name.rpartition("/")[2],
        "purl": purl,
        "isExternal": True,
        **({"versionRange": f"vers:{kind}/{versions.replace(',', '|')}"} if versions else {}),
        "properties": [{"name": f"{NAMESPACE}:{NAME}:{what}", "value": value} for what, value in told.items() if value],
    }


def needs() -> Iterator[dict[str, Any]]:
    """Yield what is needed on controller and hosts, from the files that Ansible, its builder and bootstrap.yml read."""
    image = _yaml("extensions/ee/execution-environment.yml")["dependencies"]
    pins = dict(pin.split("==") for pin in (image["ansible_core"]["package_pip"], *image["python"]))
    pins |= {one["name"]: one["version"] for one in image["galaxy"]["collections"] if "version" in one}
    core = _yaml("meta/runtime.yml")["requires_ansible"]
    yield _component("pkg:pypi/ansible-core", CONTROLLER, core, pins["ansible-core"])
    for name, versions in _yaml("galaxy.yml")["dependencies"].items():
        yield _component(f"pkg:generic/{name}", CONTROLLER, versions, pins[name])
    for line in _lines("meta/ee-requirements.txt"):
        name, versions = re.fullmatch(r"([\w.-]+)(\S*)", line).groups()  # type: ignore[union-attr]
        yield _component(f"pkg:pypi/{name}", CONTROLLER, versions, pins[name])
    for line in _lines("meta/ee-bindep.txt"):
        name, package = re.fullmatch(r"(\S+) \[platform:(\w+)\]", line).groups()  # type: ignore[union-attr]
        yield _component(f"pkg:deb/debian/{name}" if package == "dpkg" else f"pkg:rpm/redhat/{name}", CONTROLLER)
    for variable, name in _yaml("roles/bootstrap/defaults/main.yml").items():
        if variable.endswith("_package"):
            yield _component(f"pkg:deb/debian/{name}", HOSTS)


def sbom(tarball: Path) -> dict[str, Any]:
    """Return the bill of materials of a tarball, in CycloneDX 1.7; the same tarball has the same one."""
    galaxy = _yaml("galaxy.yml")
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    purl = f"pkg:generic/{NAMESPACE}.{NAME}@{galaxy['version']}"
    found = list(needs())
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, digest).urn,
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": purl,
                "group": NAMESPACE,
                "name": NAME,
                "version": galaxy["version"],
                "description": galaxy["description"],
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "licenses": [{"license": {"id": name}} for name in galaxy["license"]],
                "purl": purl,
                "externalReferences": [{"type": "vcs", "url": galaxy["repository"]}],
            }
        },
        "components": found,
        "dependencies": [{"ref": purl, "dependsOn": sorted(one["bom-ref"] for one in found)}],
    }


def sign(data: bytes, key: str) -> str:
    """Return an armored detached signature by a key of the caller's keyring. Raises NotSigned.

    :param key: the fingerprint. GnuPG's agent has the key and asks for its passphrase; neither passes through here.
    """
    # What is no fingerprint may be the key itself: it goes into no argument and no message.
    if not re.fullmatch(r"[0-9A-Fa-f]{40}", key):
        raise NotSigned(f"{KEY} is no fingerprint (40 hexadecimal digits); gpg --list-secret-keys shows it")
    argv = ["gpg", "--batch", "--armor", "--detach-sign", "--local-user", key]
    try:
        done = subprocess.run(  # noqa: S603
            argv, input=data, capture_output=True, check=False, env=environment(), timeout=_SIGNING_SECONDS
        )
    except FileNotFoundError:
        raise NotSigned("gpg is not installed: apt-get install gnupg") from None
    except subprocess.TimeoutExpired:
        raise NotSigned(f"gpg has not signed within {_SIGNING_SECONDS} s") from None
    if done.returncode:
        raise NotSigned(done.stderr.decode(errors="replace").strip().replace("\n", "; "))
    return done.stdout.decode()


def make(dist: Path, key: str) -> str:
    """Build all files of a release into a directory, which is emptied, and return the last line to print.

    Raises NotSigned if there is a key and no signature; the directory is then gone.
    """
    with collection_copy() as copy:
        tarball = build(copy, dist)
    stem = tarball.name.removesuffix(".tar.gz")
    bill, sums = dist / f"{stem}.cdx.json", dist / "SHA256SUMS"
    bill.write_text(json.dumps(sbom(tarball), indent=2) + "\n", encoding="utf-8")
    sums.write_text("".join(f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}\n" for one in (tarball, bill)))
    if not key:
        return f"NOT SIGNED: set {KEY} to the fingerprint of your key"
    with tarfile.open(tarball) as packed:
        manifest = packed.extractfile("MANIFEST.json")
        signed = {f"{stem}.MANIFEST.json": manifest.read() if manifest else b"", sums.name: sums.read_bytes()}
    try:
        for name, data in signed.items():
            (dist / f"{name}.asc").write_text(sign(data, key))
    except NotSigned:
        shutil.rmtree(dist)
        raise
    return f"Signed by {key}: {', '.join(signed)}"


def main() -> int:
    """Build the release, say whether it is signed, and return an exit status."""
    try:
        print(make(CACHE / "dist", os.environ.get(KEY, "")))
    except NotSigned as error:
        print(f"NOT SIGNED: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
