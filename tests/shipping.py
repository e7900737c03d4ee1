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
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3

from jsonl_audit import AuditError, verify
from jsonl_audit.cli.shippers import SHIPPERS, configuration

__all__ = ["NAME", "ROUTES", "TROUBLES", "Outcome", "Place", "Route", "judge", "matrix", "ship"]

TROUBLES = ("plain", "purge", "crash", "kill")
"""What happens meanwhile: nothing; the oldest segments go; the writer is killed, and leaves half a line behind; the
shipper is killed."""
NAME = "audit.jsonl"
PATIENCE = 60.0
"""Seconds without any news at the other end after which what is missing is lost."""
WRITER = Path(__file__).resolve().parent / "shipped_writer.py"
_RECORD = re.compile(rb'\{"seq":([1-9][0-9]*),')
_NUMBER = re.compile(rb'"details":\{"n":([0-9]+),')


@dataclass
class Place:
    """The two ends of a shipment, and a folder for what the shipper remembers."""

    folder: Path
    port: int
    there: Path = field(init=False)

    def __post_init__(self) -> None:
        self.here = self.folder / "here"
        self.there = self.folder / "there"
        self.state = self.folder / "state"
        for each in (self.here, self.there, self.state):
            each.mkdir(parents=True)
        self.log = self.here / NAME

    def configured(self, name: str, *, receiver: bool = False) -> Path:
        """The configuration of a shipper, in a file, with its folders here."""
        shipper = SHIPPERS[name]
        to = f"127.0.0.1:{self.port}" if shipper.moves == "lines" else str(self.there)
        text = configuration(shipper, path=str(self.log), to=to, into=str(self.there), receiver=receiver)
        state = self.state / ("receiver" if receiver else "sender")
        state.mkdir(exist_ok=True)
        text = re.sub(r"/var/(spool|lib)/(rsyslog|fluent-bit)|/run(?=/lsyncd)", str(state), text)
        path = self.state / f"{name}{'.receiver' if receiver else ''}{Path(shipper.send).suffix}"
        path.write_text(text, "utf-8")
        path.chmod(0o700)
        return path

    def arrived(self) -> list[Path]:
        """The log's files at the other end, in whatever folder they were put together."""
        found = self.there.rglob("audit*.jsonl")
        return [path for path in found if not path.relative_to(self.there).parts[0].startswith(".")]


# -- ways to ship


class Route:
    """One way from here to there. Started, killed, started again; at the end it is given time, and stopped."""

    name: str
    needs: tuple[str, ...] = ()
    keep = 12
    """So many sealed segments are at the source where it purges: longer than this may be behind."""

    def __init__(self, place: Place) -> None:
        self.place = place

    def start(self) -> None:
        """Begins to ship, or goes on."""
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL, wherever it happens to be."""
        raise NotImplementedError

    def settle(self) -> None:
        """The writer has ended: brings over what is left, as far as that is this route's own doing."""

    def stop(self) -> None:
        """Ends in good order."""
        self.kill()

    @classmethod
    def missing(cls) -> list[str]:
        """The programs that are not here."""
        return [each for each in cls.needs if shutil.which(each) is None]


class Loop(Route):
    """A script that is run again and again, a moment apart."""

    pause = 0.2

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.script = place.configured(self.name)
        self._over = threading.Event()
        self._runs: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._over.clear()
        self._runs = threading.Thread(target=self._go_on)
        self._runs.start()

    def _go_on(self) -> None:
        while not self._over.wait(self.pause):
            self._once()

    def _once(self) -> int:
        with (self.place.state / "said").open("ab") as said:
            self._process = subprocess.Popen(
                ["sh", str(self.script)], stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
            )
            return self._process.wait()

    def kill(self) -> None:
        self._over.set()
        if self._runs is not None:
            while self._runs.is_alive():
                if self._process is not None and self._process.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(self._process.pid, signal.SIGKILL)
                self._runs.join(0.05)

    def stop(self) -> None:
        self._over.set()
        if self._runs is not None:
            self._runs.join()

    def settle(self) -> None:
        self.stop()
        self.succeed()

    def succeed(self) -> None:
        """Once more, and this time it has to go well."""
        status = self._once()
        if status:
            raise Trouble(f"{self.name} ended with {status}: {(self.place.state / 'said').read_text()[-400:]}")


class Rsync(Loop):
    name = "rsync"
    needs = ("rsync",)


class Cp(Loop):
    name = "cp"


