"""Shipping to addresses that fsspec knows: places that can append, and stores in which nothing grows."""

from __future__ import annotations

import platform
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from disk import Disk

from jsonl_audit import LockedError, LogError, RefusedError, Shipped, StorageError, WrongLogError, ship, verify
from jsonl_audit.ship import remote
from jsonl_audit.ship.remote import Remote

fsspec = pytest.importorskip("fsspec")
pytestmark = pytest.mark.usefixtures("quick_disk")


class Far:
    """Somewhere that is reached by an address; `only_whole` makes it a store in which nothing grows."""

    def __init__(self, url: str, options: dict[str, Any] | None = None) -> None:
        self.url = url
        self.options = options or {}
        self.fs, self.base = fsspec.core.url_to_fs(url, **self.options)
        self.base = self.base.rstrip("/")

    def files(self) -> dict[str, bytes]:
        """What lies there, by name, but for the claim."""
        self.fs.invalidate_cache()
        found = {str(path)[len(self.base) + 1 :]: self.fs.cat_file(path) for path in self.fs.find(self.base)}
        return {name: data for name, data in found.items() if not name.endswith(".lock")}

    def put(self, name: str, data: bytes) -> None:
        self.fs.pipe_file(f"{self.base}/{name}", data)

    def fetch(self, folder: Path) -> Path:
        """A copy of what lies there, to be verified."""
        for name, data in self.files().items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return folder


