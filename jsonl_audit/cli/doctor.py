"""`jsonl-audit doctor`: a look at a log and its place, and the commands that mend what is not well."""

from __future__ import annotations

import click

from jsonl_audit.cli.colours import Paint, wanted
from jsonl_audit.cli.options import color_option, log_path, path_argument
from jsonl_audit.cli.streams import Output, Progress, ReaderGoneError
from jsonl_audit.cli.visible import json_on_terminal, json_text

EXAMPLES = """\
\b
Examples:
  jsonl-audit doctor
  jsonl-audit doctor --probe /var/log/gateway
  jsonl-audit doctor --all --full audit.jsonl
  jsonl-audit doctor --json | jq -r '.remarks[] | select(.level == "problem") | .command'
  jsonl-audit doctor -q || mail -s 'look after the audit log' root
"""
_COLOURS = {"problem": "red", "warning": "yellow", "remark": "cyan", "ok": "green"}


@click.command(epilog=EXAMPLES)
@path_argument
@click.option(
    "--probe", is_flag=True, help="Also try locks and syncs, with a small file beside the log that is removed again."
)
@click.option("--full", is_flag=True, help="Look for long lines in all segments, not only in the newest 256 MiB.")
@click.option(
    "--logrotate", multiple=True, type=click.Path(exists=True), metavar="PATH",
    help="Rules of logrotate, a file or a folder, in the place of /etc/logrotate.conf and /etc/logrotate.d.",
)  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Also show in full what is well.")
@click.option("--json", "as_json", is_flag=True, help="The diagnosis as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing; the exit status says it.")
@color_option
def command(
    path: str | None,
    probe: bool,
    full: bool,
    logrotate: tuple[str, ...],
    everything: bool,
    as_json: bool,
    quiet: bool,
    color: str,
) -> int:
    """Look at a log and its place as an experienced operator would.

    Permissions, owner, links, file system, free space, clock, who uses it, settings, rotation, rules of logrotate,
    long lines and files that somebody left; with --probe also locks and the cost of a sync. Each remark says why it
    matters, and what mends it. The log may be in use; nothing is changed. Whether the records are as they were
    committed is another question: verify.

    \b
    Exit status:
      0  no problem; there may be warnings
      1  a problem
      2  wrong usage, not a log, a newer format
      4  no such path, an I/O error
    """
    from jsonl_audit.doctor import diagnose

    options = {"logrotate": logrotate} if logrotate else {}
    with Progress("reading") as progress:
        found = diagnose(log_path(path), probe=probe, full=full, progress=progress, **options)
    if quiet:
        return found.exit_code
    out = Output()
    paint = Paint(wanted(color, terminal=out.terminal))
    try:
        if as_json:
            text = json_text(found.to_dict(), indent=True)
            out.write(json_on_terminal(text) if out.terminal else text)
        else:
            for line in found.text(everything=everything).split("\n"):
                level, colon, rest = line.partition(": ")
                painted = level in _COLOURS and colon
                out.line(f"{paint(level, _COLOURS[level], bold=True)}: {rest}" if painted else line)
        out.flush()
    except ReaderGoneError:  # the status is the diagnosis's, even where nobody reads it
        pass
    return found.exit_code
