"""The command: which rows, on how much, how often; progress to standard error, the table to standard output."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import orjson

from . import appending, dropin, processes, reading, receiving, redacting, sharing, shipping, table, verifying, waiting
from .events import Events
from .measure import Result, UnavailableError, say
from .setting import Setting, machine

__all__ = ["main"]

ROWS: dict[str, Callable[[Setting], Iterable[Result]]] = {
    "append": appending.append,
    "append-many": appending.append_many,
    "append-sync": appending.append_sync,
    "append-threads": appending.append_threads,
    "append-async": dropin.append_async,
    "append-processes": sharing.append_processes,
    "append-handler": dropin.append_handler,
    "append-redacted": redacting.append_redacted,
    "redact": redacting.redact,
    "verify": verifying.verify_sealed,
    "verify-full": verifying.verify_full,
    "verify-stream": receiving.verify_stream,
    "collect": receiving.collect_lines,
    "tail": reading.tail,
    "seek": reading.seek,
    "rare": reading.rare,
    "memory": processes.memory,
    "memory-line": processes.memory_line,
    "startup": processes.startup,
    "p99": waiting.p99,
    "ship": shipping.ship,
}
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
DESCRIPTION = """\
How fast jsonl_audit is, against what people use today.

From the top of a clone:  pip install -e '.[bench]'  and then  python -m tests.bench
(or, from anywhere:  python tests/bench). b3sum, jq and ripgrep are measured against where they are
installed; what is absent is named in the table and not measured.

All sides of a row run in one process, in turn (A B C, B C A, …), and a ratio is the median over the
rounds of each round's own ratio. Every side gets newly parsed events, files in the same folder, files
to read that are in the page cache, and a garbage collector in the same state.
"""
EPILOG = "rows:\n" + "\n".join(f"  {name:16}{(row.__doc__ or '').strip()}" for name, row in ROWS.items())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit status: 0 however fast it was, 2 for wrong usage."""
    given = _parser().parse_args(arguments)
    setting = Setting(
        events=Events(given.events),
        work=_work(given.work),
        size=given.size or (20_000_000 if given.quick else 1_000_000_000),
        rounds=given.rounds or (3 if given.quick else 9),
        quick=given.quick,
    )
    about = machine(setting)
    say(f"{setting.events.origin}; files in {setting.work} ({about['file_system']})")
    if about["file_system"] in ("tmpfs", "ramfs"):
        say("that is memory, not a disk: what a sync costs is not seen; --work names another folder")
    before = _load()
    results: list[Result] = []
    for name in given.rows or ROWS:
        say(name)
        try:
            results.extend(ROWS[name](setting))
        except UnavailableError as reason:
            results.append(Result(name, (ROWS[name].__doc__ or name).strip(), "", "x", note=str(reason)))
    about["load"] = [before, _load()]
    if given.json != "-":
        print(f"{table.full(results)}\n\n{table.legend(about)}")
    if given.json:
        _write_json(given.json, {"machine": about, "rows": [result.to_dict() for result in results]})
    if given.docs:
        for page in table.into_pages(results, about):
            say(f"written into {page}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", nargs="+", metavar="NAME", choices=list(ROWS), help="only these rows; all by default")
    parser.add_argument("--size", type=_bytes, help="of the log that is read: 1GB by default, 20MB with --quick")
    parser.add_argument("--rounds", type=_positive, help="how often each side runs: 9 by default, 3 with --quick")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures mean little")
    parser.add_argument("--work", type=Path, metavar="DIR", help="folder for all files; the log made there is kept for "
                        "the next run (default: a folder of yours among the temporary files)")  # fmt: skip
    parser.add_argument("--events", type=Path, metavar="FILE", help="JSON objects, one a line, plain or .gz; default: "
                        "../shared/data/cloudtrail-2900.jsonl.gz beside the clone, else events made here")  # fmt: skip
    parser.add_argument("--json", metavar="FILE", help="everything measured, as JSON; - is standard output, instead of "
                        "the table")  # fmt: skip
    parser.add_argument("--docs", action="store_true", help="put the tables into docs/explanation/performance.md and "
                        "README.md")  # fmt: skip
    return parser


def _bytes(text: str) -> int:
    digits = text.upper().rstrip("KMGIB")
    try:
        size = int(float(digits) * UNITS[text.upper()[len(digits) :]])
    except (ValueError, KeyError):
        raise argparse.ArgumentTypeError(f"{text!r} is no size: 500MB, 1GB, 64MiB") from None
    if size < 1_000_000:
        raise argparse.ArgumentTypeError("a log to read has 1MB at least")
    return size


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return int(text)


def _work(given: Path | None) -> Path:
    folder = given or Path(tempfile.gettempdir()) / f"jsonl-audit-bench-{getpass.getuser()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if given is None and hasattr(os, "getuid") and folder.lstat().st_uid != os.getuid():
        raise SystemExit(f"{folder} belongs to somebody else; name a folder with --work")
    return folder.resolve()


def _load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def _write_json(target: str, content: dict[str, Any]) -> None:
    text = orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n"
    if target == "-":
        sys.stdout.buffer.write(text)
        sys.stdout.flush()
    else:
        Path(target).write_bytes(text)
