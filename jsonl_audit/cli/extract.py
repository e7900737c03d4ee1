"""`jsonl-audit extract`: a part of a log, cut out so that somebody else can verify it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from jsonl_audit.cli.options import log_path
from jsonl_audit.cli.streams import Output, Progress, say
from jsonl_audit.cli.visible import human_size, json_on_terminal, json_text, visible

if TYPE_CHECKING:
    from jsonl_audit.slices import Slice

EXAMPLES = """\
\b
Examples:
  jsonl-audit extract --from 1200 --to 1350 evidence
  jsonl-audit extract --from 2026-11-20 --to 2026-11-21 /var/log/gateway evidence
  jsonl-audit extract --from -2h audit.jsonl evidence && jsonl-audit verify evidence
  jsonl-audit extract --exact --from 1200 --to 1203 audit.jsonl four-lines
"""


@click.command(epilog=EXAMPLES)
@click.argument("words", nargs=-1, required=True, metavar="[PATH] OUT")
@click.option(
    "--from", "--since", "since", metavar="SEQ|WHEN",
    help="The first record: a seq, or a time as `query` takes it; the first there is by default.",
)  # fmt: skip
@click.option(
    "--to", "--until", "until", metavar="SEQ|WHEN",
    help="The last record, by its seq, or before a time, a bare date included; the newest by default.",
)  # fmt: skip
@click.option("--exact", is_flag=True, help="These lines and no others, in one file without a header.")
@click.option("--json", "as_json", is_flag=True, help="What was cut out, with its manifest, as one JSON object.")
def command(words: tuple[str, ...], since: str | None, until: str | None, exact: bool, as_json: bool) -> int:
    """Cut a part out of a log, for somebody who is to verify it without the rest.

    Into the folder OUT, which must be new or empty, go the segments that hold the records, byte for byte from their
    headers on, the last one up to the last record that is meant; the artifacts that these refer to; and manifest.json,
    with the digests of it all. `verify OUT` then says `incomplete`: every record and every link is checked, and what
    is missing is named. Records before the first that is meant may be among them; --exact leaves them out, but such
    lines say no more which log they are of.

    A number of up to nine digits is a seq, and so is any as seq:NUMBER; a longer one is a time.
    """
    from jsonl_audit.slices import extract

    if len(words) > 2:
        raise click.UsageError("one slice at a time: [PATH] OUT")
    path = log_path(words[0] if len(words) == 2 else None)
    with Progress("cutting out") as progress:
        cut = extract(
            path, words[-1], since=since, until=until, exact=exact, progress=progress,
            on_damage=lambda notice: say(str(notice)),
        )  # fmt: skip
    out = Output()
    if as_json:
        text = json_text(cut.to_dict(), indent=True)
        out.write(json_on_terminal(text) if out.terminal else text)
    else:
        _show(cut, out)
    out.flush()
    return 0


def _show(cut: Slice, out: Output) -> None:
    made = cut.manifest
    told: dict[str, Any] = made.slice or {}
    out.line(visible(f"{cut.path}: seq {cut.first_seq} to {cut.last_seq} of {told.get('of')}"))
    for each in made.files:
        span = "no record" if each.last_seq is None else f"seq {each.first_seq} to {each.last_seq}"
        out.line(visible(f"  {each.name}  {human_size(each.bytes)}  {span}"))
        out.line(f"    BLAKE3 {each.blake3}")
    if made.artifacts:
        size = human_size(sum(each.bytes for each in made.artifacts))
        out.line(f"  {len(made.artifacts)} artifact{'s' * (len(made.artifacts) != 1)}  {size}")
    out.line("  manifest.json")
    out.line(f"head {made.head}")
