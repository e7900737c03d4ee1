"""`jsonl-audit query`: the records that fit, streamed."""

from __future__ import annotations

import re
from typing import Any

import click

from jsonl_audit.cli.options import filter_options, filters_of, form_of, form_options, log_path, path_argument
from jsonl_audit.cli.streams import Output, Progress, say

EXAMPLES = """\
\b
Examples:
  jsonl-audit query --type 'auth.*' --since yesterday
  jsonl-audit query --actor ann --outcome denied -o table
  jsonl-audit query --where details.tool=bash --where details.exit_code=1 --count
  jsonl-audit query --from 2026-11-01 --to 2026-11-30 -o csv --fields ts,type,actor.id > november.csv
  jsonl-audit query --text 'rm -rf' --reverse --limit 5 -o jsonl
"""


def _position(text: str) -> int | tuple[int, str]:
    """SEQ, or SEQ:HASH, which is also checked."""
    found = re.fullmatch(r"([0-9]{1,18})(?::([0-9a-f]{64}))?", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no seq, nor a seq with its hash (42:9f3a…)")
    return (int(found[1]), found[2]) if found[2] else int(found[1])


@click.command(epilog=EXAMPLES)
@path_argument
@filter_options
@click.option("--after", type=_position, metavar="SEQ[:HASH]", help="Behind this record; a hash is checked.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="At most so many.")
@click.option("--offset", type=click.IntRange(min=0), default=0, metavar="N", help="Leave out the first so many.")
@click.option("--reverse", is_flag=True, help="Newest first.")
@click.option("--count", is_flag=True, help="Only print how many there are.")
@form_options("short")
def command(path: str | None, after: Any, count: bool, **options: Any) -> int:
    """Find records.

    Options of different names must all fit; of one name given several times, any. Times are those of the events: a
    record's `time` where it has one, else its `ts`. The engine's own audit.* records are left out unless --control
    or a --type that begins with audit. is given. No match is no error.
    """
    from jsonl_audit.accessed import query_lines

    form = form_of(options)
    asked = {**filters_of(options), "after": after or 0, "on_damage": _say_notice}
    asked |= {name: options.pop(name) for name in ("limit", "offset", "reverse")}
    if count:
        return _count(log_path(path), asked)
    for line in query_lines(log_path(path), **asked):
        form.put(line)
    form.end()
    return 0


def _count(path: str, asked: dict[str, Any]) -> int:
    from jsonl_audit.accessed import query_lines

    number = 0
    with Progress("counting") as progress:
        for _ in query_lines(path, **asked):
            number += 1
            progress.at(f"{number:,} so far")
    out = Output()
    out.line(str(number))
    out.flush()
    return 0


def _say_notice(notice: object) -> None:
    say(str(notice))