class Tar(Loop):
    """An archive after another; each is unpacked at the other end over what is there."""

    name = "tar"
    needs = ("tar", "gzip")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._packed = place.folder / "packed"
        self.script.write_text(self.script.read_text().replace(str(place.there), str(self._packed)))

    def _once(self) -> int:
        status = super()._once()
        for archive in sorted(self._packed.glob("*.tar.gz")):
            subprocess.run(["tar", "-xzf", archive, "-C", self.place.there], check=True, stdin=subprocess.DEVNULL)
            archive.unlink()
        return status


class Scp(Loop):
    """To an sshd on this machine, with a key of its own."""

    name = "scp"
    needs = ("scp", "ssh-keygen", "sshd")

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        own = place.state
        for key in ("host", "user"):
            making = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(own / key)]
            subprocess.run(making, check=True, stdin=subprocess.DEVNULL)
        (own / "sshd").write_text(
            f"ListenAddress 127.0.0.1:{place.port}\nHostKey {own}/host\nAuthorizedKeysFile {own}/user.pub\n"
            "StrictModes no\nUsePAM no\nPidFile none\nSubsystem sftp internal-sftp\nMaxStartups 100\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        sshd = shutil.which("sshd")
        assert sshd is not None
        with (own / "said").open("ab") as said:
            self._sshd = subprocess.Popen([sshd, "-D", "-e", "-f", own / "sshd"], stdin=subprocess.DEVNULL, stderr=said)
        _listens(place, self.name)
        known = f"-i {own}/user -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        text = self.script.read_text().replace("scp -pq", f"scp {known} -pq")
        self.script.write_text(text.replace(str(place.there), f"scp://127.0.0.1:{place.port}/{place.there}"))

    def stop(self) -> None:
        super().stop()
        self._sshd.terminate()
        self._sshd.wait()

    def settle(self) -> None:
        Loop.stop(self)
        self.succeed()


class Rclone(Loop):
    name = "rclone"
    needs = ("rclone",)


def _listens(place: Place, name: str) -> None:
    """Waits for whoever is to listen at the other end."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", place.port), 1):
            return
        time.sleep(0.05)
    raise Trouble(f"{name} does not listen: {(place.state / 'said').read_text()[-400:]}")


class Daemon(Route):
    """One process that goes on by itself."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._processes: list[subprocess.Popen[bytes]] = []

    def command(self) -> list[str]:
        """What is started."""
        raise NotImplementedError

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        """Starts a program whose words go to a file."""
        with (self.place.state / "said").open("ab") as said:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True,
                cwd=self.place.state,
            )  # fmt: skip

    def start(self) -> None:
        self._processes = [self.run(*self.command())]

    def kill(self) -> None:
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
        self.kill()


class Ship(Daemon):
    name = "ship"

    def command(self) -> list[str]:
        line = re.search(r"^ExecStart=jsonl-audit (.*)$", self.place.configured("ship").read_text(), re.MULTILINE)
        assert line is not None
        return [sys.executable, "-m", "jsonl_audit", *(word.strip('"') for word in line[1].split())]


class Lsyncd(Daemon):
    name = "lsyncd"
    needs = ("lsyncd", "rsync")

    def command(self) -> list[str]:
        return ["lsyncd", "-nodaemon", str(self.place.configured("lsyncd"))]


class Lines(Daemon):
    """A program that sends lines, and another that receives them and gives them to `jsonl-audit collect`."""

    def receiving(self) -> list[str]:
        """What is started at the other end."""
        raise NotImplementedError

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self._receiver = self.run(*self.receiving())
        _listens(place, self.name)

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return super().run(*command)

    def stop(self) -> None:
        super().stop()
        # Its end is the end of what `collect` reads.
        self._receiver.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._receiver.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._receiver.pid, signal.SIGKILL)
        self._receiver.wait()


class Logagent(Daemon):
    """It writes to a pipe, at whose other end `jsonl-audit collect` reads."""

    name = "logagent"
    needs = ("logagent",)
    keep = 30  # it looks for new files every ten seconds

    def command(self) -> list[str]:
        send = f"exec logagent --config {self.place.configured('logagent')}"
        take = f"exec {sys.executable} -m jsonl_audit collect -q --field message {self.place.there}"
        return ["sh", "-c", f"({send}) | ({take})"]

    def stop(self) -> None:
        # The sender first: its end is the end of what `collect` reads.
        for process in self._processes:
            subprocess.run(["pkill", "-TERM", "-g", str(process.pid), "node"], check=False, stdin=subprocess.DEVNULL)
        super().stop()


