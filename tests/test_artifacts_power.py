"""The power cut, and the program killed, between any two steps of storing: whoever got a reference has its artifact."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from blake3 import blake3
from mishaps import Died
from simdisk import Mount, SimDisk, edges
from workloads import FOLDER, LOG, opened

from jsonl_audit import AuditError, verify
from jsonl_audit.artifacts import Store, folder_of, source
from jsonl_audit.segment import Names

pytestmark = pytest.mark.exhaustive
CONTENTS = [b"", b"small", bytes(700), b"a longer one, " * 200]


@pytest.fixture
def mount(monkeypatch: pytest.MonkeyPatch) -> Mount:
    monkeypatch.setattr(source, "BLOCK", 512)  # so that the longest comes in several writes
    monkeypatch.setattr("jsonl_audit.artifacts.store.BLOCK", 512, raising=False)
    return Mount(monkeypatch)


def _create(told: list[str]) -> None:
    store = Store(Names.of(LOG))
    with opened() as log:
        for content in CONTENTS:
            told.append(store.put(content)["artifact"])
            log.append("t", details=store.put(content))


def _store_first(told: list[str]) -> None:
    """Before there is a log: the store makes the folders."""
    store = Store(Names.of(LOG))
    told.append(store.put(CONTENTS[1])["artifact"])
    with opened() as log:
        log.append("t", details=store.put(CONTENTS[1]))


def _by_the_log(told: list[str]) -> None:
    """What is attached, and what is too long for a line."""
    long = "some words of an output " * 60
    with opened(line_limit=1024) as log:
        told.append(log.attach(b"small")["artifact"])
        log.append("t", details=log.attach(b"small"), text=long)
        told.append(blake3(long.encode()).hexdigest())
        log.append_many([{"type": "t", "text": long[1:]}, {"type": "t"}])
        told.append(blake3(long[1:].encode()).hexdigest())


def _twice(told: list[str]) -> None:
    """Two processes store the same: the second has only to see to it that it is on the disk."""
    one, two = Store(Names.of(LOG)), Store(Names.of(LOG))
    for content in CONTENTS[:3]:
        one.put(content)
        told.append(two.put(content)["artifact"])
    told.append(one.put(CONTENTS[3])["artifact"])


def _found(told: list[str]) -> None:
    """What a process left that was killed in the middle of it, in the cache alone."""
    store = Store(Names.of(LOG))
    for content in CONTENTS:
        told.append(store.put(content)["artifact"])  # noqa: PERF401 - each is known before the next is stored


def _half_stored(mount: Mount) -> None:
    disk, folder = mount.disk, folder_of(Names.of(LOG))
    disk.unsynced_directory(folder)
    copied = blake3(CONTENTS[2]).hexdigest()  # by a person, from another place
    for name, data in {copied: CONTENTS[2], "0" * 64: b"", "new-1-dead": b"half"}.items():
        fd = disk.open_append(f"{folder}/{name}", create=True)
        disk.write(fd, data)
        disk.close(fd)
    store = Store(Names.of(LOG))
    for content in CONTENTS[:2]:  # whole, and named, but for the sync of the folder
        fault = mount.fault = _stop_at("sync_directory", mount, after="replace")
        with pytest.raises(Died):
            store.put(content)
        assert fault
    mount.fault = None
    mount.disk = mount.disk.killed()


def _stop_at(call: str, mount: Mount, *, after: str) -> Callable[..., Any]:
    made: list[str] = []

    def fault(name: str, _: tuple[Any, ...], go: Callable[[], Any]) -> Any:
        made.append(name)
        if name == call and after in made:
            mount.fault = None
            raise Died
        return go()

    return fault


RUNS = {"create": _create, "by the log": _by_the_log, "the store first": _store_first, "twice": _twice, "found": _found}


@pytest.mark.parametrize("name", RUNS)
def test_a_reference_that_was_given_out_leads_to_a_whole_artifact_whatever_comes(
    mount: Mount, name: str, tried: Callable[[str, int], None]
) -> None:
    if name == "found":
        _half_stored(mount)
    told: list[str] = []
    moments: list[tuple[str, SimDisk, list[str]]] = []
    disk = mount.disk
    disk.watch = lambda step: moments.append((step, disk.copy(), list(told)))
    RUNS[name](told)
    disk.watch = None
    moments.append(("the end", disk.copy(), list(told)))
    seen: set[object] = set()
    chance = random.Random(name)
    for step, before, known in moments:
        for state in [*before.power_cuts(sizes=edges, limit=16, chance=chance), *before.kills(edges)]:
            key = state.key(), len(known)
            if key not in seen:
                seen.add(key)
                _judge(mount, state, known, f"{name}, before {step}")
    tried("states", len(seen))


def _judge(mount: Mount, state: SimDisk, known: list[str], what: str) -> None:
    mount.disk = state
    store = Store(Names.of(LOG))
    assert {own: store.state(own) for own in known} == dict.fromkeys(known, "whole"), what
    if "audit.jsonl" in state.files(FOLDER):
        report = verify(LOG)
        assert report.ok, f"{what}: {report}"
    for content in CONTENTS:  # and whatever was left, the next one can go on
        assert store.read(store.put(content)) == content, what
    assert not [left for left in state.files(store.path) if left.startswith("new-")], what


def _failing(call: str, nth: int, *, behind: bool) -> Callable[..., Any]:
    """The n-th call of that name fails, with or without having been done."""
    left = [nth]

    def fault(name: str, _: tuple[Any, ...], go: Callable[[], Any]) -> Any:
        left[0] -= name == call
        if name != call or left[0]:
            return go()
        left[0] = -1
        if behind or name == "close":
            go()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    return fault


@pytest.mark.parametrize("call", ["open_append", "write", "sync", "replace", "sync_directory", "close", "stat"])
@pytest.mark.parametrize("nth", range(1, 7))
def test_no_call_that_fails_leaves_a_record_without_its_artifact(
    mount: Mount, call: str, nth: int, tried: Callable[[str, int], None]
) -> None:
    """Each failing once, before the call or behind it; then all that is told is true, and the next try works."""
    for behind in (False, True):
        mount.disk = SimDisk()
        mount.fault = _failing(call, nth, behind=behind)
        told: list[str] = []
        errors: list[tuple[int | None, bool]] = []
        store = Store(Names.of(LOG))
        for content in CONTENTS:
            try:
                told.append(store.put(content)["artifact"])
            except AuditError as error:
                errors.append((error.errno, "nothing refers to it" in str(error)))
        mount.fault = None
        mount.disk = next(mount.disk.power_cuts(sizes=edges, limit=2, chance=random.Random(nth)))
        assert {store.state(own) for own in told} <= {"whole"}
        assert len(told) + len(errors) == len(CONTENTS)
        assert errors in ([], [(errno.EIO, True)])
        for content in CONTENTS:
            assert store.read(store.put(content)) == content
    tried("faults", 2)
