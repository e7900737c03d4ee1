"""Lines that are longer than shippers take, and records that the clock stepped back over: found by reading the log."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from jsonl_audit import record
from jsonl_audit.content import Content
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.place import Place
from jsonl_audit.doctor.processes import users_of
from jsonl_audit.errors import AuditError
from jsonl_audit.reader.windows import windows

__all__ = ["LIMITS", "USUALLY", "lines"]

LIMITS = {
    "rsyslog": 8 * 2**10,
    "journald": 48 * 2**10,
    "syslog-ng": 64 * 2**10,
    "Fluent Bit": 32 * 2**10,
    "Vector": 100 * 2**10,
    "Grafana Loki": 256 * 2**10,
    "OpenTelemetry Collector": 2**20,
    "Filebeat": 10 * 2**20,
}
"""The longest line in bytes that each takes as it comes; what is longer it cuts, splits or skips."""
USUALLY = 256 * 2**20
"""So many bytes are read, the newest, unless all is to be read."""
READERS = {
    "rsyslogd": ("rsyslog", "rsyslog"),
    "syslog-ng": ("syslog-ng", "syslog-ng"),
    "fluent-bit": ("Fluent Bit", "fluent-bit"),
    "vector": ("Vector", "vector"),
    "filebeat": ("Filebeat", "filebeat"),
    "otelcol": ("OpenTelemetry Collector", "otelcol"),
    "otelcol-contrib": ("OpenTelemetry Collector", "otelcol"),
    "promtail": ("Grafana Loki", "alloy"),
    "alloy": ("Grafana Loki", "alloy"),
}
"""What shippers call themselves as processes; their names here, and as `jsonl-audit ship-config` knows them."""
_CLAMPED = b',"clock":"'


@dataclass(slots=True)
class _Read:
    bytes: int = 0
    long: int = 0
    own: int = 0
    """Of the long ones, the engine's own."""
    longest: int = 0
    where: tuple[str, int | None, str] = ("", None, "")
    clamped: int = 0
    last_clamped: int | None = None
    unread: list[str] = field(default_factory=list)


def lines(place: Place, *, full: bool = False, progress: Callable[[int, int], None] | None = None) -> Iterator[Remark]:
    """Reads the newest part of the log, or all of it."""
    if place.unread is not None:
        return
    read = _Read()
    total = sum(place.found[path].st_size for path in place.segments)
    wanted = total if full else min(total, USUALLY)
    for path in reversed(place.segments):
        if read.bytes >= wanted or (path.endswith((".gz", ".zst")) and not full):
            break
        try:
            _read(path, read, progress, wanted)
        except (AuditError, OSError) as error:  # it went, or is damaged: that is the verifier's
            read.unread.append(f"{os.path.basename(path)}: {error}")
    part = "" if read.bytes >= total else f" of the newest {read.bytes:,} bytes (--full reads all)"
    if read.long:
        segment, seq, kind = read.where
        taken = [name for name, limit in LIMITS.items() if limit < read.longest]
        yield Remark(
            "lines",
            "long-lines",
            "warning" if read.long > read.own else "remark",
            f"{read.long:,} {'line is' if read.long == 1 else 'lines are'} longer than {record.LINE_LIMIT:,} bytes"
            f"{part}, the longest {read.longest:,}: {segment}, seq {seq}, {kind}",
            f"As they come, {', '.join(taken)} do not take such a line whole, and what arrives does not verify: raise "
            "their limits. What is written from now on stays below with line_limit.",
            setting=f"line_limit={record.LINE_LIMIT}" if read.long > read.own else "",
            path=place.names.path,
            facts={"lines": read.long, "control": read.own, "longest": read.longest, "seq": seq},
        )
    else:
        yield Remark(
            "lines", "lines", "ok", f"no line{part} is longer than {record.LINE_LIMIT:,} bytes; the longest has "
            f"{read.longest:,}", facts={"longest": read.longest, "read": read.bytes},
        )  # fmt: skip
    yield from _readers(place, read.longest)
    if read.clamped:
        yield Remark(
            "lines",
            "clock-stepped-back",
            "remark",
            f"{read.clamped:,} records{part} were written while the clock was behind the log, the last of them seq "
            f"{read.last_clamped}",
            "They have the time of the record before, and the clock's own as clock. Something sets this clock back: "
            "look at what keeps it right.",
            "chronyc tracking || timedatectl timesync-status",
            path=place.names.path,
            facts={"records": read.clamped, "seq": read.last_clamped},
        )


def _readers(place: Place, longest: int) -> Iterator[Remark]:
    """Shippers that have the log open now, and may not take its lines as they are."""
    if place.active is None:
        return
    [users] = users_of({place.names.path: place.active}).values()
    for user in {user.name: user for user in users if not user.writes and user.name in READERS}.values():
        name, config = READERS[user.name]
        if longest > LIMITS[name]:
            yield Remark(
                "lines",
                "longer-than-taken",
                "warning",
                f"{name} reads the log (pid {user.pid}), and takes lines of {LIMITS[name]:,} bytes, unless it is told "
                f"otherwise; the longest here has {longest:,}",
                "What is longer arrives in part, or not at all, and is then missing at the other end. This prints "
                "a configuration that takes them.",
                shell.run("jsonl-audit", "ship-config", config, "--path", place.names.path),
                path=place.names.path,
                facts={"pid": user.pid, "limit": LIMITS[name], "longest": longest},
            )


def _read(path: str, read: _Read, progress: Callable[[int, int], None] | None, wanted: int) -> None:
    newest: int | None = None
    with Content(path) as content:
        for window in windows(content, 0, content.size):
            if window.skipped:
                read.bytes += window.skipped
                _long(read, path, b"", window.skipped)
                continue
            part = window.data[window.begin : window.cut]
            pieces = part.split(b"\n")
            longest = max(map(len, pieces)) + 1
            read.longest = max(read.longest, longest) if longest <= record.LINE_LIMIT else read.longest
            if longest > record.LINE_LIMIT:
                for piece in pieces:
                    if len(piece) >= record.LINE_LIMIT:
                        _long(read, path, piece, len(piece) + 1)
            if _CLAMPED in part:
                for piece in pieces:
                    if _CLAMPED in piece and _is_clamped(piece):
                        read.clamped += 1
                        newest = _seq(piece)
            read.bytes += len(part)
            if progress is not None:
                progress(min(read.bytes, wanted), wanted)
    if read.last_clamped is None:
        read.last_clamped = newest


def _long(read: _Read, path: str, piece: bytes, size: int) -> None:
    kind = record.type_of(piece) if record.HEAD.match(piece) else "no record"
    read.long += 1
    read.own += kind.startswith("audit.")
    if size > read.longest:
        read.longest, read.where = size, (os.path.basename(path), _seq(piece), kind)


def _is_clamped(piece: bytes) -> bool:
    try:
        return isinstance(record.decode(piece).get("clock"), str)
    except ValueError:  # damage: the verifier's
        return False


def _seq(piece: bytes) -> int | None:
    return record.seq_of(piece) if record.HEAD.match(piece) else None
