"""Ways to ship a log from one folder to another, each as `jsonl-audit ship-config` has it: for tests/shipping.py."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from jsonl_audit.cli.shippers import SHIPPERS, configuration

__all__ = ["NAME", "ROUTES", "Place", "Route", "Trouble"]

NAME = "audit.jsonl"


class Trouble(Exception):  # noqa: N818 - it says what is wrong with a shipment, not with the test
    """What may not be."""


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

    @property
    def ready(self) -> bool:
        """Whether it is at work, so that it may be relied on."""
        return True

    def kill(self) -> None:
        """SIGKILL, wherever it happens to be."""
        raise NotImplementedError

    def tend(self) -> int:
        """Starts again what ended by itself, as systemd would: so many times."""
        return 0

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


class Sftp(Loop):
    """To an sshd on this machine, with a key of its own."""

    name = "sftp"
    needs = ("sftp", "ssh-keygen", "sshd")

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
        text = self.script.read_text().replace("sftp -q", f"sftp {known} -q")
        self.script.write_text(text.replace(str(place.there), f"sftp://127.0.0.1:{place.port}/{place.there}"))

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

    def run(
        self, *command: str, stdin: int | IO[bytes] = subprocess.DEVNULL, stdout: int | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts a program whose words go to a file."""
        here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with (self.place.state / "said").open("ab") as said:
            return subprocess.Popen(
                command, stdin=stdin, stdout=said if stdout is None else stdout, stderr=said, start_new_session=True,
                cwd=self.place.state, env={**os.environ, "PATH": here},
            )  # fmt: skip

    def start(self) -> None:
        self._processes = [self.run(*self.command())]

    def tend(self) -> int:
        if all(process.poll() is None for process in self._processes):
            return 0
        self.kill()
        self.start()
        return 1

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

    @property
    def ready(self) -> bool:
        # From then on retention waits for it.
        return any(self.place.here.glob(f"{NAME}.d/shipped/*.json"))

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

    def start(self) -> None:
        sender = self.run("logagent", "--config", str(self.place.configured(self.name)), stdout=subprocess.PIPE)
        assert sender.stdout is not None
        taking = [sys.executable, "-m", "jsonl_audit", "collect", "-q", "--field", "message", str(self.place.there)]
        self._processes = [sender, self.run(*taking, stdin=sender.stdout)]
        sender.stdout.close()

    def stop(self) -> None:
        sender, taker = self._processes
        # Its end is the end of what `collect` reads.
        sender.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            taker.wait(20)
        self.kill()


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


_ALL: tuple[type[Route], ...] = (Rsync, Cp, Tar, Ship, Sftp, Rclone, Lsyncd, Rsyslog, SyslogNg, Logagent)
ROUTES = {each.name: each for each in _ALL}
"""Every way to ship a log that is tried here, by its name."""
