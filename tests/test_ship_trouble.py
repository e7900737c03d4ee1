"""Shipping where something is wrong: nothing at the destination is cut, written over or fused, and it is said."""

from __future__ import annotations

import errno
import gzip
import os
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from disk import Calls, Disk
from logs import build

from jsonl_audit import (
    LockedError,
    LogError,
    NotALogError,
    RefusedError,
    Shipped,
    StorageError,
    WrongLogError,
    ship,
    storage,
    verify,
)

pytestmark = pytest.mark.usefixtures("quick_disk")


@pytest.fixture
def there(tmp_path: Path) -> Path:
    return tmp_path / "there"


def once(disk: Disk, there: Path, **options: Any) -> Shipped:
    (outcome,) = ship(disk.path, there, **options)
    return outcome


def lying(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".lock"}


def refused(disk: Disk, there: Path, kind: type[Exception], words: str, **options: Any) -> Exception:
    """Shipping is refused, and nothing at the destination is another than before."""
    before = lying(there)
    with pytest.raises(kind, match=words) as raised:
        ship(disk.path, there, **options)
    assert lying(there) == before
    return raised.value


def test_a_destination_with_another_log_is_left_alone(disk: Disk, there: Path) -> None:
    disk.make(2)
    build(there, segments=1)
    locks = [path for path in there.iterdir() if path.suffix == ".lock"]
    refused(disk, there, WrongLogError, "another log lies there")
    assert [path for path in there.iterdir() if path.suffix == ".lock"] == locks


def test_a_destination_with_sealed_segments_of_another_log_is_left_alone(disk: Disk, there: Path) -> None:
    disk.make(2)
    made = build(there)
    made.active.unlink()
    refused(disk, there, WrongLogError, "another log lies there")


def test_a_file_that_is_no_log_is_left_alone(disk: Disk, there: Path) -> None:
    disk.make(2)
    there.mkdir()
    (there / disk.path.name).write_bytes(b"a diary\n")
    refused(disk, there, NotALogError, "not a log")


def test_a_destination_that_is_a_file_is_refused(disk: Disk, there: Path) -> None:
    disk.make(1)
    there.write_bytes(b"")
    with pytest.raises(LogError, match="this is a file"):
        ship(disk.path, there)


def test_a_copy_that_holds_more_than_the_source_is_left_alone(disk: Disk, there: Path) -> None:
    disk.make(5)
    once(disk, there)
    disk.cut(-300)
    refused(disk, there, RefusedError, "holds more of segment 1")


def test_a_copy_that_says_something_else_is_left_alone_and_the_place_is_named(disk: Disk, there: Path) -> None:
    disk.make(5)
    once(disk, there)
    disk.flip(900)
    disk.grow(b"")
    error = refused(disk, there, RefusedError, "not what the source says in segment 1, from byte 900")
    assert isinstance(error, RefusedError)
    assert (error.offset, error.line) == (900, 1 + disk.path.read_bytes()[:900].count(b"\n"))


def test_a_copy_of_a_newer_state_is_left_alone(disk: Disk, there: Path, tmp_path: Path) -> None:
    disk.make(2)
    old = disk.copy(tmp_path / "old")
    with disk.open() as log:
        log.rotate()
        log.append("t")
    once(disk, there)
    refused(old, there, WrongLogError, "older one")


def test_a_sealed_segment_that_arrives_a_second_time_and_differs_is_left_alone_and_the_rest_goes_on(
    disk: Disk, there: Path
) -> None:
    disk.make(3, 3, 3)
    once(disk, there)
    first = disk.sealed()[0]
    disk.flip(700, first)
    with disk.open() as log:
        log.append("t")
    before = (there / first.name).read_bytes()
    outcome = once(disk, there)
    assert (outcome.exit_code, [problem.kind for problem in outcome.problems]) == (1, ["different"])
    assert "byte 700" in outcome.problems[0].message
    assert (there / first.name).read_bytes() == before
    assert (there / disk.path.name).read_bytes() == disk.path.read_bytes()
    assert verify(there / disk.path.name).verdict == "intact"


def test_a_shorter_sealed_segment_does_not_replace_a_longer_one(disk: Disk, there: Path) -> None:
    disk.make(3, 3)
    once(disk, there)
    (sealed,) = disk.sealed()
    whole = sealed.read_bytes()
    disk.cut(-100, sealed)
    assert once(disk, there).exit_code == 1
    assert (there / sealed.name).read_bytes() == whole


def test_a_damaged_source_is_copied_as_it_is_and_named(disk: Disk, there: Path) -> None:
    disk.make(5, 5)
    (sealed,) = disk.sealed()
    disk.flip(800, sealed)
    outcome = once(disk, there)
    assert (outcome.exit_code, [problem.kind for problem in outcome.problems]) == (1, ["damaged"])
    assert lying(there) == lying(disk.folder)
    assert verify(there / disk.path.name).verdict == verify(disk.path).verdict == "tampered"


