"""What of a log lies at a place, and where shipping goes on: read from there, and compared with the source."""

from __future__ import annotations

from dataclasses import dataclass

from blake3 import blake3

from jsonl_audit import storage
from jsonl_audit.content import Content
from jsonl_audit.errors import NotALogError, RefusedError, WrongLogError
from jsonl_audit.segment import HEADER_LIMIT, Header, describe_foreign, parse_header
from jsonl_audit.ship.compare import arrived_blocks, first_difference, hole_at, same_beginning
from jsonl_audit.ship.growing import Growing, make_way
from jsonl_audit.ship.outcome import Shipped
from jsonl_audit.ship.pace import Pace
from jsonl_audit.ship.place import Place, part_of
from jsonl_audit.ship.source import Look, Piece, Source

__all__ = ["Standing", "begin_of", "check_log", "stands", "unknown"]


@dataclass(slots=True)
class Standing:
    """What lies there."""

    sealed: dict[str, str]
    """The sealed segments: the time in each name, and the name."""
    number: int
    """The segment that grows there, or the first that is not there yet; 0 where nothing is."""
    growing: Growing | None
    """The active file, where it goes on."""


def stands(place: Place, source: Source, look: Look, outcome: Shipped) -> Standing:
    """What lies there. Puts ``.next`` in place where a shipper was stopped just before it could.

    Raises RefusedError where it is not a beginning of what lies at the source, WrongLogError where it is another log,
    NotALogError where it is none. OSError.
    """
    names, active = source.names, source.names.path.rpartition("/")[2]
    sealed = {}
    for name in sorted(place.names(names.stem), reverse=True):  # the plain one, where it is there compressed as well
        if (stamp := names.stamp_of(name)) is not None:
            sealed[stamp] = name
    newest = _newest(place, sealed, source, look)
    size = place.size(active)
    if not size and place.size(active + ".next") and begin_of(place, active + ".next")[0] is not None:
        if size == 0:
            place.remove(active)
        place.rename(active + ".next", active)
        size = place.size(active)
    if not size:
        return Standing(sealed, newest + 1 if newest else 0, None)
    number, growing = _compared(place, active, size, source, look, newest, outcome)
    _remove_twin(place, active, number)
    if newest >= number:  # an older copy of what is there under its sealed name
        return Standing(sealed, newest + 1, None)
    return Standing(sealed, number, growing)


def _remove_twin(place: Place, active: str, number: int) -> None:
    """Where a place copies to rename, and was stopped in between: ``.next``, which has been put in place already."""
    name = active + ".next"
    size = place.size(name)
    header = begin_of(place, name)[0] if size else None
    twins = header is not None and header.segment == number
    if size and twins and place.read(name, 0, size) == place.read(active, 0, size):
        place.remove(name)


def begin_of(place: Place, name: str) -> tuple[Header | None, bytes]:
    """The header in the first line of a file at the place, None if it is none; and how the file begins."""
    text = place.read(name, 0, 1 << 16)
    if len(text) == 1 << 16 and b"\n" not in text:
        text = place.read(name, 0, HEADER_LIMIT)
    end = text.find(b"\n") + 1
    return (parse_header(text[:end]) if end else None), text


def check_log(header: Header | None, log: str, shown: str) -> None:
    """Raises WrongLogError where a header at the place is another log's."""
    if header is not None and header.log != log:
        raise WrongLogError(
            f"another log lies there ({header.log}); nothing was written. Ship to another folder",
            path=shown, expected=log, actual=header.log,
        )  # fmt: skip


def _newest(place: Place, sealed: dict[str, str], source: Source, look: Look) -> int:
    """The number of the newest sealed segment there; 0 if there is none."""
    here = {source.names.stamp_of(piece.name): piece.number for piece in look.pieces if not piece.live}
    for stamp in sorted(sealed, reverse=True):
        name = sealed[stamp]
        if not name.endswith((".gz", ".zst")):
            header, _ = begin_of(place, name)
            check_log(header, look.log, place.shown(name))
            if header is not None:
                return header.segment
        if here.get(stamp):
            return here[stamp]
    return 0


