"""What goes into the image and into a fleet: pure functions, for which no host is needed."""

import json
import shutil
from pathlib import Path

import pytest

from tests.hosts import image, sources
from tests.hosts.composition import composition
from tests.hosts.machine import RECIPE, HostsError


def test_the_image_is_named_after_its_recipe(tmp_path: Path) -> None:
    recipe = shutil.copytree(RECIPE, tmp_path / "recipe")
    assert image.recipe_hash(recipe) == image.recipe_hash()
    for name in ("packages.txt", "package-lock.json"):
        before = image.recipe_hash(recipe)
        with (recipe / name).open("a") as file:
            file.write("\n")
        assert image.recipe_hash(recipe) != before


def test_the_directory_of_an_image_of_one_layer_is_read() -> None:
    said = {"Name": "overlay2", "Data": {"MergedDir": "/m", "UpperDir": "/layer/diff", "WorkDir": "/w"}}
    assert image.directory("hosts:1", json.dumps(said)) == "/layer/diff"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        # As Docker's containerd image store tells it, older and newer.
        ({"Name": "overlayfs", "Data": None}, "overlayfs"),
        (None, "no driver"),
        ({"Name": "vfs", "Data": {"dir": "/d"}}, "vfs"),
        ({"Name": "overlay2", "Data": {"UpperDir": "/u", "LowerDir": "/l"}}, "overlay2"),
    ],
)
def test_where_an_image_is_not_one_directory_it_is_said_what_is_needed(said: object, told: str) -> None:
    with pytest.raises(HostsError, match=rf"hosts:1 is not one directory.*containerd image store; it says {told}$"):
        image.directory("hosts:1", json.dumps(said))


def test_only_apt_sources_with_a_web_address_go_into_the_image() -> None:
    listed = """\
# deb http://commented.invalid stable main
deb [signed-by=/usr/share/keyrings/a.gpg] https://kept.invalid/debian stable main
deb-src https://source.invalid/debian stable main
deb cdrom:[Debian]/ stable main
deb file:/usr/share/local ./
"""
    assert sources.one_line(listed) == [
        "deb [signed-by=/usr/share/keyrings/a.gpg] https://kept.invalid/debian stable main\n"
    ]
    stanzas = """\
# A comment
Types: deb deb-src
URIs: http://kept.invalid/debian
Suites: stable
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .

Types: deb
URIs: file:/usr/share/local
Suites: ./

Types: deb
Enabled: no
URIs: http://disabled.invalid
Suites: ./
"""
    kept = sources.deb822(stanzas)
    assert [stanza.splitlines()[1] for stanza in kept] == ["URIs: http://kept.invalid/debian"]
    assert kept[0].endswith("BLOCK-----\n .\n")


def test_an_unknown_optional_host_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"db9.*there is db3"):
        composition("db3", "db9")