def test_damage_in_the_active_segment_is_copied_and_named(disk: Disk, there: Path) -> None:
    disk.make(6)
    disk.flip(disk.path.read_bytes().index(b'"n":2') + 4)
    outcome = once(disk, there)
    assert [problem.kind for problem in outcome.problems] == ["damaged"]
    assert lying(there) == lying(disk.folder)


def test_records_that_are_gone_before_they_arrived_are_named_and_what_is_there_goes_on(
    disk: Disk, there: Path
) -> None:
    disk.make(4)
    once(disk, there, hold=False)
    with disk.open() as log:
        log.append("t")
        log.rotate()
        log.append("t")
    (sealed,) = disk.sealed()
    sealed.unlink()
    outcome = once(disk, there)
    assert (outcome.exit_code, [problem.kind for problem in outcome.problems]) == (3, ["incomplete"])
    assert "records 6 to 6 are gone" in outcome.problems[0].message
    assert (there / disk.path.name).read_bytes() == disk.path.read_bytes()
    assert len(lying(there)) == 2
    assert once(disk, there).exit_code == 0


def test_a_segment_that_is_gone_at_the_source_and_had_arrived_whole_is_sealed_there(disk: Disk, there: Path) -> None:
    disk.make(4)
    once(disk, there)
    with disk.open() as log:
        log.rotate()
        log.append("t")
    (sealed,) = disk.sealed()
    content = sealed.read_bytes()
    sealed.unlink()
    assert once(disk, there).ok
    assert (there / sealed.name).read_bytes() == content


def test_a_destination_that_lost_what_had_arrived_is_not_filled_again_unasked(disk: Disk, there: Path) -> None:
    disk.make(3, 3)
    once(disk, there)
    for path in there.iterdir():
        path.unlink()
    refused(disk, there, RefusedError, "Is the right disk mounted")
    assert once(disk, there, again=True).ok
    assert lying(there) == lying(disk.folder)


def test_sealed_segments_that_were_moved_away_there_are_not_sent_again_unasked(disk: Disk, there: Path) -> None:
    disk.make(3, 3, 3)
    once(disk, there)
    first = there / disk.sealed()[0].name
    first.unlink()
    outcome = once(disk, there)
    assert (outcome.bytes, outcome.exit_code, len(outcome.notes)) == (0, 0, 1)
    assert not first.exists()
    once(disk, there, again=True)
    assert lying(there) == lying(disk.folder)


def test_two_shippers_do_not_fill_one_place(disk: Disk, there: Path) -> None:
    disk.make(2)
    once(disk, there)
    fd = storage.open_lock(str(there / (disk.path.name + ".lock")))
    try:
        assert storage.lock(fd)
        refused(disk, there, LockedError, "ships or writes to this log")
    finally:
        storage.close(fd)
    assert once(disk, there).ok


def test_a_file_that_somebody_else_lengthens_meanwhile_is_noticed(disk: Disk, there: Path) -> None:
    disk.make(2)
    rounds: list[str] = []

    def stop() -> bool:
        rounds.append("")
        if len(rounds) == 20:
            with (there / disk.path.name).open("ab") as file:
                file.write(b"{}\n")
        return len(rounds) > 1000

    with pytest.raises(RefusedError, match="somebody else changed it"):
        ship(disk.path, there, follow=True, interval=0.001, stop=stop)


