"""Write the questions of AWX's surveys, `roles/awx/files/surveys.yml`, from the argument specs: `-m tools.surveys`.

`job_templates.yml` and `workflows.yml` there say which variables a survey asks for; only
`roles/profile/meta/argument_specs.yml` says what each is called, what it means and what may be answered. No question
has a default: AWX hands a default on as if it had been answered, so it would win over the inventory.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.gates import ROOT

DATA = ROOT / "roles/awx/files"
SPECS = ROOT / "roles/profile/meta/argument_specs.yml"
TARGET = DATA / "surveys.yml"
HEAD = """\
---
# Written by `make awx` from roles/profile/meta/argument_specs.yml, by the names that job_templates.yml and
# workflows.yml list. Change those, not this: a test compares them.
"""
# AWX has no booleans, and takes a choice as text; the roles read the text as its meaning.
_TYPES = {"str": "text", "int": "integer", "float": "float", "bool": "multiplechoice"}
_MARKUP = re.compile(r"\b[A-Z]\(([^()]*)\)")
_LONGEST = 1024


class _Loader(yaml.SafeLoader):
    """Reads Ansible's data: text that is marked as not a template is plain text here."""


yaml.add_constructor("!unsafe", lambda _loader, node: str(node.value), Loader=_Loader)


def loaded(text: str) -> Any:
    """Return the contents of Ansible's YAML."""
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader  # nosec B506


def read(path: Path) -> Any:
    """Return the contents of a YAML file of Ansible's."""
    return loaded(path.read_text(encoding="utf-8"))


def options() -> dict[str, Any]:
    """Return the profile's argument specs by variable."""
    found: dict[str, Any] = read(SPECS)["argument_specs"]["main"]["options"]
    return found


def plain(text: str) -> str:
    """Return a description without its markup: C(x), O(x) and the like become x."""
    return " ".join(_MARKUP.sub(lambda found: found[1].partition("#")[0], text).split())


def question(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return one question; raises ValueError for a variable that cannot be asked for, or must not be."""
    if spec.get("no_log"):
        raise ValueError(f"{name} is a secret: AWX shows extra variables, so it belongs to a credential")
    described = spec["description"] if isinstance(spec["description"], str) else " ".join(spec["description"])
    described = plain(described)
    title, _dot, more = described.partition(". ")
    choices = [str(choice) for choice in spec.get("choices", []) if choice != ""]
    many = spec["type"] == "list" and spec.get("elements") == "str" and choices
    if not many and spec["type"] not in _TYPES:
        raise ValueError(f"{name} is a {spec['type']}, for which a survey has no question")
    if spec["type"] == "bool":
        choices = ["true", "false"]
    kind = "multiselect" if many else "multiplechoice" if choices else _TYPES[spec["type"]]
    usual = spec.get("default")
    usual = {True: "true", False: "false"}.get(usual, usual) if isinstance(usual, bool) else usual
    # What is read before any inventory says so in its description.
    where = "" if "(extra vars)" in described else "what the inventory says, or "
    hint = "" if usual in (None, "", []) else f"Left open it is {where}{usual}."
    found = {
        "question_name": title.rstrip("."),
        "question_description": " ".join(part for part in (more, hint, f"({name})") if part),
        "required": bool(spec.get("required", False)),
        "type": kind,
        "variable": name,
    }
    if choices:
        found["choices"] = choices
    if kind == "text":
        found.update(min=0, max=_LONGEST)
    return found


def survey(template: Mapping[str, Any], specs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the survey of a template, in AWX's form. Raises KeyError for a variable that the specs do not have."""
    asked: Sequence[str] = template["survey"]
    return {
        "name": f"Survey of {template['name']}",
        "description": "By chatia.kanban_rollback; what is left open is left to the inventory",
        "spec": [question(name, specs[name]) for name in asked],
    }


def surveys() -> dict[str, Any]:
    """Return all surveys by the names of their templates."""
    specs = options()
    templates = [
        *read(DATA / "job_templates.yml")["awx_job_templates"],
        *read(DATA / "workflows.yml")["awx_workflows"],
    ]
    return {one["name"]: survey(one, specs) for one in templates if one.get("survey")}


class _Dumper(yaml.SafeDumper):
    """Writes lists one step further in than the key above them, as the linters require."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write each question out, wherever it occurs."""
        return True


def text() -> str:
    """Return the contents that `roles/awx/files/surveys.yml` must have."""
    body = {"awx_surveys": surveys()}
    return HEAD + yaml.dump(body, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def main() -> int:
    """Write the file if it differs, and return an exit status."""
    wanted = text()
    if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != wanted:
        TARGET.write_text(wanted, encoding="utf-8")
        print(f"written: {TARGET.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
