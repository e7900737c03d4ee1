"""`jsonl-audit collect`: records from standard input, back into the segments that they were committed to."""

from __future__ import annotations

import click

from jsonl_audit.cli.arrivals import Said, read_on
from jsonl_audit.cli.interrupt import Interrupt
from jsonl_audit.cli.options import SECONDS
from jsonl_audit.cli.streams import Progress

EXAMPLES = """\
\b
Examples:
  cat audit*.jsonl | jsonl-audit collect /srv/received
  ssh gateway tail -n +1 -F /var/log/gateway/audit.jsonl | jsonl-audit collect /srv/received
  nc -lk 5514 | jsonl-audit collect --json /srv/received
  kubectl logs -f gateway | jsonl-audit collect --field log /srv/received
"""


@click.command(epilog=EXAMPLES)
@click.argument("directory", type=click.Path(readable=False), metavar="DIR")
@click.option("--field", metavar="NAME", help="The member of a JSON wrapper that holds the line; any text by default.")
@click.option(
    "--patience", type=SECONDS, default=10.0, show_default=True, metavar="SECONDS",
    help="How long a gap may be open before it is told.",
)  # fmt: skip
@click.option("--no-verify", is_flag=True, help="Do not verify what lies there when the stream ends.")
@click.option(
    "--confirm", is_flag=True, help="Answer OK for each line once it is on the disk, as rsyslog's omprog asks."
)
@click.option("--json", "as_json", is_flag=True, help="Each finding as a JSON object in a line, then the report.")
@click.option("-q", "--quiet", is_flag=True, help="No report, no words; the exit status says it.")
def command(
    directory: str, field: str | None, patience: float, no_verify: bool, confirm: bool, as_json: bool, quiet: bool
) -> int:
    """Put records from standard input back into segments, byte for byte.

    They may come in any order, doubled, from several logs, behind a syslog prefix or in JSON wrappers, and in several
    runs. Each log gets a folder of its own, DIR/<uuid of the log>, with the file names of the source. What waits for a
    record that has not come, and lines that are no whole record, lie in DIR/.collect.

    \b
    Exit status:
      0  all that is here is whole, or torn as a crash leaves it
      1  changed lines, two histories: see DIR/.collect/aside.jsonl
      2  wrong usage, something else in DIR
      3  no record, or some are missing
      4  an I/O error, no space, another collector at work
    """
    from jsonl_audit.receive.collecting import all_gaps, report_of
    from jsonl_audit.receive.collector import Collector
    from jsonl_audit.receive.gaps import GapWatch

    if confirm and as_json:
        raise click.UsageError("--confirm and --json both want standard output: leave one of them out")
    said = Said(as_json=as_json, quiet=quiet, confirms=confirm)
    with (
        Interrupt() as interrupt,
        Progress("collecting") as progress,
        Collector(directory, field=field, tell=said.tell) as collector,
    ):
        watch = GapWatch(lambda: all_gaps(collector), collector.told, patience)

        def feed(data: bytes) -> None:
            collector.feed(data)
            if confirm and data:
                collector.sync()
                said.confirm(data.count(b"\n"))

        def look() -> None:
            watch.look()
            progress.at(f"{collector.records:,} records, {len(collector.waiting):,} wait")

        if confirm:
            said.confirm(0)
        read_on(interrupt, feed, look)
        collector.finish()
        watch.look(ended=True)
        collected = report_of(collector, check=not (no_verify or interrupt.status))
    said.report(collected)
    return interrupt.status or collected.exit_code