class Rsyslog(Lines):
    name = "rsyslog"
    needs = ("rsyslogd",)

    def _daemon(self, *, receiver: bool) -> list[str]:
        file = self.place.configured(self.name, receiver=receiver)
        pid = file.with_suffix(".pid")
        # What a killed one left would stop the next.
        pid.unlink(missing_ok=True)
        return ["rsyslogd", "-n", "-f", str(file), "-i", str(pid)]

    def command(self) -> list[str]:
        return self._daemon(receiver=False)

    def receiving(self) -> list[str]:
        return self._daemon(receiver=True)


class SyslogNg(Lines):
    name = "syslog-ng"
    needs = ("syslog-ng",)

    def _daemon(self, *, receiver: bool) -> list[str]:
        file = self.place.configured(self.name, receiver=receiver)
        own = self.place.state / ("receiver" if receiver else "sender")
        return [
            "syslog-ng", "-F", "--no-caps", "-f", str(file), "-R", f"{own}/persist", "-p", f"{own}/pid",
            "-c", f"{own}/control",
        ]  # fmt: skip

    def command(self) -> list[str]:
        return self._daemon(receiver=False)

    def receiving(self) -> list[str]:
        return self._daemon(receiver=True)


ROUTES: dict[str, type[Route]] = {each.name: each for each in (Rsync, Cp, Tar, Ship, Scp, Rclone, Lsyncd, Rsyslog, SyslogNg, Logagent)}


# -- a writer that is shipped from


class Trouble(Exception):  # noqa: N818 - it says what is wrong with a shipment, not with the test
    """What may not be."""


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
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


def _chained(files: list[Path]) -> tuple[int, bytes, set[int], list[str]]:
    """A walk along the chain over all lines of files, in no order: the last seq and its hash, the numbers of the
    events, and what is wrong with it."""
    wrong, lines = [], {}
    for path in files:
        for line in path.read_bytes().split(b"\n")[:-1]:
            found = _RECORD.match(line)
            if found is None or blake3(line[:-75]).hexdigest().encode() != line[-66:-2]:
                continue
            seq = int(found[1])
            if lines.setdefault(seq, line) != line:
                wrong.append(f"two records with seq {seq}")
    head, seq, numbers = b"0" * 64, 0, set()
    while (line := lines.get(seq + 1)) is not None:
        if line[-140:-76] != head:
            wrong.append(f"seq {seq + 1} does not link")
            break
        seq, head = seq + 1, line[-66:-2]
        number = _NUMBER.search(line)
        if number:
            numbers.add(int(number[1]))
    if lines and max(lines) > seq:
        wrong.append(f"seq {seq + 1} is missing, of {max(lines)}")
    return seq, head, numbers, wrong


def _look(place: Place, outcome: Outcome) -> None:
    """Verifies what has arrived so far, as one would."""
    for folder in {path.parent for path in place.arrived()}:
        try:
            report = verify(folder / NAME, copy=True)
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
        report = verify(folder / NAME, copy=True)
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
        writer.start()
        way = route(place)
        way.start()
        while not writer.ended:
            time.sleep(chance.uniform(0.3, 1.2))
            if trouble == "kill":
                way.kill()
                outcome.kills += 1
                way.start()
            elif trouble == "crash" and (chance.random() < 0.5 or not outcome.kills) and not writer.ended:
                writer.crash()
                outcome.kills += 1
                writer.start()
            _look(place, outcome)
        way.settle()
        _wait(place, verify(place.log).last_seq)
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


def _wait(place: Place, last_seq: int | None) -> None:
    """Until everything is at the other end, or nothing has come for a long while."""
    size, since = -1, time.monotonic()
    while time.monotonic() - since < PATIENCE:
        with contextlib.suppress(FileNotFoundError):  # it was renamed in this moment
            files = place.arrived()
            found = sum(path.stat().st_size for path in files)
            if found != size:
                size, since = found, time.monotonic()
                if _chained(files)[0] == last_seq:
                    return
        time.sleep(0.3)


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
        told = "; ".join(outcome.wrong) or told
        print(f"{outcome.route:10} {outcome.trouble:6} {outcome.seconds:6.1f} s  {told}", file=sys.stderr, flush=True)
    print(_table(outcomes, troubles))
    return 1 if any(outcome.wrong for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