@pytest.mark.parametrize("call", ["write", "sync", "rename", "open_append", "sync_directory", "make_directory"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_a_destination_that_is_full_or_fails_is_an_error_and_the_next_time_it_goes_on(
    disk: Disk, there: Path, calls: Calls, call: str, number: int
) -> None:
    disk.make(3, 3, 3)
    calls.fail(call, 2 if call == "write" else 1, error=number, about=str(there))
    if call == "sync_directory" and number == errno.EROFS:
        pytest.skip("a directory that cannot be synced as one is left")
    with pytest.raises(StorageError) as raised:
        ship(disk.path, there)
    assert raised.value.errno == number
    assert str(there) in str(raised.value)
    calls.heal()
    assert once(disk, there).ok
    assert lying(there) == lying(disk.folder)


def test_what_arrives_changed_is_noticed(disk: Disk, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.make(5)
    real = storage.write

    def faulty(fd: int, data: bytes) -> None:
        real(fd, data.replace(b'"n":3', b'"n":4') if b"test.event" in data else data)

    monkeypatch.setattr(storage, "write", faulty)
    with pytest.raises(StorageError, match="what arrived is not what was sent"):
        ship(disk.path, there)
    monkeypatch.undo()
    refused(disk, there, RefusedError, "not what the source says")


def test_a_source_that_vanishes_midway_leaves_a_whole_beginning(disk: Disk, there: Path, calls: Calls) -> None:
    disk.make(4, 4, 4)
    left = [4]

    def vanish(name: str, args: tuple[Any, ...]) -> None:
        if name == "write" and str(there) in os.readlink(f"/proc/self/fd/{args[0]}"):
            left[0] -= 1
            if left[0] == 0:
                for path in [*disk.sealed(), disk.path]:
                    path.unlink(missing_ok=True)

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("needs /proc")
    calls.before = vanish
    ship(disk.path, there)
    calls.heal()
    assert verify(there / disk.path.name).verdict == "intact"
    with pytest.raises(StorageError, match="no such log"):
        ship(disk.path, there)


def test_a_source_that_is_cut_while_it_is_read_is_an_error(disk: Disk, there: Path, calls: Calls) -> None:
    disk.make(4)
    armed = [True]

    def cut(name: str, args: tuple[Any, ...]) -> None:
        if name == "open_append" and str(there) in args[0] and armed:
            armed.clear()
            disk.cut(900)

    calls.before = cut
    with pytest.raises(StorageError, match=r"source ends at byte"):
        ship(disk.path, there)


def test_a_source_that_nobody_may_write_beside_is_shipped_and_the_note_says_so(
    disk: Disk, there: Path, calls: Calls
) -> None:
    disk.make(2)
    calls.fail("open_append", about="shipped", error=errno.EROFS, for_ever=True)
    calls.fail("make_directory", about="shipped", error=errno.EROFS, for_ever=True)
    outcome = once(disk, there)
    assert outcome.ok
    assert "cannot be noted" in outcome.notes[0].message


def test_an_artifact_that_differs_there_is_left_alone(disk: Disk, there: Path) -> None:
    with disk.open() as log:
        reference = log.attach(b"x" * 5000)
        log.append("t", details=reference)
    name = f"{disk.path.name}.d/artifacts/{reference['artifact']}"
    (there / name).parent.mkdir(parents=True)
    (there / name).write_bytes(b"y" * 5000)
    outcome = once(disk, there)
    assert [problem.kind for problem in outcome.problems] == ["different"]
    assert (there / name).read_bytes() == b"y" * 5000


def test_a_hundred_thousand_foreign_files_do_not_matter(
    disk: Disk, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.make(2, 2)
    once(disk, there)
    real = storage.list_directory
    monkeypatch.setattr(storage, "list_directory", lambda path: [*real(path), *(f"{n}[ ]\n" for n in range(100_000))])
    assert once(disk, there).ok


def test_whole_segments_that_are_gone_before_they_arrived_are_named(disk: Disk, there: Path) -> None:
    disk.make(1)
    once(disk, there, hold=False)
    disk.make(1)
    with disk.open() as log:
        for _ in range(3):
            log.rotate()
            log.append("t")
    for path in disk.sealed():
        path.unlink()
    outcome = once(disk, there)
    assert outcome.exit_code == 3
    assert ["segments 2 to 3 are gone" in str(problem) for problem in outcome.problems].count(True) == 1


def test_a_next_segment_whose_source_is_gone_is_put_in_place(disk: Disk, there: Path) -> None:
    disk.make(2, 2)
    (sealed,) = disk.sealed()
    there.mkdir()
    (there / disk.path.name).write_bytes(sealed.read_bytes())
    header = disk.lines()[0]
    (there / disk.next.name).write_bytes(header)  # killed just before the renames
    with disk.open() as log:
        log.rotate()
        log.append("t")
    for path in disk.sealed():
        path.unlink()
    outcome = once(disk, there)
    assert {problem.kind for problem in outcome.problems} == {"incomplete"}
    found = lying(there)
    assert found[sealed.name].startswith(header) is False
    assert header in found.values()
    assert found[disk.path.name] == disk.path.read_bytes()


def test_a_file_of_somebody_elses_in_the_way_of_an_unfinished_one_is_moved_aside(disk: Disk, there: Path) -> None:
    disk.make(3, 3)
    (sealed,) = disk.sealed()
    packed = sealed.with_name(sealed.name + ".gz")
    packed.write_bytes(gzip.compress(sealed.read_bytes()))
    sealed.unlink()
    there.mkdir()
    (there / (packed.name + ".part")).write_bytes(b"a diary\n")
    outcome = once(disk, there)
    assert outcome.ok
    assert "moved aside" in outcome.notes[0].message
    found = lying(there)
    assert found.pop(packed.name + ".part.1") == b"a diary\n"
    assert found == lying(disk.folder)


def test_zeros_that_a_power_cut_has_left_there_are_replaced_wherever_they_begin(disk: Disk, there: Path) -> None:
    disk.make(4)
    whole = disk.path.read_bytes()
    for start in (0, 100, 512, 1024):
        for size in (len(whole), len(whole) - 200):
            there.mkdir(exist_ok=True)
            (there / disk.path.name).write_bytes(whole[:start] + bytes(size - start))
            outcome = once(disk, there)
            assert (outcome.exit_code, f"zeros from byte {start}" in str(outcome.notes)) == (0, True)
            assert lying(there) == {disk.path.name: whole}
            shutil.rmtree(there)
            shutil.rmtree(disk.folder / (disk.path.name + ".d"))


def test_a_second_shipper_that_follows_waits_for_the_first_to_end(disk: Disk, there: Path) -> None:
    disk.make(2)
    there.mkdir()
    fd = storage.open_lock(str(there / (disk.path.name + ".lock")))
    assert storage.lock(fd)
    told: list[str] = []

    def stop() -> bool:
        if told and fd not in closed:
            storage.close(fd)
            closed.append(fd)
        return lying(there).get(disk.path.name) == disk.path.read_bytes()

    closed: list[int] = []
    ship(disk.path, there, follow=True, interval=0.001, stop=stop, on_notice=lambda problem: told.append(str(problem)))
    assert "ships or writes to this log" in told[0]
    assert lying(there) == lying(disk.folder)


def _mangled(chance: random.Random, folder: Path, name: str) -> None:
    """One thing that may happen to a copy."""
    files = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix != ".lock")
    if not files:
        return
    path = chance.choice(files)
    data = path.read_bytes()
    at = chance.randrange(len(data) + 1)
    match chance.randrange(9):
        case 0:
            path.write_bytes(data[:at])
        case 1:
            path.write_bytes(data[:at] + bytes(len(data) - at))
        case 2 if data:
            path.write_bytes(data[: max(at - 1, 0)] + b"?" + data[max(at, 1) :])
        case 3:
            path.write_bytes(data + b'{"seq":1}\n')
        case 4:
            path.unlink()
        case 5 if path.suffix == ".jsonl" and path.name != name:
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(data))
            path.unlink()
        case 6 if path.name == name:
            path.rename(folder / (name + ".next"))
        case 7:
            (folder / (name + ".next")).write_bytes(data[:at])
        case _:
            (folder / (name + ".part")).write_bytes(b"not a part of anything")


@pytest.mark.exhaustive
def test_whatever_happened_to_a_copy_all_of_it_is_there_afterwards_or_nothing_was_touched(tmp_path: Path) -> None:
    """The source's bytes arrive, or shipping is refused; and what was no beginning of them is never gone."""
    seed = 1 if os.environ.get("CI") else int.from_bytes(os.urandom(4), "big")
    chance = random.Random(seed)
    source = Disk(tmp_path / "source")
    source.folder.mkdir()
    source.make(3)
    states = [source.copy(tmp_path / "state-0")]
    for n in range(4):
        with source.open() as log:
            log.append("t", n=n)
            log.rotate()
            log.append("t")
        states.append(source.copy(tmp_path / f"state-{n + 1}"))
    lines = {line for path in [*source.sealed(), source.path] for line in source.lines(path)}
    for number in range(60):
        there = chance.choice(states).copy(tmp_path / f"there-{number}").folder
        for _ in range(chance.randrange(1, 4)):
            _mangled(chance, there, source.path.name)
        before = lying(there)
        try:
            (outcome,) = ship(source.path, there, hold=False)
        except (RefusedError, LogError):
            after = lying(there)
            changed = {name for name in before if after.get(name) != before[name]}
            ends = {line for data in before.values() for line in data.splitlines(keepends=True)} & lines
            assert ends <= {line for data in after.values() for line in data.splitlines(keepends=True)}, (seed, number)
            assert all(name not in after or _beginning(after[name], source) for name in changed), (seed, number)
            continue
        after = lying(there)
        for path in [*source.sealed(), source.path]:
            if not outcome.problems:
                assert after.get(path.name, path.read_bytes()) == path.read_bytes(), (seed, number, path.name)
        unknown = [data for data in before.values() if not _beginning(data, source)]
        kept = [*after.values()]
        lost = {name for name, data in before.items() if data in unknown and data not in kept}
        assert outcome.problems or not lost, (seed, number, lost, outcome.notes)


def _beginning(data: bytes, source: Disk) -> bool:
    """Whether it is what shipping goes on from, or heals: a beginning of a segment, zeros, or one packed."""
    if data.startswith(b"\x1f\x8b"):
        data = gzip.decompress(data)
    for path in [*source.sealed(), source.path]:
        ours = path.read_bytes()
        if len(data) <= len(ours) and all(there in (here, 0) for here, there in zip(ours, data, strict=False)):
            return True
    return False
