"""The shipping matrix: every way to ship a log, against a writer that rotates, purges and is killed.

A command, from the top of a clone::

    python tests/shipping.py --appends 100000
    python tests/shipping.py --appends 5000 --only rsync,rsyslog --trouble plain,kill

Each shipper runs with the configuration that `jsonl-audit ship-config` prints for it, its folders put into one of the
test's own. While the writer appends, what has arrived is verified again and again: `tampered` or `forked` is a false
alarm. When the writer has ended and the shipper has had its time, every record of the log must have arrived, byte for
byte: that is judged twice, by `verify` and by a walk along the chain that shares no code with it. Prints the table of
docs/howto/shippers.md; exit status 1 where anything is wrong. A shipper that is not here is left out, and named.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3
from shipping_routes import NAME, ROUTES, Place, Route, Trouble

from jsonl_audit import AuditError, AuditLog, verify

__all__ = ["NAME", "ROUTES", "TROUBLES", "Outcome", "Place", "Route", "judge", "matrix", "ship"]

TROUBLES = ("plain", "purge", "crash", "kill")
"""What happens meanwhile: nothing; the oldest segments go; the writer is killed, and leaves half a line behind; the
shipper is killed."""
PATIENCE = 60.0
"""Seconds without any news at the other end after which what is missing is lost."""
WRITER = Path(__file__).resolve().parent / "shipped_writer.py"
_RECORD = re.compile(rb'\{"seq":([1-9][0-9]*),')
_NUMBER = re.compile(rb'"details":\{"n":([0-9]+),')


# -- a writer that is shipped from


class Writer:
    """The writer, in a process of its own; after a SIGKILL it leaves what a crash leaves, half a line."""

    def __init__(self, place: Place, appends: int, *, max_bytes: int, keep: int, pace: float) -> None:
        self.place = place
        self.promises = place.folder / "promises"
        self.appends = appends
        self._command = [
            sys.executable, str(WRITER), str(place.log), str(self.promises), "--appends", str(appends),
            "--max-bytes", str(max_bytes), "--keep", str(keep), "--pace", str(pace),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)

    @property
    def done(self) -> int:
        """So many events are acknowledged."""
        return self.promises.stat().st_size // 2 if self.promises.exists() else 0

    @property
    def ended(self) -> bool:
        assert self._process is not None
        status = self._process.poll()
        if status not in (None, 0, -signal.SIGKILL):
            raise Trouble(f"the writer ended with {status}")
        return status is not None

    def crash(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        if self.done < self.appends and self.place.log.exists():
            with self.place.log.open("ab") as file:
                file.write(b'{"seq":99999999,"ts":"2026-11-21T10:11:12.123456Z","id":"0190c0de-00')


# -- the judgement


@dataclass
class Outcome:
    """How a shipment went."""

    route: str
    trouble: str
    appends: int
    records: int = 0
    segments: int = 0
    looks: int = 0
    kills: int = 0
    restarts: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def _chained(files: list[Path]) -> tuple[int, bytes, set[int], list[str]]:
    """A walk along the chain over all lines of files, in no order: the last seq and its hash, the numbers of the
    events, and what is wrong with it."""
    wrong: list[str] = []
    lines: dict[int, bytes] = {}
    for path in files:
        for line in path.read_bytes().split(b"\n")[:-1]:
            found = _RECORD.match(line)
            if found is None or blake3(line[:-75]).hexdigest().encode() != line[-66:-2]:
                continue
            seq = int(found[1])
            if lines.setdefault(seq, line) != line:
                wrong.append(f"two records with seq {seq}")
    head, seq = b"0" * 64, 0
    numbers: set[int] = set()
    while line := lines.get(seq + 1, b""):
        if line[-140:-76] != head:
            wrong.append(f"seq {seq + 1} does not link")
            break
        seq, head = seq + 1, line[-66:-2]
        numbers.update(int(number[1]) for number in _NUMBER.finditer(line))
    if lines and max(lines) > seq:
        wrong.append(f"seq {seq + 1} is missing, of {max(lines)}")
    return seq, head, numbers, wrong


def _look(place: Place, outcome: Outcome) -> None:
    """Verifies what has arrived so far, as one would."""
    for folder in {path.parent for path in place.arrived()}:
        try:
            report = verify(folder, copy=True)
        except AuditError as error:
            # A folder in which there is nothing yet, or only the beginning of a first line.
            if place.arrived() and any(path.stat().st_size > 2000 for path in place.arrived()):
                outcome.wrong.append(f"meanwhile: {type(error).__name__}: {error}")
            continue
        outcome.looks += 1
        if report.verdict in ("tampered", "forked"):
            first = next((f.message for f in report.findings), "")
            outcome.wrong.append(f"false alarm: {report.verdict}: {first}"[:300])


def judge(place: Place, outcome: Outcome, done: int) -> None:
    """What is wrong at the other end, of a log of which `done` events were acknowledged. Added to `outcome`."""
    source = verify(place.log)
    if source.verdict not in ("intact", "torn"):
        outcome.wrong.append(f"the source is {source.verdict}")
    seq, head, numbers, wrong = _chained(place.arrived())
    outcome.wrong += wrong
    outcome.records, outcome.segments = seq, source.to_dict()["segments"]
    if seq != source.last_seq or head.decode() != source.head:
        outcome.wrong.append(f"seq 1 to {seq} arrived, of {source.last_seq}")
    lost = set(range(done)) - numbers
    if lost:
        outcome.wrong.append(f"{len(lost)} acknowledged events are not there, the first is {min(lost)}")
    for folder in {path.parent for path in place.arrived()}:
        report = verify(folder, copy=True)
        if report.verdict not in ("intact", "torn") or report.head != source.head:
            first = next((f.message for f in report.findings), "")
            outcome.wrong.append(f"at the end: {report.verdict} to {report.last_seq}: {first}"[:300])


def ship(
    route: type[Route], trouble: str, folder: Path, *, appends: int, max_bytes: int, pace: float, chance: random.Random
) -> Outcome:
    """One cell of the matrix."""
    outcome = Outcome(route.name, trouble, appends)
    began = time.monotonic()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = Place(folder, port)
    writer = Writer(place, appends, max_bytes=max_bytes, keep=route.keep if trouble == "purge" else 0, pace=pace)
    way: Route | None = None
    try:
        AuditLog(place.log, accessed=None).close()
        way = route(place)
        way.start()
        deadline = time.monotonic() + PATIENCE
        while not way.ready and time.monotonic() < deadline:
            time.sleep(0.05)
        writer.start()
        while not writer.ended:
            time.sleep(chance.uniform(0.3, 1.2))
            if trouble == "kill":
                way.kill()
                outcome.kills += 1
                way.start()
            elif trouble == "crash" and (chance.random() < 0.25 or not outcome.kills) and not writer.ended:
                writer.crash()
                outcome.kills += 1
                writer.start()
            outcome.restarts += way.tend()
            _look(place, outcome)
        way.settle()
        outcome.restarts += _wait(place, way, verify(place.log).last_seq)
        way.stop()
        way = None
        judge(place, outcome, writer.done)
    except Trouble as error:
        outcome.wrong.append(str(error))
    finally:
        if way is not None:
            way.kill()
            way.stop()
    outcome.wrong = list(dict.fromkeys(outcome.wrong))
    outcome.seconds = time.monotonic() - began
    return outcome


def _wait(place: Place, way: Route, last_seq: int | None) -> int:
    """Until everything is at the other end, or nothing has come for a long while: how often it had to be started."""
    size, since, restarts = -1, time.monotonic(), 0
    while time.monotonic() - since < PATIENCE:
        with contextlib.suppress(FileNotFoundError):  # it was renamed in this moment
            files = place.arrived()
            found = sum(path.stat().st_size for path in files)
            if found != size:
                size, since = found, time.monotonic()
                if _chained(files)[0] == last_seq:
                    break
        restarts += way.tend()
        time.sleep(0.3)
    return restarts


def matrix(
    routes: list[str], troubles: list[str], *, appends: int, max_bytes: int, pace: float, seed: int
) -> Iterator[Outcome]:
    """Every cell, one after another. The folder of a cell in which something is wrong stays."""
    for name in routes:
        for trouble in troubles:
            folder = Path(tempfile.mkdtemp(prefix=f"shipping-{name}-{trouble}-"))
            chance = random.Random(f"{seed} {name} {trouble}")
            outcome = ship(
                ROUTES[name], trouble, folder / "at", appends=appends, max_bytes=max_bytes, pace=pace, chance=chance
            )
            if outcome.wrong:
                print(f"{folder} stays", file=sys.stderr)
            else:
                shutil.rmtree(folder)
            yield outcome


def _table(outcomes: list[Outcome], troubles: list[str]) -> str:
    rows = [["shipped by", *troubles], ["---"] * (len(troubles) + 1)]
    for name in dict.fromkeys(outcome.route for outcome in outcomes):
        row = [name]
        for trouble in troubles:
            cell = next(o for o in outcomes if (o.route, o.trouble) == (name, trouble))
            killed = f", {cell.kills} kills" if cell.kills else ""
            killed += f", {cell.restarts} ended by itself" if cell.restarts else ""
            went = f"all {cell.records:,}, {cell.looks} looks{killed}"
            row.append(f"**wrong**: {'; '.join(cell.wrong)}" if cell.wrong else went)
        rows.append(row)
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--appends", type=int, default=100_000)
    parser.add_argument("--max-bytes", type=int, default=1 << 20, help="so large is a segment")
    parser.add_argument("--pace", type=float, default=5000, help="so many events a second")
    parser.add_argument("--only", default=",".join(ROUTES), help="these shippers, with commas")
    parser.add_argument("--trouble", default=",".join(TROUBLES), help="these troubles, with commas")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    args = parser.parse_args()
    routes, troubles = args.only.split(","), args.trouble.split(",")
    absent = {name: ROUTES[name].missing() for name in routes if ROUTES[name].missing()}
    for name, missing in absent.items():
        print(f"{name}: left out, {', '.join(missing)} is not here", file=sys.stderr)
    print(f"seed {args.seed}", file=sys.stderr)
    outcomes = []
    here = [name for name in routes if name not in absent]
    for outcome in matrix(
        here, troubles, appends=args.appends, max_bytes=args.max_bytes, pace=args.pace, seed=args.seed
    ):
        outcomes.append(outcome)
        told = f"all {outcome.records} records, {outcome.looks} looks, {outcome.kills} kills"
        told += f", {outcome.restarts} restarts" if outcome.restarts else ""
        told = "; ".join(outcome.wrong) or told
        print(f"{outcome.route:10} {outcome.trouble:6} {outcome.seconds:6.1f} s  {told}", file=sys.stderr, flush=True)
    print(_table(outcomes, troubles))
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
