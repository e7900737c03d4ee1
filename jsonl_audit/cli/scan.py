"""`jsonl-audit scan`: what the redactor would not let through, in any file or log; the exit status says it, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from jsonl_audit.cli.colours import Paint, wanted
from jsonl_audit.cli.options import color_option, log_path
from jsonl_audit.cli.streams import Output, Progress, ReaderGoneError, abandon_stdout, say
from jsonl_audit.cli.visible import human_size, json_on_terminal, json_text, visible
from jsonl_audit.errors import AuditError

if TYPE_CHECKING:
    from jsonl_audit.cli.scan_lines import Finding
    from jsonl_audit.cli.scan_places import Place
    from jsonl_audit.redact import Redactor

EXAMPLES = """\
\b
Examples:
  jsonl-audit scan
  jsonl-audit scan app.log old/*.gz
  jsonl-audit scan --profile privacy /var/log/gateway
  journalctl -u gateway -o cat | jsonl-audit scan -
  jsonl-audit scan --json audit.jsonl | jq -r '[.kind, .path] | @tsv' | sort | uniq -c
  jsonl-audit scan -q export.jsonl && cp export.jsonl /srv/share
"""

_NAMED = 5
"""So many files that are passed over are named."""


@click.command(epilog=EXAMPLES)
@click.argument("files", nargs=-1, type=click.Path(readable=False), metavar="[FILE]...")
@click.option(
    "--profile", type=click.Choice(["default", "privacy"]), default="default", show_default=True,
    help="What to look for: secrets, or personal data, paths and long texts as well.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="A JSON object for each finding, one a line.")
@click.option("-q", "--quiet", is_flag=True, help="No findings, and none after the first; the exit status says it.")
@color_option
def command(files: tuple[str, ...], profile: str, as_json: bool, quiet: bool, color: str) -> int:
    """Look for secrets in any file or log, as redaction does before anything is written.

    Each FILE is a text, JSON, or JSON lines, compressed to .gz or .zst or not; - is standard input. A log is looked
    at with its sealed segments and its artifacts; a directory with every file in it and below. Without a FILE it is
    the log at $JSONL_AUDIT_PATH, else audit.jsonl. Files that hold no text are named and passed over.

    A finding is the file, the line, the member, the record's seq, the kind, and how the secret begins and how long it
    is; never the secret. What a profile that redacts has written holds nothing that the same profile finds.

    \b
    Exit status:
      0  nothing found
      1  something found
      2  wrong usage
      4  no such file, an I/O error
    """
    if "" in files:
        raise click.UsageError('A FILE is empty, as "$FILE" is where FILE is not set.')
    from jsonl_audit.redact import redactor_of

    redactor = redactor_of(profile)
    assert redactor is not None
    shown = _Shown(Output(), color, as_json=as_json, quiet=quiet)
    return shown.all_of(files or (log_path(None),), redactor)


class _Shown:
    """Findings as they are found, and their sum."""

    def __init__(self, out: Output, color: str, *, as_json: bool, quiet: bool) -> None:
        self._out = out
        self._paint = Paint(wanted(color, terminal=out.terminal))
        self._as_json = as_json
        self._quiet = quiet
        self._progress = Progress("scanning")
        self._kinds: Counter[str] = Counter()
        self._files = self._hit = self._bytes = 0
        self._failed = False
        self._passed_over: list[str] = []

    def all_of(self, files: tuple[str, ...], redactor: Redactor) -> int:
        """Looks at everything that is meant; the exit status."""
        from jsonl_audit.cli.scan_places import places

        try:
            with self._progress:
                for place in places(files, self._say_failed):
                    self._hit += self._look_at(place, redactor)
                    if self._hit and self._quiet:
                        return 1
            self._out.flush()
        except ReaderGoneError:
            abandon_stdout()
            return 1  # there is output only where something was found
        if not self._quiet:
            self._sum_up()
        return 1 if self._hit else 4 if self._failed else 0

    def _look_at(self, place: Place, redactor: Redactor) -> bool:
        """Shows what is found in one file; whether there was anything."""
        hit = False
        for found in self._found_in(place, redactor):
            hit = True
            if self._quiet:
                return True
            self._kinds[found.kind] += 1
            self._show(place, found)
        return hit

    def _found_in(self, place: Place, redactor: Redactor) -> Iterator[Finding]:
        from jsonl_audit.cli.scan_lines import BinaryFileError, findings

        try:
            yield from findings(self._read(place), redactor)
            self._files += 1
        except BinaryFileError:
            self._passed_over.append(place.name)
        except (AuditError, OSError) as error:
            self._say_failed(error)

    def _read(self, place: Place) -> Iterator[bytes]:
        done = 0
        for block in place.blocks():
            done += len(block)
            self._bytes += len(block)
            if done <= place.size:
                self._progress(done, place.size)
            else:  # where the end of a stream is, or of what is packed, is not known
                self._progress.at(f"{place.name}, {human_size(done)}")
            yield block

    def _show(self, place: Place, found: Finding) -> None:
        if self._as_json:
            told = {"file": place.name, **found._asdict()}
            text = json_text(told)
            self._out.write(json_on_terminal(text) if self._out.terminal else text)
            return
        where = f"{visible(place.name)}:{found.line}:"
        member = f" at {visible(found.path)}" if found.path else ""
        seq = f" (seq {found.seq})" if found.seq is not None else ""
        kind = self._paint(found.kind, "yellow", bold=True)
        self._out.line(f"{self._paint.bold(where)} {kind}{member}{seq}: {visible(found.masked)}")

    def _say_failed(self, error: AuditError | OSError) -> None:
        from jsonl_audit.cli.ending import status_and_words

        self._failed = True
        say(status_and_words(error)[1])

    def _sum_up(self) -> None:
        skipped = self._passed_over
        if skipped:
            names = ", ".join(skipped[:_NAMED]) + (", …" if len(skipped) > _NAMED else "")
            which = "a file" if len(skipped) == 1 else f"{len(skipped):,} files"
            say(f"passed over {which} without text: {names}")
        looked = f"{self._files:,} file{'s' * (self._files != 1)}, {human_size(self._bytes)}"
        if not self._hit:
            say(f"nothing found in {looked}")
            return
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in self._kinds.most_common())
        say(f"{self._kinds.total():,} found in {self._hit:,} of {looked}: {kinds}")
