"""`jsonl-audit get`: one record."""

from __future__ import annotations

from typing import Any

import click
import orjson

from jsonl_audit import record
from jsonl_audit.cli.options import form_of, form_options, log_path
from jsonl_audit.cli.streams import say
from jsonl_audit.cli.visible import json_on_terminal

EXAMPLES = """\
\b
Examples:
  jsonl-audit get 42
  jsonl-audit get audit.jsonl 01a1fc22-d033-7de4-b737-9edb8c0fc94d
  jsonl-audit get 42 -o jsonl | head -c -76 | b3sum
"""


@click.command(epilog=EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="[PATH] SEQ|ID")
@form_options("json")
def command(words: tuple[str, ...], **options: Any) -> int:
    """Show the record with this seq, or this id.

    As an indented JSON object unless -o says otherwise; -o jsonl prints the line as it stands on disk. Where there is
    no such record the exit status is 1.
    """
    from jsonl_audit.accessed import get_line

    if len(words) > 2:
        raise click.UsageError("one record at a time: [PATH] SEQ|ID")
    path, which = (words[0] if len(words) == 2 else None), words[-1]
    indented = options["output"] == "json"
    form = form_of(options)
    named = log_path(path)
    line = get_line(named, which, on_damage=lambda notice: say(str(notice)))
    if line is None:
        say(f"{named}: there is no record {which}")
        return 1
    if indented:
        text = orjson.dumps(record.decode(line), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        form.out.write(json_on_terminal(text) if form.out.terminal else text)
        form.flush()
    else:
        form.put(line)
        form.end()
    return 0