def _compared(
    place: Place, name: str, size: int, source: Source, look: Look, newest: int, outcome: Shipped
) -> tuple[int, Growing]:
    """The active file there against the segment at the source that it is a beginning of."""
    shown = place.shown(name)
    header, text = begin_of(place, name)
    check_log(header, look.log, shown)
    if header is None:
        plain = [piece for piece in look.pieces if not piece.packed]
        piece = next((piece for piece in plain if _begins(source, piece, text)), None)
        later = (piece for piece in plain if piece.number > newest and _begins(source, piece, text, zeros=True))
        piece = piece or next(later, None)
        if piece is None:
            raise NotALogError(describe_foreign(text), path=shown, line=1)
        number = piece.number
    else:
        number = header.segment
        piece = next((piece for piece in look.pieces if piece.number == number), None)
    if piece is None:
        if not look.pieces or number > look.pieces[-1].number:
            raise WrongLogError(
                f"segment {number} lies there, and the newest at the source is an older one: the source was rolled "
                "back, or is itself a copy; nothing was written",
                path=shown, expected=number, actual=look.pieces[-1].number if look.pieces else None,
            )  # fmt: skip
        return number, unknown(place, name)
    place.forget_cached(name)
    content = source.content if piece.live else None
    if content is not None:
        return number, _same(place, name, size, content, piece, outcome)
    with piece.open() as content:
        return number, _same(place, name, size, content, piece, outcome)


def _same(place: Place, name: str, size: int, content: Content, piece: Piece, outcome: Shipped) -> Growing:
    there = content.grown()
    hasher = same_beginning(content, place, name, min(size, there))
    if hasher is not None and size <= there:
        return Growing(place, name, size, hasher)
    said = piece.said
    unsynced = said is not None and said.torn_bytes < 0 and size >= said.bytes  # what is behind is nothing
    if said is not None and unsynced and same_beginning(content, place, name, said.bytes) is not None:
        return unknown(place, name)
    shown = place.shown(name)
    hole = hole_at(content, place, name, size) if hasher is None and size <= there else None
    if hole is not None:
        outcome.met("note", f"a power cut there had left zeros from byte {hole} on; they were replaced", shown)
        return _healed(place, name, hole, content, outcome)
    if hasher is not None:
        raise RefusedError(
            f"it holds more of segment {piece.number} than the source: {size} bytes, not {there}. Records were cut off "
            "or lost there, or somebody appended here; nothing was written. Keep this copy, and ship to another folder",
            path=shown, expected=there, actual=size,
        )  # fmt: skip
    offset, line = first_difference(content, place, name, min(size, there))
    raise RefusedError(
        f"it is not what the source says in segment {piece.number}, from byte {offset} on; nothing was written. One of "
        "the two was changed: jsonl-audit verify says which. Keep this copy, and ship to another folder",
        path=shown, line=line, offset=offset,
    )  # fmt: skip


def _healed(place: Place, name: str, hole: int, content: Content, outcome: Shipped) -> Growing:
    """A copy of the file up to the hole that a power cut has left, in its place: behind it nothing was on the disk."""
    part = part_of(name)
    make_way(content, place, name, outcome)
    mode = storage.stat(content.fd).st_mode & 0o777
    growing = Growing(place, part)
    if hole:
        growing.grow(content, hole, Pace(None), mode)
    else:
        place.append(part, 0, b"", mode)
        place.sync(part, made=True)
    place.replace(part, name)
    growing.renamed(name)
    return growing


def unknown(place: Place, name: str) -> Growing:
    """A file that cannot be compared, and does not grow any more."""
    size = place.size(name) or 0
    hasher = blake3()
    for block in arrived_blocks(place, name, 0, size):
        hasher.update(block)
    return Growing(place, name, size, hasher)


def _begins(source: Source, piece: Piece, text: bytes, *, zeros: bool = False) -> bool:
    """Whether a segment begins so; with `zeros` a power cut may have left some in the text."""
    if piece.live and source.content is not None:
        ours = source.content.read(0, len(text))
    else:
        with piece.open() as content:
            ours = content.read(0, len(text))
    if zeros:
        return len(ours) == len(text) and all(there in (here, 0) for here, there in zip(ours, text, strict=True))
    return ours == text
