"""Writes what follows from the catalogue of events: the page of the types, their JSON Schemas, the typed signatures.

python docs/generate_types.py            writes them: types.md, schemas/*.json, and jsonl_audit/events/__init__.pyi
python docs/generate_types.py --check    says whether the committed files are up to date
"""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

from jsonl_audit.events.catalogue import CHAPTERS
from jsonl_audit.events.constructors import COMMON, function_name, parameters_of
from jsonl_audit.events.details import Detail
from jsonl_audit.events.kinds import EventType, OutcomeOf
from jsonl_audit.events.schema import example_of, json_schema
from jsonl_audit.spelling import twins

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "reference" / "types.md"
SCHEMAS = REPOSITORY / "docs" / "schemas"
STUB = REPOSITORY / "jsonl_audit" / "events" / "__init__.pyi"
KINDS = [kind for chapter in CHAPTERS.values() for kind in chapter]

INTRODUCTION = """\
# Types of events

<!-- Written by docs/generate_types.py from the catalogue itself: do not edit. -->

Every type that comes with the package: what it means, its level, its class of retention, its outcome, and its
details. A required detail may also stand at the top level of an event; what a type does not name is free. Both
spellings of a name are understood (`taskId`, `task_id`). Each type has a function that makes an event of it
(`tool.execute` is made by `events.tool_execute(…)`) and a [JSON Schema](https://json-schema.org/draft/2020-12), in
`docs/schemas/`. `jsonl-audit types NAME` says the same in a terminal. [Events](events.md) has the fields that all
types share, [the how-to](../howto/events.md) types of your own.
"""

PYTHON = {
    "string": "str", "integer": "int", "number": "float", "boolean": "bool", "object": "Mapping[str, Any]",
    "array": "Sequence[Any]", "strings": "Sequence[str]", "time": "str | float | datetime", "any": "Any",
}  # fmt: skip
COMMON_TYPES = {
    "actor": "Actor | Mapping[str, Any] | str | int", "target": "Target | Mapping[str, Any] | str | int",
    "user": "str | int", "profile": "str | int", "outcome": "str | bool", "reason": "str", "task": "str | int",
    "session": "str | int", "correlation": "str | int", "parent": "str | int", "component": "str", "tool": "str | int",
    "level": "str", "time": "str | float | datetime", "details": "Mapping[str, Any]",
    "artifacts": "Sequence[Mapping[str, Any]]",
}  # fmt: skip

_TIED = "\N{NO-BREAK SPACE}"
STUB_HEAD = '''\
# Written by docs/generate_types.py from the catalogue itself: do not edit.
# What a type checker and an editor know of the functions that make events; they are made when they are first used.

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from jsonl_audit.events.details import Detail as Detail
from jsonl_audit.events.hashed import hash_of as hash_of
from jsonl_audit.events.kinds import EventType as EventType
from jsonl_audit.events.kinds import Hashed as Hashed
from jsonl_audit.events.kinds import OutcomeOf as OutcomeOf
from jsonl_audit.events.model import AuditEvent as AuditEvent
from jsonl_audit.events.parties import Actor as Actor
from jsonl_audit.events.parties import Target as Target
from jsonl_audit.events.prepare import prepared as prepared
from jsonl_audit.events.registry import get as get
from jsonl_audit.events.registry import register as register
from jsonl_audit.events.registry import types as types
from jsonl_audit.events.schema import json_schema as json_schema
from jsonl_audit.events.versions import upgraded as upgraded
'''


def page() -> str:
    """The page of all types, ending in one newline."""
    parts = [INTRODUCTION]
    for title, chapter in CHAPTERS.items():
        parts += [f"## {title}\n", "| type | level | retention | |\n|---|---|---|---|"]
        parts[-1] += "".join(
            f"\n| [`{kind.name}`](#{_anchor(kind)}) | {kind.level} | {kind.retention} | {kind.description} |"
            for kind in chapter
        )
        parts.append("")
        parts += [_section(kind) for kind in chapter]
    return "\n".join(parts).rstrip("\n") + "\n"


