"""`jsonl-audit diff`: the first record at which two copies of a log part, what each says there, and what each lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from jsonl_audit.cli.streams import Output, Progress
from jsonl_audit.cli.visible import json_on_terminal, json_text, visible

if TYPE_CHECKING:
    from jsonl_audit.comparison import Comparison

__all__ = ["command", "compared"]

EXAMPLES = """\
\b
Examples:
  jsonl-audit diff /var/log/gateway/audit.jsonl /mnt/backup/gateway
  jsonl-audit diff audit.jsonl evidence/manifest.json
  jsonl-audit diff monday/ tuesday/ -o json | jq '.parted.differences'
"""


@click.command(epilog=EXAMPLES)
@click.argument("a", type=click.Path(readable=False))
@click.argument("b", type=click.Path(readable=False))
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="In words, or as JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; the exit status says it.")
@click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Processors to use; all of them by default.")
def command(a: str, b: str, output: str, quiet: bool, workers: int | None) -> int:
    """Show where two copies of a log part, and what each lacks.

    A and B are each a log, by its path; a folder, all files of it, whatever their names; a file; or a manifest. What is
    unfinished lacks records, and that is no difference. The first record that they do not have alike is shown as each
    has it, with the members that differ, and the time of the last one that is the same: since then they differ.

    \b
    Exit status:
      0  the same records
      1  they part, or one of them is tampered or forked by itself
      2  wrong usage, not a log, several logs in a folder
      3  what both have is the same, and one lacks records
      4  no such path, an I/O error
    """
    found = compared(a, b, workers)
    if not quiet:
        out = Output()
        if output == "json":
            text = json_text(found.to_dict(), indent=True)
            out.write(json_on_terminal(text) if out.terminal else text)
        else:
            for line in str(found).split("\n"):
                out.line(visible(line))
        out.flush()
    return found.exit_code


def compared(a: str | list[str], b: str, workers: int | None = None) -> Comparison:
    """The comparison of two logs, with progress on a terminal."""
    from jsonl_audit.comparison import compare

    with Progress("comparing") as progress:
        return compare(a, b, progress=progress, workers=workers)
