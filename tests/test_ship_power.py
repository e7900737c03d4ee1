"""The power cut, or the shipper killed, between any two steps: what lies there verifies, and the next one goes on."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from disk import sealed_names
from simdisk import ROOT, Mount, SimDisk, edges
from workloads import FOLDER, LOG, opened

from jsonl_audit import AuditError, StorageError, ship, shipped, verify
from jsonl_audit.segment import Names
from jsonl_audit.ship.folder import Folder

pytestmark = pytest.mark.exhaustive
THERE = f"{ROOT}/mnt/copy"
COPY = f"{THERE}/audit.jsonl"


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch) -> Mount:
    monkeypatch.setattr("jsonl_audit.ship.pace.BLOCK", 700)  # so that a segment comes in several writes
    monkeypatch.setattr(Folder, "keep", lambda *_: None)  # this disk has no times
    monkeypatch.setattr(Folder, "kept", lambda *_: False)
    return Mount(monkeypatch)


def _write(count: int, *, rotate: bool = False) -> None:
    with opened() as log:
        for n in range(count):
            log.append("t", n=n, details=log.attach(bytes([n]) * 90) if n == 1 else {})
        if rotate:
            log.rotate()
            log.append_many([{"type": "t"}, {"type": "t"}])


def _purge() -> None:
    with opened() as log:
        log.purge(keep=1, reason="old")
        log.rotate()
        log.append("t")


def _two() -> None:
    _write(2, rotate=True)
    _write(2, rotate=True)


RUNS: dict[str, list[Callable[[], None]]] = {
    "fresh": [_two],
    "again and again": [partial(_write, 2), partial(_write, 1, rotate=True), _two],
    "with purge": [_two, _purge],
}


def _log_files(disk: SimDisk, folder: str) -> dict[str, bytes]:
    attached = disk.files(f"{folder}/audit.jsonl.d/artifacts")
    found = disk.files(folder) | {f"artifacts/{name}": data for name, data in attached.items()}
    return {name: data for name, data in found.items() if not name.endswith(".lock")}


@pytest.mark.parametrize("name", RUNS)
def test_whatever_is_left_verifies_and_the_next_shipper_goes_on(
    mount: Mount, name: str, long: bool, tried: Callable[[str, int], None]
) -> None:
    moments: list[tuple[str, SimDisk]] = []
    for run in RUNS[name]:
        run()
        disk = mount.disk
        disk.watch = lambda step, disk=disk: moments.append((step, disk.copy()))  # type: ignore[misc]
        ship(LOG, THERE)
        disk.watch = None
    moments.append(("the end", mount.disk.copy()))
    seen: set[object] = set()
    chance = random.Random(name)
    for step, before in moments:
        if not before.exists(THERE):
            continue
        for state in [*before.power_cuts(sizes=edges, limit=0 if long else 1, chance=chance), *before.kills(edges)]:
            if state.key() not in seen:
                seen.add(state.key())
                _judge(mount, state, f"{name}, before {step}")
    tried("states", len(seen))


def _judge(mount: Mount, state: SimDisk, what: str) -> None:
    mount.disk = state
    _verified(state, what)
    if "audit.jsonl" not in state.files(FOLDER):
        return
    before = [each for each in shipped.read(Names.of(LOG)) if each.seq]
    with opened():  # recovers what the power cut left of the source
        pass
    if before:
        assert verify(COPY).last_seq >= before[0].seq, what
    outcome, = ship(LOG, THERE)
    assert outcome.ok, f"{what}: {outcome.problems}"
    source, copy = _log_files(state, FOLDER), _log_files(state, THERE)
    for path, data in source.items():
        if path != "audit.jsonl.next" and not path.startswith("artifacts/new-"):  # never in place at the source
            assert copy.pop(path) == data, f"{what}: {path}"
    assert all(path.startswith("audit.2") for path in copy), what  # sealed segments that were purged at the source
    assert verify(COPY, full=True).verdict == "intact", what


def _verified(state: SimDisk, what: str) -> None:
    """Raises nothing: what lies there is a log, or none has begun yet. A purged one may lack its beginning for now."""
    try:
        report = verify(COPY)
    except StorageError:
        assert not state.files(THERE).get("audit.jsonl"), what
        assert not sealed_names(state.files(THERE), "audit.jsonl"), what
    else:
        assert report.verdict in ("intact", "torn", "incomplete", "empty"), f"{what}: {report}"


def _failing(call: str, nth: int, *, behind: bool) -> Callable[..., Any]:
    left = [nth]

    def fault(name: str, args: tuple[Any, ...], go: Callable[[], Any]) -> Any:
        left[0] -= name == call
        if name != call or left[0]:
            return go()
        if behind:
            go()
        raise OSError(errno.EIO, "Input/output error")

    return fault


CALLS = ["write", "sync", "sync_directory", "rename", "open_append", "replace", "overwrite"]


@pytest.mark.parametrize(("call", "behind"), [*((c, False) for c in CALLS), *((c, True) for c in CALLS if c[0] != "o")])
def test_a_call_that_fails_once_costs_nothing_but_another_try(
    mount: Mount, call: str, behind: bool, tried: Callable[[str, int], None]
) -> None:
    _write(2, rotate=True)
    _write(2, rotate=True)
    start = mount.disk.copy()
    for nth in range(1, 100):
        mount.disk = start.copy()
        mount.fault = fault = _failing(call, nth, behind=behind)
        with suppress(AuditError):
            ship(LOG, THERE)
        mount.fault = None
        assert mount.disk.open_files == {}, f"{call} {nth}: something is left open"
        _verified(mount.disk, f"{call} {nth}")
        outcome, = ship(LOG, THERE)
        assert outcome.ok
        assert _log_files(mount.disk, THERE) == _log_files(mount.disk, FOLDER), f"{call} {nth}"
        if fault.__closure__ is not None and _left(fault) > 0:
            break
    tried("faults", nth)


def _left(fault: Callable[..., Any]) -> int:
    """How many calls were still to come when the program ended."""
    cells = dict(zip(fault.__code__.co_freevars, fault.__closure__ or (), strict=True))
    return int(cells["left"].cell_contents[0])
