"""`jsonl-audit types`: which types of events there are, and what is in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from jsonl_audit.cli.colours import Paint, wanted
from jsonl_audit.cli.options import color_option
from jsonl_audit.cli.streams import Output, say
from jsonl_audit.cli.visible import cut, json_on_terminal, json_text, padded, visible, width

if TYPE_CHECKING:
    from jsonl_audit.events import Detail, EventType

EXAMPLES = """\
\b
Examples:
  jsonl-audit types
  jsonl-audit types 'auth.*'
  jsonl-audit types tool.execute
  jsonl-audit types tool.execute --json-schema > tool.execute.json
  jsonl-audit types --json | jq -r '.[] | select(.retention == "security").name'
"""


@click.command(epilog=EXAMPLES)
@click.argument("pattern", required=False, metavar="[NAME|GLOB]")
@click.option("--json", "as_json", is_flag=True, help="As JSON: an array of types, one object for a NAME.")
@click.option("--json-schema", "as_schema", is_flag=True, help="The JSON Schema of the type that NAME is.")
@color_option
def command(pattern: str | None, as_json: bool, as_schema: bool, color: str) -> int:
    """Show the catalogue of events: each type with its level, its class of retention and what it means.

    With a NAME, that type: its details, which of them it needs, of which kind they are, and an example. Where no type
    has such a name the exit status is 1.
    """
    from jsonl_audit.events import get, json_schema, types

    if as_schema and (pattern is None or as_json):
        raise click.UsageError("--json-schema is of one type: jsonl-audit types NAME --json-schema")
    one = None if pattern is None else get(pattern)
    found = types("*" if pattern is None else pattern)
    if not found or (as_schema and one is None):
        say(f"there is no type {visible(pattern or '')}{_near(pattern or '')}")
        return 1
    out = Output()
    if as_schema and one is not None:
        _json(out, json_schema(one))
    elif as_json:
        _json(out, _facts(one) if one is not None else [_facts(kind) for kind in found])
    else:
        paint = Paint(wanted(color, terminal=out.terminal))
        if one is not None:
            _explain(one, out, paint)
        else:
            _list(found, out, paint)
    out.flush()
    return 0


def _near(name: str) -> str:
    import difflib

    from jsonl_audit.events import types

    near = difflib.get_close_matches(name, [kind.name for kind in types()], 1, 0.5)
    return f"; did you mean {near[0]}?" if near else "; jsonl-audit types shows all"


def _json(out: Output, value: Any) -> None:
    text = json_text(value, indent=True)
    out.write(json_on_terminal(text) if out.terminal else text)


def _facts(kind: EventType) -> dict[str, Any]:
    from jsonl_audit.events.schema import example_of

    return {
        "name": kind.name,
        "description": kind.description,
        "level": kind.level,
        "retention": kind.retention,
        "version": kind.version,
        "outcome": kind.outcome if isinstance(kind.outcome, str) else None,
        "outcome_by": None if kind.outcome is None or isinstance(kind.outcome, str) else kind.outcome.detail,
        "needs": list(kind.needs),
        "details": {
            name: {"required": name in kind.required, "kind": _kind(detail), "meaning": detail.meaning}
            for name, detail in kind.details.items()
        },
        "example": example_of(kind),
    }


def _list(found: Sequence[EventType], out: Output, paint: Paint) -> None:
    widest = max(width(kind.name) for kind in found)
    for kind in found:
        head = f"{padded(kind.name, widest)}  {paint.level(padded(kind.level, 8))}  {padded(kind.retention, 8)}"
        room = None if out.columns is None else max(out.columns - widest - 22, 20)
        told = kind.description if room is None else cut(kind.description, room)
        out.line(f"{head}  {paint.dim(told)}")


def _explain(kind: EventType, out: Output, paint: Paint) -> None:
    from jsonl_audit.events.constructors import function_name, parameters_of
    from jsonl_audit.events.schema import example_of

    out.line(paint.bold(kind.name))
    out.line(kind.description)
    out.line("")
    outcome = "said by the event" if kind.outcome is None else kind.outcome
    if not isinstance(outcome, str):
        outcome = f"by {outcome.detail}"
    needed = [f"{name}=…" for name, required in parameters_of(kind).items() if required]
    facts = [
        ("level", paint.level(kind.level)), ("retention", kind.retention), ("outcome", outcome),
        ("version", str(kind.version)), ("needs", ", ".join(kind.needs)),
        ("python", f"events.{function_name(kind)}({', '.join([*needed, '…'])})"),
    ]  # fmt: skip
    for name, value in facts:
        if value:
            out.line(f"{paint.dim(padded(name, 10))} {value}")
    if kind.details:
        out.line("")
        rows = [("detail", "", "kind", "meaning")] + [
            (name, "required" if name in kind.required else "", _kind(detail), detail.meaning)
            for name, detail in kind.details.items()
        ]
        widths = [max(width(row[at]) for row in rows) for at in range(3)]
        for number, row in enumerate(rows):
            text = "  ".join([*map(padded, row[:3], widths), row[3]]).rstrip()
            out.line(paint.bold(text) if number == 0 else text)
    out.line("")
    out.line(json_text(example_of(kind)).decode().rstrip("\n"))


def _kind(detail: Detail) -> str:
    return " or ".join(detail.words or detail.kind.split("|"))
