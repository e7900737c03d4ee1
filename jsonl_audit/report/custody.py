"""The second examiner's script: it knows which files the report is about, and judges them without this package."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from importlib import resources

from jsonl_audit import storage
from jsonl_audit.artifacts import Store
from jsonl_audit.artifacts.referring import in_content
from jsonl_audit.report.byhand import encoded
from jsonl_audit.report.facts import Examined, folder_of
from jsonl_audit.verifier.files import Collected, File

__all__ = ["artifacts_of", "script"]

_PLACE = "@REPORT@\n"


def script(
    files: Sequence[Examined],
    *,
    named: bool,
    copied: bool,
    full: bool,
    verdict: str,
    anchors: Sequence[tuple[int, str]] = (),
    artifacts: Sequence[str] = (),
) -> str:
    """The script for these files: a text in ASCII, one line end behind each line."""
    rows = [f"named {_yes(named)}", f"copied {_yes(copied)}", f"full {_yes(full)}", f"verdict {verdict}"]
    for each in files:
        rows += _rows(each)
        if "synced" in each.said:
            rows.append(f"mark {each.number} {each.said['synced']} {int(each.said['failed'])} {each.said['hash']}")
        if "busy" in each.said:
            rows.append(f"busy {each.number}")
    rows += [f"anchor {seq} {own}" for seq, own in anchors]
    rows += artifacts
    template = resources.files(__package__).joinpath("second.sh").read_text("ascii")
    return template.replace(_PLACE, "".join(f"{row}\n" for row in rows), 1)


def _rows(each: Examined) -> list[str]:
    """A file as it lies there, or a segment that is put together from parts of such files."""
    role = "active" if each.active else "file"
    if each.role == "joined":
        rows = [f"joined {each.number} {role} n {'m' if each.merged else '-'}"]
    elif each.role == "loose":
        rows = [f"loose {each.number} {each.said['rest']}"]
    else:
        what = "source" if each.role == "piece" else "file"
        sealed = "y" if each.role == "sealed" else "n"
        rows = [f"{what} {each.number} {role} {sealed} {each.bytes} {each.blake3} {encoded(each.name)}"]
    return [*rows, *(f"part {each.number} {source} {start} {stop}" for source, start, stop in each.parts)]


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def artifacts_of(collected: Collected, files: Sequence[tuple[Examined, File]]) -> list[str]:
    """The rows of the artifacts that records refer to, where the log was named by its path. Raises StorageError."""
    names = collected.names
    if names is None:
        return []
    store, folder = Store(names), folder_of(collected)
    return [
        f"artifact {own} {_size(path)} {encoded(os.path.relpath(path, folder).replace(os.sep, '/'))}"
        for own in _referred(files)
        for path in [_path(store, own)]
    ]


def _referred(files: Sequence[tuple[Examined, File]]) -> Iterator[str]:
    seen: set[str] = set()
    for each, file in files:
        if each.header is None or not each.refers:
            continue
        with file.open() as content:
            for own, _ in in_content(content, content.size):
                if own not in seen:
                    seen.add(own)
                    yield own


def _path(store: Store, own: str) -> str:
    plain = os.path.join(store.path, own)
    return plain if storage.exists(plain) or not storage.exists(f"{plain}.zst") else f"{plain}.zst"


def _size(path: str) -> int:
    return storage.size(path) if storage.exists(path) else 0