@pytest.fixture(params=["memory", "local", "whole"])
def far(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Far:
    if request.param == "local":
        return Far(f"local://{tmp_path}/far")
    if request.param == "whole":
        monkeypatch.setattr(remote, "GROWING", frozenset())
    return Far(f"memory://far-{uuid.uuid4()}")


def once(disk: Disk, far: Far, **options: Any) -> Shipped:
    (outcome,) = ship(disk.path, far.url, options=far.options, **options)
    return outcome


def lying(disk: Disk) -> dict[str, bytes]:
    found = [path for path in disk.folder.rglob("*") if path.is_file() and "shipped" not in path.parts]
    return {str(path.relative_to(disk.folder)): path.read_bytes() for path in found if path.suffix != ".lock"}


def test_what_arrives_is_the_log_and_the_next_time_only_what_is_new(disk: Disk, far: Far, tmp_path: Path) -> None:
    disk.make(3, 3, 2)
    outcome = once(disk, far)
    assert (outcome.exit_code, outcome.sealed) == (0, 2)
    assert far.files() == lying(disk)
    assert once(disk, far).bytes == 0
    with disk.open() as log:
        log.append("t", details=log.attach(b"x" * 5000))
        log.rotate()
        log.append("t")
    assert once(disk, far).sealed == 1
    assert far.files() == lying(disk)
    assert verify(far.fetch(tmp_path / "copy") / disk.path.name).verdict == "intact"


def test_each_round_goes_on_from_what_lies_there(disk: Disk, far: Far) -> None:
    for n in range(6):
        with disk.open() as log:
            log.append("t", n=n)
            if n % 2:
                log.rotate()
        assert once(disk, far).ok
        assert far.files() == lying(disk)


def test_names_with_brackets_stars_and_spaces_are_no_patterns(tmp_path: Path, far: Far) -> None:
    disk = Disk(tmp_path / "log", "a [b]* ?.jsonl")
    disk.folder.mkdir()
    disk.make(2, 2)
    once(disk, far)
    with disk.open() as log:
        log.rotate()
        log.append("t")
    assert once(disk, far).ok
    assert far.files() == lying(disk)


def test_another_log_there_is_left_alone(disk: Disk, far: Far, tmp_path: Path) -> None:
    disk.make(2)
    other = Disk(tmp_path / "other")
    other.folder.mkdir()
    once(other.make(1), far)
    before = far.files()
    with pytest.raises(WrongLogError, match="another log lies there"):
        once(disk, far)
    assert far.files() == before


def test_a_copy_that_differs_or_holds_more_is_left_alone(disk: Disk, far: Far) -> None:
    disk.make(5)
    once(disk, far)
    whole = disk.path.read_bytes()
    disk.cut(-200)
    with pytest.raises(RefusedError, match="holds more"):
        once(disk, far)
    disk.path.write_bytes(whole)
    disk.flip(800)
    with pytest.raises(RefusedError, match="from byte 800"):
        once(disk, far)
    assert far.files() == {disk.path.name: whole}


def test_what_is_gone_at_the_source_before_it_arrived_is_named_and_what_is_there_kept(disk: Disk, far: Far) -> None:
    disk.make(4)
    once(disk, far, hold=False)
    arrived = disk.path.read_bytes()
    with disk.open() as log:
        log.append("t")
        log.rotate()
        log.append("t")
    disk.sealed()[0].unlink()
    outcome = once(disk, far)
    assert (outcome.exit_code, [problem.kind for problem in outcome.problems]) == (3, ["incomplete"])
    found = far.files()
    assert found.pop(disk.path.name) == disk.path.read_bytes()
    assert list(found.values()) == [arrived]


def test_a_place_that_fails_midway_is_gone_on_with(disk: Disk, far: Far, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.make(3, 3, 3)
    for method in ("append", "put", "rename", "size", "read", "_say"):
        real = getattr(Remote, method)
        left = [2]

        def failing(*args: Any, _real: Callable[..., Any] = real, _left: list[int] = left, **kwargs: Any) -> Any:
            _left[0] -= 1
            if _left[0] == 0:
                raise OSError(113, "no route to host", "far")
            return _real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(Remote, method, failing)
            try:
                once(disk, far)
            except StorageError as error:
                assert error.errno == 113  # noqa: PT017 - not every place makes every call twice
    assert once(disk, far).ok
    assert far.files() == lying(disk)


def test_two_shippers_do_not_fill_one_place_and_a_dead_one_is_no_shipper(disk: Disk, far: Far) -> None:
    disk.make(1)
    once(disk, far)
    first = Remote(far.url, disk.path.name, far.options)
    first.take()
    with pytest.raises(LockedError, match="ships to this log"):
        once(disk, far)
    first._mine = "somebody else's"
    first.release()  # killed: the claim stays
    far.put(disk.path.name + ".lock", b'{"at":%d,"host":"elsewhere","pid":1}' % (time.time() - 1000))
    assert once(disk, far).ok
    here = platform.node().encode()
    far.put(disk.path.name + ".lock", b'{"at":%d,"host":"%b","pid":999999999}' % (time.time(), here))
    assert once(disk, far).ok


def test_where_nothing_grows_the_active_segment_is_not_put_anew_all_the_time(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "GROWING", frozenset())
    far = Far(f"memory://far-{uuid.uuid4()}")
    puts: list[str] = []
    real = Remote.put

    def put(self: Remote, name: str, blocks: Iterator[bytes]) -> None:
        puts.append(name)
        time.sleep(0.01)
        real(self, name, blocks)

    monkeypatch.setattr(Remote, "put", put)
    disk.make(1)
    rounds: list[int] = []

    def stop() -> bool:
        with disk.open() as log:
            log.append("t")
        rounds.append(1)
        return len(rounds) > 60

    ship(disk.path, far.url, follow=True, interval=0.001, stop=stop)
    assert 1 <= puts.count(disk.path.name) < 30
    assert disk.path.read_bytes().startswith(far.files()[disk.path.name])


def test_no_password_is_told_or_noted(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.make(1)
    place = Remote("memory://me:secret@far/logs", "audit.jsonl")
    assert "secret" not in place.address + place.shown("x")


def test_without_fsspec_or_for_an_unknown_address_it_says_what_to_do(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.make(1)
    with pytest.raises(LogError, match="cannot use this address"):
        ship(disk.path, "nonesuch://far/logs")
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(LogError, match=r"jsonl-audit\[fsspec\]"):
        ship(disk.path, "memory://far")
