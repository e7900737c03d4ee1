"""The store of artifacts: what is put in comes out, once, whole, by its hash, or an error says why not."""

from __future__ import annotations

import errno
import io
import os
import random
import stat
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from disk import Calls

from jsonl_audit import ArtifactError, EventError, QueryError, StorageError, SyncError, WriteError
from jsonl_audit.artifacts import Store, folder_of
from jsonl_audit.segment import Names

pytestmark = pytest.mark.usefixtures("quick_disk")
LARGE = random.Random(5).randbytes(3 << 20)


class Upper:
    """A redactor that puts every x in capitals, and counts them."""

    profile = "default"

    def stream(self, chunks: Iterator[bytes], found: dict[str, int]) -> Iterator[bytes]:
        for chunk in chunks:
            if b"x" in chunk:
                found["x"] = found.get("x", 0) + chunk.count(b"x")
            yield chunk.replace(b"x", b"X")

    def value(self, value: Any, found: dict[str, int]) -> Any:
        found.clear()
        return value


@pytest.fixture
def names(log_dir: Path) -> Names:
    return Names.of(log_dir / "audit.jsonl")


@pytest.fixture
def store(names: Names) -> Store:
    return Store(names)


@pytest.fixture
def folder(names: Names) -> Path:
    return Path(folder_of(names))


def names_in(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []


def kinds(tmp_path: Path, data: bytes) -> dict[str, Any]:
    """The same content, in every way that it may be given."""
    path = tmp_path / "given.bin"
    path.write_bytes(data)
    return {
        "bytes": data,
        "bytearray": bytearray(data),
        "memoryview": memoryview(data),
        "path": path,
        "open file": io.BytesIO(data),
        "unbuffered": io.FileIO(path),
        "iterable": (data[at : at + 7777] for at in range(0, len(data), 7777)),
        "views": [memoryview(data)],
    }


@pytest.mark.parametrize("data", [b"", b"a", "Grüße".encode(), bytes(70_000), LARGE], ids=len)
@pytest.mark.parametrize("compress", [None, "zstd"])
def test_what_is_put_in_comes_out_however_it_is_given(
    names: Names, folder: Path, tmp_path: Path, data: bytes, compress: str | None
) -> None:
    if compress:
        pytest.importorskip("zstandard" if sys.version_info < (3, 14) else "compression.zstd")
    store = Store(names, compress=compress)
    own = blake3(data).hexdigest()
    for way, given in kinds(tmp_path, data).items():
        reference = Store(names, compress=compress).put(given)
        assert (reference["artifact"], reference["bytes"]) == (own, len(data)), way
        assert store.read(reference) == data
        with store.open(own) as file:
            assert b"".join(iter(lambda: file.read(999), b"")) == data
        if hasattr(given, "close"):
            given.close()
    (name,) = names_in(folder)
    assert name in (own, f"{own}.zst")
    assert name == own or compress
    assert list(store.check()) == [(own, "whole")]


def test_a_text_is_given_as_it_is_and_is_stored_as_utf_8(store: Store) -> None:
    assert store.read(store.put("Grüße \ud83d")) == "Grüße \\ud83d".encode()
    assert store.read(store.put(io.StringIO("Grüße"))) == "Grüße".encode()


def test_a_reference_says_what_it_is(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "build.log"
    path.write_text("hello")
    hello = "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f"
    assert store.put(path) == {"artifact": hello, "bytes": 5, "media_type": "text/plain", "name": "build.log"}
    assert store.put(path, name="../../etc/passwd", media_type="text/x-log; charset=utf-8") == {
        "artifact": hello,
        "bytes": 5,
        "media_type": "text/x-log; charset=utf-8",
        "name": "../../etc/passwd",
    }
    assert store.put(b"\x00\x01") | {"artifact": ""} == {
        "artifact": "", "bytes": 2, "media_type": "application/octet-stream",
    }  # fmt: skip
    assert len(store.put(b"", name="n" * 1000 + "\ud83d")["name"]) == 255


def test_folders_and_files_are_for_their_owner_whatever_the_umask(names: Names, folder: Path) -> None:
    before = os.umask(0)
    try:
        own = Store(names).put(b"secret")["artifact"]
    finally:
        os.umask(before)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder.parent, folder, folder / own)]
    assert modes == [0o700, 0o700, 0o600]


