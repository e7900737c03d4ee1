"""Artifacts compressed with zstd, an extra: packed and unpacked piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from jsonl_audit.errors import StorageError

__all__ = ["SUFFIX", "must_be_possible", "packing", "smaller"]

SUFFIX = ".zst"
"""Behind the name of a compressed artifact."""


def must_be_possible() -> None:
    """Raises StorageError where there is nothing to compress with."""
    _compressor()


def smaller(data: bytes) -> bytes | None:
    """The data compressed, where that is a tenth smaller at least."""
    made = b"".join(packing((data,)))
    return made if len(made) < len(data) * 0.9 else None


def packing(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks compressed, as one frame."""
    compressor = _compressor()
    for chunk in chunks:
        made = compressor.compress(chunk)
        if made:
            yield made
    yield compressor.flush()


def _compressor() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # Python 3.14

        return zstd.ZstdCompressor()
    except ImportError:
        pass
    try:
        import zstandard
    except ImportError as error:
        raise StorageError("zstd is not installed here; install it: pip install 'jsonl-audit[zstd]'") from error
    return zstandard.ZstdCompressor().compressobj()
