"""`jsonl-audit ship-config`: a working configuration of a shipper, for a log."""

from __future__ import annotations

import os

import click

from jsonl_audit.cli.options import log_path
from jsonl_audit.cli.streams import Output

EXAMPLES = """\
\b
Examples:
  jsonl-audit ship-config
  jsonl-audit ship-config rsync --path /var/log/app/audit.jsonl --to backup@store:/srv/audit/ > ship.sh
  jsonl-audit ship-config rsyslog --path /var/log/app/audit.jsonl --to store:5140 > /etc/rsyslog.d/50-jsonl-audit.conf
  jsonl-audit ship-config rsyslog --receiver --to store:5140 --into /srv/audit
"""
FILES_TO = "/srv/audit"
LINES_TO = "localhost:5140"


@click.command(epilog=EXAMPLES)
@click.argument("name", required=False, metavar="[NAME]")
@click.option(
    "--path", type=click.Path(readable=False), metavar="PATH", help="The log, which need not be here."
)
@click.option(
    "--to", metavar="WHERE",
    help=f"Where it is sent: a folder or an address as NAME takes it; HOST:PORT for lines. "
    f"Default: {FILES_TO}, {LINES_TO}.",
)
@click.option(
    "--into", default=FILES_TO, show_default=True, metavar="FOLDER",
    help="The folder at the receiving end in which the log is put together.",
)
@click.option("--receiver", is_flag=True, help="The configuration of the receiving end.")
def command(name: str | None, path: str | None, to: str | None, into: str, receiver: bool) -> int:
    """Print a working configuration of a shipper for a log; without NAME, which there are.

    Some copy files: what arrives verifies as it lies there, with jsonl-audit verify --copy. Some send lines: at the
    other end jsonl-audit collect puts them back into the log's files, byte for byte.
    """  # fmt: skip
    from jsonl_audit.cli.shippers import SHIPPERS, Unspeakable, configuration

    if name is None:
        _list()
        return 0
    shipper = SHIPPERS.get(name.lower())
    if shipper is None:
        raise click.UsageError(f"there is no configuration for {name!r}{_near(name, list(SHIPPERS))}")
    given = to if to is not None else LINES_TO if shipper.moves == "lines" else FILES_TO
    if shipper.name == "ship":
        given = os.path.abspath(given) if os.path.isabs(given) or "://" not in given else given
    try:
        text = configuration(
            shipper, path=os.path.abspath(log_path(path)), to=given, into=os.path.abspath(into), receiver=receiver
        )
    except LookupError:
        raise click.UsageError(f"{shipper.name} {_arrives(shipper.moves)}") from None
    except Unspeakable as error:
        raise click.UsageError(str(error)) from None
    out = Output()
    out.write(text.encode())
    out.flush()
    return 0


def _arrives(moves: str) -> str:
    if moves == "lines":
        return "needs no more at the other end than its configuration says in its first lines; leave out --receiver."
    return "needs nothing at the other end: files arrive as they are; leave out --receiver."


def _near(name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, 1, 0.5)
    return f"; did you mean {near[0]}?" if near else "; jsonl-audit ship-config shows all"


def _list() -> None:
    from jsonl_audit.cli.shippers import SHIPPERS
    from jsonl_audit.cli.visible import padded

    rows = [("name", "moves", "what", "checked by")]
    rows += [(each.name, each.moves, each.what, each.check) for each in SHIPPERS.values()]
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    out = Output()
    for row in rows:
        out.line("  ".join([*map(padded, row[:3], widths), row[3]]))
    out.flush()
