"""What every test may ask for: real input, the published vectors, an empty folder for a log."""

from __future__ import annotations

import gzip
import json
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from disk import Calls, Disk
from hypothesis import HealthCheck, settings

from jsonl_audit.accessed import recorder as recorder_module
from jsonl_audit.accessed import setting
from jsonl_audit.accessed.setting import place_of

REPOSITORY = Path(__file__).resolve().parent.parent

# No deadline: a file system under load is slow at times, and that is no failure. In CI the same
# examples every time, so that a red run can be repeated.
settings.register_profile("here", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("here"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def _shared(name: str) -> Path:
    """A file or folder of the shared/ directory beside the repository, or a skip that says why."""
    path = REPOSITORY.parent / "shared" / name
    if not path.exists():
        pytest.skip(f"needs shared/{name} beside the repository, which is not here")
    return path


@pytest.fixture(scope="session")
def cloudtrail_file() -> Path:
    """The gzipped file of 2,900 real events, one JSON object a line."""
    return _shared("data/cloudtrail-2900.jsonl.gz")


@pytest.fixture(scope="session")
def cloudtrail(cloudtrail_file: Path) -> list[dict[str, Any]]:
    """The 2,900 real events as dicts. Shared by all tests of a process: copy before you change one."""
    with gzip.open(cloudtrail_file, "rb") as lines:
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The folder of small logs, whole and damaged, made by an independent implementation."""
    return _shared("vectors")


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    """An empty folder, mode 0700, that nothing but the test's own log lies in."""
    folder = tmp_path / "log"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def disk(log_dir: Path) -> Disk:
    """A folder for one log, with verbs."""
    return Disk(log_dir)


@pytest.fixture
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Syncs that do not wait for the disk: no test here cuts the power to a real one."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _: None, raising=False)


@pytest.fixture(scope="session")
def loopback() -> None:
    """This machine can be reached from itself. In a bare network namespace (`unshare -n`) even that is not so."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        try:
            socket.create_connection(listening.getsockname(), 10).close()
        except OSError as error:
            pytest.skip(f"needs 127.0.0.1, which cannot be reached here: {error.strerror}")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """What is asked of the operating system from here on."""
    return Calls(monkeypatch)


# -- how much was tried: counted where it is done, in whatever process, and told at the end of the run

TRIED = ("states", "faults", "tamperings", "schedules", "inputs", "steps")
_sums: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--long`: the enumerations take every case, where else some of them are drawn by lot."""
    parser.addoption("--long", action="store_true", help="try every case of the enumerations: many minutes")


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether every case is to be tried."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Callable[[str, int], None]:
    """Takes how many cases of a kind a test has tried."""

    def take(kind: str, count: int) -> None:
        assert kind in TRIED
        assert count > 0, f"no {kind} tried"
        record_property(kind, count)

    return take


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Adds up; with several processes, in the one that prints."""
    if report.when == "call":
        for kind, count in report.user_properties:
            if kind in TRIED and isinstance(count, int):
                _sums[kind] += count


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A line of the sums."""
    if _sums:
        terminalreporter.write_line("tried: " + ", ".join(f"{_sums[kind]:,} {kind}" for kind in TRIED if _sums[kind]))


@pytest.fixture(autouse=True)
def _unrecorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process reads leave no record, but where a test asks for `recorder`."""
    monkeypatch.setattr(recorder_module, "place_of", lambda _: None)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, _unrecorded: None) -> Iterator[recorder_module.Recorder]:
    """Reads are recorded, as in any other process; this is what does it, and has read nothing yet."""
    monkeypatch.setattr(recorder_module, "place_of", place_of)
    setting.forget()
    made = recorder_module.Recorder()
    monkeypatch.setattr(recorder_module, "_recorder", made)
    yield made
    made.close()
    setting.forget()


@pytest.fixture(autouse=True)
def _plain_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests changes what the tests see."""
    for name in ("JSONL_AUDIT_PATH", "NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
