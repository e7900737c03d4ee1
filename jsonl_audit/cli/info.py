"""`jsonl-audit info`: figures about a log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click
import orjson

from jsonl_audit.cli.colours import Paint, wanted
from jsonl_audit.cli.options import color_option, log_path, path_argument
from jsonl_audit.cli.streams import Output, say
from jsonl_audit.cli.visible import human_size, json_on_terminal, json_text, padded, visible, width

if TYPE_CHECKING:
    from jsonl_audit.reader import Info

EXAMPLES = """\
\b
Examples:
  jsonl-audit info
  jsonl-audit info --no-types /var/log/gateway
  jsonl-audit info --json | jq -r .head
"""
_SHOWN_TYPES = 20


@click.command(epilog=EXAMPLES)
@path_argument
@click.option("--types/--no-types", default=True, show_default=True, help="Count the records of each type: reads all.")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
@color_option
def command(path: str | None, types: bool, as_json: bool, color: str) -> int:
    """Show segments, sizes, ranges of seq and time, the head, and how many records there are of each type.

    The head, noted elsewhere, is what a later verification can be compared with. This only reads; `verify` checks.
    """
    from jsonl_audit.reader import info

    found = info(log_path(path), types=types, on_damage=lambda notice: say(str(notice)))
    out = Output()
    if as_json:
        text = json_text(found.to_dict(), indent=True)
        out.write(json_on_terminal(text) if out.terminal else text)
    else:
        _show(found, out, Paint(wanted(color, terminal=out.terminal)))
    out.flush()
    return 0


def _show(found: Info, out: Output, paint: Paint) -> None:
    facts = [("log", visible(found.path)), ("id", found.log or "not known")]
    if found.records is not None:
        facts.append(("records", f"{found.records:,}"))
    if found.last_seq is not None:
        facts.append(("seq", f"{found.first_seq} to {found.last_seq}"))
        facts.append(("committed", f"{found.first_ts} to {found.last_ts}"))
    if found.purged_through is not None:
        facts.append(("purged", f"up to seq {found.purged_through}"))
    count = len(found.segments)
    facts.append(("size", f"{human_size(found.size)} in {count:,} segment{'s' * (count != 1)}"))
    if found.head is not None:
        facts.append(("head", found.head))
    if found.settings is not None:
        told = (f"{name}={_value(value)}" for name, value in found.settings.items())
        facts.append(("settings", visible(" ".join(told))))
    for name, value in facts:
        out.line(f"{paint.dim(padded(name, 10))} {value}")
    out.line("")
    rows = [("segment", "file", "size", "seq", "last committed", "")]
    for each in found.segments:
        span = "no record" if each.last_seq is None else f"{each.first_seq} to {each.last_seq}"
        number = "?" if each.number is None else str(each.number)
        state = "active" if each.active else "sealed"
        rows.append((number, visible(each.name), human_size(each.size), span, each.last_ts or "", state))
    _columns(rows, out, paint, right=(0, 2))
    if found.types:
        out.line("")
        counted = [*found.types.items()]
        kinds = [("records", "type"), *((f"{number:,}", name) for name, number in counted[:_SHOWN_TYPES])]
        _columns(kinds, out, paint, right=(0,))
        if len(counted) > _SHOWN_TYPES:
            out.line(paint.dim(f"and {len(counted) - _SHOWN_TYPES:,} types more: --json has them all"))


def _value(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _columns(rows: Sequence[tuple[str, ...]], out: Output, paint: Paint, *, right: tuple[int, ...]) -> None:
    widths = [max(width(row[at]) for row in rows) for at in range(len(rows[0]))]
    for number, row in enumerate(rows):
        cells = [
            " " * (widths[at] - width(cell)) + cell if at in right else padded(cell, widths[at])
            for at, cell in enumerate(row)
        ]
        text = "  ".join(cells).rstrip()
        out.line(paint.bold(text) if number == 0 else text)
