"""`jsonl-audit ship`: logs copied to a folder, a share or a store, so that what arrived is known to be right."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from jsonl_audit.cli.interrupt import Interrupt
from jsonl_audit.cli.options import size
from jsonl_audit.cli.streams import Output, Progress, ReaderGoneError, say
from jsonl_audit.cli.visible import json_text, visible
from jsonl_audit.errors import AuditError

if TYPE_CHECKING:
    from jsonl_audit.ship import Shipped

EXAMPLES = """\
\b
Examples:
  jsonl-audit ship audit.jsonl /mnt/backup/web1
  jsonl-audit ship -f /var/log/gateway /mnt/share/gateway
  jsonl-audit ship -f --bwlimit 2MB audit.jsonl access.jsonl /srv/copies
  jsonl-audit ship audit.jsonl s3://bucket/logs/web1
  jsonl-audit ship -q audit.jsonl /mnt/usb || mail -s 'not shipped' root
"""
_WORST_LAST = (0, 3, 2, 4, 1)
_RATE = re.compile(r"(.*?)(?:/s|ps)?", re.IGNORECASE)


def rate(text: str) -> int:
    """Bytes a second, as a size with /s behind it or not. For click.option(type=rate).

    >>> rate("2MB/s"), rate("512KiB")
    (2000000, 524288)
    """
    found = _RATE.fullmatch(str(text).strip())
    limit = size(found[1] if found is not None else text)
    if limit < 1:
        raise click.BadParameter("a limit of nothing would move nothing; leave it out for none")
    return limit


@click.command(epilog=EXAMPLES)
@click.argument("paths", nargs=-1, type=click.Path(readable=False), metavar="SRC... DEST")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is appended, until Ctrl-C or SIGTERM.")
@click.option(
    "--interval", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True, metavar="S",
    help="Seconds between two looks at the logs, with -f.",
)  # fmt: skip
@click.option("--bwlimit", type=rate, metavar="RATE", help="At most so many bytes a second: 500KB, 2MiB.")
@click.option("--no-hold", is_flag=True, help="Retention at the source does not wait for this destination.")
@click.option("--again", is_flag=True, help="Send again what had arrived and is not at DEST any more.")
@click.option("--no-artifacts", is_flag=True, help="Leave the artifacts of the logs out.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each log, one a line.")
@click.option("-q", "--quiet", is_flag=True, help="Say only what is wrong; the exit status says it, too.")
def command(paths: tuple[str, ...], as_json: bool, quiet: bool, **options: Any) -> int:
    """Copy logs to DEST: what is committed, in order, each sealed segment once.

    SRC is a log's active file, or a folder that holds one log; several are several logs. DEST is a folder, which is
    made if it is not there, or an address such as s3://bucket/logs (with the extra fsspec). Each log may be in use.
    What lies in DEST is at every moment a log that verifies, whatever stops the copying; the next time it goes on from
    there. What arrives is read back and checked; mode and times are kept. Nothing in DEST is cut or written over.

    Retention of the source (backup_count, purge) waits until what it lets go has arrived in DEST.

    \b
    Exit status:
      0  all that is committed has arrived
      1  DEST holds something else, or the source is damaged (it is copied as it is)
      2  wrong usage, not a log, DEST holds another log
      3  records were gone at the source before they had arrived
      4  a path that cannot be read or written, no space, somebody else ships there
    """
    if len(paths) < 2:
        raise click.UsageError("give at least one log and a destination: SRC... DEST")
    if "" in paths:
        raise click.UsageError('A path is empty, as "$DEST" is where DEST is not set.')
    from jsonl_audit.ship import Problem, Shipped, ship

    def tell(problem: Problem) -> None:
        if not (quiet and problem.kind == "note"):
            say(str(problem))

    interrupt = Interrupt()
    with interrupt, Progress("shipping") as progress:
        try:
            outcomes = ship(
                paths[:-1], paths[-1], follow=options["follow"], interval=options["interval"],
                bwlimit=options["bwlimit"], hold=not options["no_hold"], again=options["again"],
                artifacts=not options["no_artifacts"], stop=lambda: bool(interrupt.signal), progress=progress,
                on_notice=tell,
            )  # fmt: skip
        except AuditError as failed:
            outcomes = [each for each in failed.done if isinstance(each, Shipped)]
            if not outcomes:
                raise
    _show(outcomes, as_json=as_json, quiet=quiet)
    if interrupt.signal and not options["follow"]:
        return interrupt.status
    return _worst(outcomes)


def _show(outcomes: list[Shipped], *, as_json: bool, quiet: bool) -> None:
    out = Output()
    try:
        for outcome in outcomes:
            if as_json:
                out.write(json_text(outcome.to_dict()))
            elif not quiet and outcome.error is None:
                out.line(visible(str(outcome)))
        out.flush()
    except ReaderGoneError:
        return


def _worst(outcomes: list[Shipped]) -> int:
    """Says what ended each log that was not shipped; the worst status."""
    from jsonl_audit.cli.ending import status_and_words

    worst = 0
    for outcome in outcomes:
        status = outcome.exit_code
        if outcome.error is not None:
            status, words = status_and_words(outcome.error)
            say(words)
        worst = max(worst, status, key=_WORST_LAST.index)
    return worst
