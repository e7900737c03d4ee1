"""`jsonl-audit tail`: the last records, and with -f each further one as it is committed."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

import click

from jsonl_audit.cli.options import filter_options, filters_of, form_of, form_options, log_path, path_argument
from jsonl_audit.cli.streams import say
from jsonl_audit.errors import StorageError

if TYPE_CHECKING:
    from jsonl_audit.cli.output import Form

EXAMPLES = """\
\b
Examples:
  jsonl-audit tail
  jsonl-audit tail -n 50 /var/log/gateway/audit.jsonl
  jsonl-audit tail -f --type 'auth.*' --outcome failure --outcome denied
  jsonl-audit tail -f -n 0 -o jsonl | jq -r .details.command
"""


@click.command(epilog=EXAMPLES)
@path_argument
@click.option(
    "-n", "--lines", "count", type=click.IntRange(min=0), default=10, show_default=True, metavar="N",
    help="How many records.",
)  # fmt: skip
@click.option("-f", "--follow", is_flag=True, help="Go on with each record as it is committed, until Ctrl-C.")
@filter_options
@form_options("short")
def command(path: str | None, count: int, follow: bool, **options: Any) -> int:
    """Show the last records that fit, oldest of them first.

    With -f it goes on, across rotation, without missing or repeating a record; a log that is not there yet is
    waited for. Options of different names must all fit; of one name given several times, any. The engine's own
    audit.* records are left out unless --control is given.
    """
    from jsonl_audit.accessed import tail_lines

    form = form_of(options)
    filters = filters_of(options)
    if follow:
        return _follow(path, count, form, filters)
    for line in tail_lines(log_path(path), count, on_damage=_say_notice, **filters):
        form.put(line)
    form.end()
    return 0


def _follow(path: str | None, count: int, form: Form, filters: dict[str, Any]) -> int:
    from jsonl_audit.accessed import follow_lines
    from jsonl_audit.snapshot import Snapshot

    def nobody_reads() -> bool:
        """Asked whenever all that is there was given: the moment to show it, and to look who reads it."""
        form.flush()
        return not form.out.reader_is_there()

    named = log_path(path)
    try:
        Snapshot(named).close()
    except StorageError as error:
        if error.errno != errno.ENOENT:
            raise
        say(f"{named}: no such log yet; waiting for it")
    for line in follow_lines(named, n=count, stop=nobody_reads, on_damage=_say_notice, **filters):
        form.put(line)
    return 0


def _say_notice(notice: object) -> None:
    say(str(notice))