def _anchor(kind: EventType) -> str:
    return kind.name.replace(".", "")


def _section(kind: EventType) -> str:
    lines = [f"### {kind.name}\n", f"{kind.description} {_facts(kind)}\n"]
    if kind.details:
        lines.append("| detail | | kind | meaning |\n|---|---|---|---|")
        lines += [_row(name, detail, name in kind.required) for name, detail in kind.details.items()]
        lines.append("")
    for hashed in kind.hashed:
        names = " or ".join(f"`{name}`" for name in hashed.of)
        lines.append(f"A text given as {names} is recorded as `{hashed.name}_hash` and `{hashed.name}_length`.\n")
    lines.append(f"```json\n{json.dumps(example_of(kind), indent=2, ensure_ascii=False)}\n```\n")
    return "\n".join(lines)


def _facts(kind: EventType) -> str:
    facts = [f"Level `{kind.level}`", f"retention `{kind.retention}`"]
    if isinstance(kind.outcome, OutcomeOf):
        facts.append(f"outcome by `{kind.outcome.detail}`")
    elif kind.outcome:
        facts.append(f"outcome `{kind.outcome}`")
    facts += [f"needs a `{name}`" for name in kind.needs]
    return f"{', '.join(facts)}; made by `events.{function_name(kind)}(…)`. [JSON Schema](../schemas/{kind.name}.json)"


def _row(name: str, detail: Detail, required: bool) -> str:
    if detail.words:
        kind = " or ".join(f"`{word}`" for word in detail.words)
    else:
        kind = " or ".join(detail.kind.split("|"))
    return f"| `{name}` | {'required' if required else ''} | {kind} | {detail.meaning} |"


def schemas() -> dict[str, str]:
    """By the name of its file, each JSON Schema."""
    return {f"{kind.name}.json": json.dumps(json_schema(kind), indent=2) + "\n" for kind in KINDS}


def stub() -> str:
    """The typed signatures of all functions."""
    return "\n".join([STUB_HEAD, *map(_function, KINDS)])


def _function(kind: EventType) -> str:
    details = {twin: detail for name, detail in kind.details.items() for twin in twins(name)} | kind.details
    own = {}
    for name, required in parameters_of(kind).items():
        if name in details:
            annotation = _annotation(details[name])
        elif name == "key":
            annotation = "bytes"
        else:
            annotation = COMMON_TYPES.get(name, "Any") if name in COMMON else "Any"
        if annotation == "Any":
            own[name] = f"{name}: Any" + ("" if required else " = None")
        else:
            own[name] = f"{name}: {annotation}" + ("" if required else " | None = None")
    text = " ".join(f"{each.replace(' ', _TIED)}," for each in ["*", *own.values()])
    lines = [f"    {line}" for line in textwrap.wrap(text, 112, break_on_hyphens=False)]
    lines = [line.replace(_TIED, " ") for line in lines]
    return "\n".join(
        [f"def {function_name(kind)}(", *lines, ") -> AuditEvent:", f'    """`{kind.name}`: {kind.description}"""', ""]
    )


def _annotation(detail: Detail) -> str:
    if detail.words:
        return f"Literal[{', '.join(json.dumps(word) for word in detail.words)}]"
    kinds = [PYTHON[kind] for kind in detail.kind.split("|")]
    return "Any" if "Any" in kinds else " | ".join(dict.fromkeys(kinds))


def outputs() -> dict[Path, str]:
    """Every file that is written, and what is in it."""
    return {PAGE: page(), STUB: stub(), **{SCHEMAS / name: text for name, text in schemas().items()}}


def main() -> int:
    wanted = outputs()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text("utf-8") != text]
    stale += [path for path in SCHEMAS.glob("*.json") if path not in wanted]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path} is not up to date: run `python docs/generate_types.py`", file=sys.stderr)
        return 1 if stale else 0
    SCHEMAS.mkdir(exist_ok=True)
    for path in stale:
        if path in wanted:
            path.write_text(wanted[path], "utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