def test_the_same_content_is_written_once(store: Store, calls: Calls, names: Names) -> None:
    store.put(b"same")
    calls.made.clear()
    store.put(b"same")
    assert {name for name, _ in calls.made}.isdisjoint(("write", "sync", "open_append", "replace"))
    Store(names).put(b"same")  # of another process perhaps, which may have been stopped before it synced
    made = [name for name, _ in calls.made]
    assert "write" not in made
    assert ("sync" in made, "sync_directory" in made) == (True, True)


def test_a_folder_that_cannot_be_synced_lets_no_reference_out(store: Store, calls: Calls) -> None:
    store.put(b"before")
    calls.fail("sync_directory")
    for _ in range(2):
        with pytest.raises(SyncError):
            store.put(b"content")
        calls.fail("sync_directory")
    calls.heal()
    calls.made.clear()
    store.put(b"content")
    assert "sync_directory" in [name for name, _ in calls.made]


def test_many_threads_with_the_same_content_and_with_others(names: Names, folder: Path) -> None:
    stores = [Store(names), Store(names)]
    said: list[str] = []

    def put(number: int) -> None:
        contents = [f"content {n % 5} {number // 4}" * 100 for n in range(20)]
        said.extend(stores[number % 2].put(content)["artifact"] for content in contents)

    threads = [threading.Thread(target=put, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names_in(folder) == sorted(set(said))
    assert len(set(said)) == 10
    assert {state for _, state in stores[0].check()} == {"whole"}


# -- what is there is not what it should be


def test_an_artifact_that_is_not_here_is_missing(store: Store) -> None:
    with pytest.raises(ArtifactError, match="not here") as caught:
        store.read("0" * 64)
    assert (caught.value.hash, caught.value.state, caught.value.errno) == ("0" * 64, "missing", errno.ENOENT)
    assert store.state("0" * 64) == "missing"
    assert store.hashes() == []


@pytest.mark.parametrize("harm", ["flip", "cut", "grow", "link", "folder", "empty"])
def test_what_was_altered_is_told_and_put_in_again_where_the_content_comes_again(
    names: Names, folder: Path, tmp_path: Path, harm: str
) -> None:
    store = Store(names)
    reference = store.put(b"content")
    path = folder / reference["artifact"]
    if harm == "flip":
        path.write_bytes(b"Content")
    elif harm == "cut":
        path.write_bytes(b"conten")
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "grow":
        path.write_bytes(b"content!")
    else:
        path.unlink()
    if harm == "link":
        (tmp_path / "elsewhere").write_bytes(b"content")
        path.symlink_to(tmp_path / "elsewhere")
    elif harm == "folder":
        path.mkdir()
    assert dict(store.check()) == {reference["artifact"]: "altered"}
    with pytest.raises(ArtifactError, match="not what was stored") as caught:
        store.read(reference)
    assert caught.value.state == "altered"
    if harm == "folder":
        with pytest.raises(WriteError, match="nothing refers to it"):
            Store(names).put(b"content")
        assert len(names_in(folder)) == 1
    else:
        assert Store(names).put(b"content") == reference
        assert store.read(reference) == b"content"
        assert not path.is_symlink()


def test_a_reader_that_stops_before_the_end_is_told_nothing_and_the_end_tells(store: Store, folder: Path) -> None:
    reference = store.put(bytes(100))
    (folder / reference["artifact"]).write_bytes(bytes(99) + b"1")
    with store.open(reference) as file:
        assert file.read(100) == bytes(99) + b"1"
        with pytest.raises(ArtifactError):
            file.read(1)
    with pytest.raises(ValueError, match="closed"):
        file.read(1)


def test_a_broken_compressed_artifact_is_altered(names: Names, folder: Path) -> None:
    pytest.importorskip("zstandard" if sys.version_info < (3, 14) else "compression.zstd")
    store = Store(names, compress="zstd")
    reference = store.put(b"much the same " * 1000)
    path = folder / f"{reference['artifact']}.zst"
    for data in (path.read_bytes()[:-9], b"", b"no zstd at all", path.read_bytes() + b"more"):
        path.write_bytes(data)
        assert store.state(reference["artifact"]) == "altered"
    assert Store(names).put(b"much the same " * 1000) == reference  # another form, and the broken one goes
    assert names_in(folder) == [reference["artifact"]]
    assert store.read(reference) == b"much the same " * 1000


@pytest.mark.parametrize(
    "wrong",
    [None, 7, "", "0" * 63, "0" * 65, "A" * 64, "../" + "0" * 61, {}, {"artifact": 7}, {"artifact": "x"}, ["0" * 64]],
    ids=repr,
)
def test_what_is_no_reference_is_refused(store: Store, wrong: Any) -> None:
    with pytest.raises(QueryError, match="names no artifact"):
        store.read(wrong)


# -- what cannot be stored


@pytest.mark.parametrize(
    "wrong",
    [None, 7, {"a": 1}, {1}, [1], [None], iter([3.0])],
    ids=["none", "number", "object", "set", "numbers", "nones", "iterator"],
)
def test_what_is_no_content_is_refused(store: Store, folder: Path, wrong: Any) -> None:
    with pytest.raises(TypeError):
        store.put(wrong)
    assert names_in(folder) == []


def test_arguments_that_make_no_sense_are_refused(store: Store, names: Names) -> None:
    with pytest.raises(TypeError, match="name is a text"):
        store.put(b"", name=7)  # type: ignore[arg-type]
    for media_type in ("text", "text/", "a b/c", "text/plain\n"):
        with pytest.raises(ValueError, match="media_type"):
            store.put(b"", media_type=media_type)
    with pytest.raises(ValueError, match="compress"):
        Store(names, compress="gzip")


def test_a_file_that_cannot_be_read_is_named(store: Store, tmp_path: Path, folder: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("nothing", "pipe", "link", ".", "nul\0"):
        with pytest.raises(StorageError, match="cannot be read, and was not attached") as caught:
            store.put(tmp_path / name)
        assert not isinstance(caught.value, WriteError)
        assert str(tmp_path) in str(caught.value.path)
    assert names_in(folder) == []


def test_a_file_that_grows_is_taken_as_it_was_and_one_that_is_cut_is_refused(
    store: Store, tmp_path: Path, calls: Calls, folder: Path
) -> None:
    path = tmp_path / "grows"
    path.write_bytes(LARGE)

    def grow(name: str, args: tuple[Any, ...]) -> None:
        if name == "read":
            calls.before = None
            with path.open("ab") as file:
                file.write(b"more")

    calls.before = grow
    assert store.put(path)["bytes"] == len(LARGE)
    path.write_bytes(LARGE)
    before = names_in(folder)

    def cut(name: str, args: tuple[Any, ...]) -> None:
        if name == "write":
            calls.before = None
            os.truncate(path, 10)

    path.write_bytes(LARGE[::-1])
    calls.before = cut
    with pytest.raises(StorageError, match="was cut while it was read"):
        store.put(path)
    assert names_in(folder) == before


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="there is no /proc here")
def test_a_file_that_the_system_makes_up_has_no_size_and_is_read_to_its_end(store: Store) -> None:
    assert store.read(store.put(Path("/proc/version"))) == Path("/proc/version").read_bytes()


def test_an_error_of_the_source_is_raised_as_it_is_and_nothing_stays(store: Store, folder: Path) -> None:
    def source() -> Iterator[bytes]:
        yield LARGE
        yield LARGE
        raise LookupError("its own")

    with pytest.raises(LookupError, match="its own"):
        store.put(source())
    assert names_in(folder) == []

    class Waiting(io.RawIOBase):
        def read(self, _: int = -1) -> None:
            return None

    with pytest.raises(TypeError, match="does not block"):
        store.put(Waiting())


CHANGING = ("make_directory", "open_append", "write", "sync", "replace", "sync_directory")


@pytest.mark.parametrize("call", CHANGING)
@pytest.mark.parametrize("size", [10, 3 << 20])
def test_each_call_that_fails_is_an_error_and_nothing_half_done_stays(
    store: Store, calls: Calls, folder: Path, call: str, size: int
) -> None:
    content = LARGE[:size]
    calls.fail(call, error=errno.ENOSPC)
    with pytest.raises((WriteError, SyncError), match="nothing refers to it") as caught:
        store.put(content)
    assert caught.value.errno == errno.ENOSPC
    assert isinstance(caught.value, SyncError) == (call == "sync")
    calls.heal()
    assert [name for name in names_in(folder) if name.startswith("new-")] == []
    assert store.read(store.put(content)) == content


@pytest.mark.parametrize("call", ["write", "sync", "replace", "sync_directory"])
def test_an_interrupt_leaves_nothing_half_done(store: Store, calls: Calls, folder: Path, call: str) -> None:
    store.put(b"before")
    before = names_in(folder)

    def interrupt(name: str, args: tuple[Any, ...]) -> None:
        if name == call:
            calls.before = None
            raise KeyboardInterrupt

    calls.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        store.put(b"content")
    left = names_in(folder)
    assert left == before or call == "sync_directory"
    assert {state for _, state in store.check()} == {"whole"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_to_is_named(store: Store, folder: Path) -> None:
    store.put(b"before")
    folder.chmod(0o500)
    try:
        with pytest.raises(WriteError, match="nothing refers to it") as caught:
            store.put(b"content")
    finally:
        folder.chmod(0o700)
    assert caught.value.errno == errno.EACCES


@pytest.mark.parametrize("which", ["folder", "above"])
def test_a_link_in_the_place_of_the_folder_is_not_followed(
    store: Store, folder: Path, tmp_path: Path, which: str
) -> None:
    (tmp_path / "elsewhere" / "artifacts").mkdir(parents=True)
    if which == "above":
        folder.parent.symlink_to(tmp_path / "elsewhere")
    else:
        folder.parent.mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WriteError, match="a symlink stands where"):
        store.put(b"content")


def test_a_folder_that_is_removed_under_the_store_is_made_again(store: Store, folder: Path) -> None:
    store.put(b"one")
    (folder / blake3(b"one").hexdigest()).unlink()
    folder.rmdir()
    assert store.read(store.put(b"two")) == b"two"
    assert store.read(store.put(b"one")) == b"one"


def test_what_a_crash_left_is_removed_once_it_is_old(names: Names, folder: Path) -> None:
    Store(names).put(b"one")
    for name in ("new-1-old", "new-2-young", "notes.txt"):
        (folder / name).write_bytes(b"half")
    os.utime(folder / "new-1-old", (1, 1))
    Store(names).put(b"two")
    assert [name for name in names_in(folder) if len(name) < 64] == ["new-2-young", "notes.txt"]
    assert len(list(Store(names).check())) == 2


# -- redaction


def test_a_text_is_redacted_before_it_is_stored_and_the_reference_counts(names: Names) -> None:
    store = Store(names, redactor=Upper())
    reference = store.put("box of x")
    assert reference["redacted"] == {"x": 2}
    assert store.read(reference) == b"boX of X"
    assert reference["artifact"] == blake3(b"boX of X").hexdigest()
    assert "redacted" not in store.put("nothing to find")
    assert store.read(store.put("box", redact=False)) == b"box"
    assert store.read(store.put("x" * (3 << 20))) == b"X" * (3 << 20)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "latin-1"])
def test_a_text_in_another_encoding_is_redacted_and_stays_in_it(names: Names, encoding: str) -> None:
    text = "Grüße: x\n" * 1000
    data = text.encode(encoding)
    if encoding == "utf-16-be":
        data = b"\xfe\xff" + data
    store = Store(names, redactor=Upper())
    reference = store.put(data)
    assert reference["media_type"] == "text/plain"
    assert reference["redacted"] == {"x": 1000}
    assert store.read(reference) == data.replace(b"x", b"X")


def test_what_is_no_text_is_kept_as_it_is_and_refused_by_the_profile_for_privacy(names: Names, folder: Path) -> None:
    data = b"\x00x\xff" * 100
    redactor = Upper()
    assert Store(names, redactor=redactor).read(Store(names, redactor=redactor).put(data)) == data
    redactor.profile = "privacy"
    with pytest.raises(EventError, match="privacy profile"):
        Store(names, redactor=redactor).put(data + b"1")
    assert len(names_in(folder)) == 1
    assert Store(names, redactor=redactor).put(data + b"1", redact=False)["bytes"] == 301
    assert "redacted" in Store(names, redactor=redactor).put(b"\x00x", media_type="text/plain")
