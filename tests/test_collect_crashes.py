"""Collecting is killed, loses power, or a call fails, at any moment: when all is sent again, all is there."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from logs import Log
from simdisk import ROOT, Mount, SimDisk, edges

from jsonl_audit import AuditError, LogError, StorageError, WrongLogError
from jsonl_audit.receive import Collector, collector

pytestmark = pytest.mark.exhaustive

PLACE = f"{ROOT}/received"
ORDERS = ("in order", "shuffled", "the newest first")


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch) -> Mount:
    monkeypatch.setattr(collector, "_SYNC", 0.0)
    return Mount(monkeypatch)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a log of four segments, of which one has a torn end."""
    log = Log(tmp_path_factory.mktemp("source"), "gateway.jsonl").fill(2).seal().fill(1)
    before = log.seq, log.head, log._size
    batch = log.batch([{"type": "a.b"}] * 3)
    log.active.write_bytes(log.active.read_bytes()[: -len(batch[-1])] + b'{"seq":7,"ts"')
    log.seq, log.head, log._size = before
    log.seal().fill(2).seal().fill(1)
    return {path.name: path.read_bytes() for path in log.paths}


def stream(source: dict[str, bytes], order: str) -> list[bytes]:
    lines = [line.rstrip(b"\n") + b"\n" for data in source.values() for line in data.splitlines()]
    if order == "shuffled":
        random.Random(3).shuffle(lines)
    elif order == "the newest first":
        lines.reverse()
    return lines


def send(lines: list[bytes]) -> Collector:
    """Collects lines, in parts."""
    with Collector(PLACE) as collecting:
        for at in range(0, len(lines), 4):
            collecting.take(lines[at : at + 4])
        collecting.finish()
    return collecting


def received(disk: SimDisk) -> dict[str, bytes]:
    (folder,) = [name for name in disk.directory(PLACE).names if name != ".collect"]
    return disk.files(f"{PLACE}/{folder}")


def moments(mount: Mount, lines: list[bytes]) -> Iterator[tuple[str, SimDisk]]:
    found: list[tuple[str, SimDisk]] = []
    mount.disk = disk = SimDisk()
    disk.watch = lambda step: found.append((step, disk.copy()))
    send(lines)
    disk.watch = None
    yield from found


def judge(mount: Mount, disk: SimDisk, lines: list[bytes], source: dict[str, bytes], what: str) -> None:
    """What is left is gone on from: all is sent again, and all is there."""
    mount.disk = disk
    before = disk.copy()
    try:
        again = send(lines)
        assert received(disk) == source
        assert len(again.waiting) == 0
    except Exception as error:
        files = {name: before.files(f"{PLACE}/{name}") for name in before.directory(ROOT).names}
        raise AssertionError(f"{what}: {type(error).__name__}: {error}\n{files}") from error


@pytest.mark.parametrize("order", ORDERS)
def test_killed_at_any_moment(
    mount: Mount, source: dict[str, bytes], order: str, tried: Callable[[str, int], None]
) -> None:
    lines, count = stream(source, order), 0
    for number, (step, disk) in enumerate(moments(mount, lines)):
        for state in disk.kills(edges):
            judge(mount, state, lines, source, f"killed at step {number}, {step}")
            count += 1
    tried("states", count)


@pytest.mark.parametrize("order", ORDERS)
def test_the_power_cut_at_any_moment(
    mount: Mount, source: dict[str, bytes], order: str, long: bool, tried: Callable[[str, int], None]
) -> None:
    lines, chance, seen = stream(source, order), random.Random(order), set()
    for number, (step, disk) in enumerate(moments(mount, lines)):
        for state in disk.power_cuts(sizes=edges, limit=200 if long else 3, chance=chance):
            if state.key() not in seen:
                seen.add(state.key())
                judge(mount, state, lines, source, f"power cut before step {number}, {step}")
    tried("states", len(seen))


@pytest.mark.parametrize("order", ORDERS)
def test_what_was_synced_need_not_be_sent_again(mount: Mount, source: dict[str, bytes], order: str) -> None:
    lines, chance = stream(source, order), random.Random(order)
    for sent in range(1, len(lines), 3):
        mount.disk = SimDisk()
        send(lines[:sent])
        for state in mount.disk.power_cuts(sizes=edges, limit=3, chance=chance):
            judge(mount, state, lines[sent:], source, f"power cut after {sent} lines")


@pytest.mark.parametrize("how", ["undone", "done", "half"])
def test_any_call_fails_once(
    mount: Mount, source: dict[str, bytes], how: str, long: bool, tried: Callable[[str, int], None]
) -> None:
    """It is said by an error of this package; collecting anew, and sending again, goes on."""
    lines, nth, count = stream(source, "shuffled"), 0, 0
    said: set[type[AuditError]] = set()
    while True:
        nth += 1 if long else random.Random(nth).randint(1, 5)
        made = 0

        def fail(name: str, args: tuple[Any, ...], go: Callable[[], Any], nth: int = nth) -> Any:
            nonlocal made
            made += 1
            if made != nth or name == "close":
                return go()
            number = errno.ENOSPC if name in ("write", "sync", "open_append") else errno.EIO
            if how == "done" and not name.startswith("open"):
                go()
            elif how == "half" and name == "write":
                mount.disk.write(args[0], args[1][: len(args[1]) // 2])
            raise OSError(number, os.strerror(number), *(arg for arg in args[:1] if isinstance(arg, str)))

        mount.disk, mount.fault = SimDisk(), fail
        try:
            send(lines)
        except AuditError as error:
            said.add(type(error))
        finally:
            mount.fault = None
        if made < nth:
            break
        judge(mount, mount.disk.killed(), lines, source, f"call {nth} failed, {how}")
        count += 1
    assert said <= {StorageError, WrongLogError}
    tried("faults", count)


def test_a_full_disk_is_an_error_and_no_harm(mount: Mount, source: dict[str, bytes]) -> None:
    lines = stream(source, "in order")
    send(lines[:6])
    (folder,) = [name for name in mount.disk.directory(PLACE).names if name != ".collect"]
    mount.disk.full |= {f"{PLACE}/{folder}", f"{PLACE}/.collect/waiting", f"{PLACE}/.collect"}
    with pytest.raises(StorageError, match="cannot be written to: No space left") as caught:
        send(lines)
    assert caught.value.errno == errno.ENOSPC
    mount.disk.full.clear()
    mount.disk = mount.disk.killed()
    judge(mount, mount.disk, lines, source, "there is space again")


def test_another_program_wrote_into_a_file(mount: Mount, source: dict[str, bytes], tmp_path: Path) -> None:
    lines = stream(source, "in order")
    send(lines)
    (folder,) = [name for name in mount.disk.directory(PLACE).names if name != ".collect"]
    path = f"{PLACE}/{folder}/gateway.jsonl"
    mount.disk.put_file(path, source["gateway.jsonl"] + b"what is this\n")
    with pytest.raises(LogError, match="does not go on from the one before it"):
        Collector(PLACE)
    mount.disk.put_file(path, source["gateway.jsonl"])
    mount.disk.put_file(f"{PLACE}/{folder}/notes.txt", b"mine\n")
    with pytest.raises(LogError, match=r"notes\.txt: this file is no segment of the log"):
        Collector(PLACE)
