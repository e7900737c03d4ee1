"""Files held against a manifest."""

from __future__ import annotations

import os
from dataclasses import dataclass

from blake3 import blake3

from jsonl_audit import storage
from jsonl_audit.errors import StorageError
from jsonl_audit.manifest.statement import ArtifactEntry, FileEntry, Manifest

__all__ = ["Difference", "check"]

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that is not what a manifest says of it."""

    name: str
    kind: str
    """``"missing"``, ``"shorter"`` (than the manifest says), ``"longer"`` (what the manifest speaks of is
    there, and more behind it) or ``"altered"``."""
    message: str



def check(manifest: Manifest, folder: str | os.PathLike[str]) -> list[Difference]:
    """What in a folder is not what the manifest says: none of it, and nothing else, is where the list is empty.

    Files that the manifest does not name are not looked at. Raises StorageError for a file that cannot be read.

    >>> import tempfile, pathlib
    >>> from jsonl_audit import AuditLog, manifest
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "audit.jsonl"
    >>> with AuditLog(path) as log:
    ...     receipt = log.append("exec.completed", outcome="success")
    >>> made = manifest.make(path)
    >>> check(made, path.parent)
    []
    >>> _ = path.write_bytes(path.read_bytes().replace(b"success", b"failure"))
    >>> [(each.name, each.kind) for each in check(made, path.parent)]
    [('audit.jsonl', 'altered')]
    """
    above = os.path.expanduser(folder)
    entries: list[FileEntry | ArtifactEntry] = [*manifest.files, *manifest.artifacts]
    told = (_compared(entry, os.path.join(above, *entry.name.split("/"))) for entry in entries)
    return [each for each in told if each is not None]


def _compared(entry: FileEntry | ArtifactEntry, path: str) -> Difference | None:
    try:
        with storage.reading(path) as fd:
            size = storage.size(fd)
            if size < entry.bytes:
                what = f"it has {size:,} bytes, and had {entry.bytes:,}"
                return Difference(entry.name, "shorter", what)
            own, at = blake3(), 0
            while at < entry.bytes and (data := storage.read(fd, at, min(_BLOCK, entry.bytes - at))):
                own.update(data)
                at += len(data)
    except (FileNotFoundError, NotADirectoryError):
        return Difference(entry.name, "missing", "it is not here")
    except OSError as error:
        raise StorageError.of(error, "cannot be read", path) from error
    if own.hexdigest() != entry.blake3:
        return Difference(entry.name, "altered", f"its bytes are others: BLAKE3 {own.hexdigest()}, not {entry.blake3}")
    if size > entry.bytes:
        what = f"what the manifest speaks of is here, and {size - entry.bytes:,} bytes more behind it"
        return Difference(entry.name, "longer", what)
    return None
