"""What the log is written with, as it tells it, where an investigator will wish later that it were otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from jsonl_audit import record
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.place import Place, is_whole_number

__all__ = ["settings"]


def settings(place: Place) -> Iterator[Remark]:
    """The settings that can cost records, or keep them from going elsewhere."""
    told = place.settings
    if not told:
        yield Remark("settings", "settings", "ok", "the log does not tell its settings")
        return
    said = [*_durability(place), *_words(place)]
    yield from said
    if not said:
        shown = ", ".join(f"{name}={told[name]!r}" for name in ("fsync", "on_error", "redact") if name in told)
        yield Remark("settings", "settings", "ok", shown)


def _durability(place: Place) -> Iterator[Remark]:
    path = place.names.path
    if place.fsync == "never":
        yield Remark(
            "settings", "never-synced", "warning", "records are acknowledged when they are written, not on disk: "
            "fsync='never'",
            "A power cut takes up to half a minute of what was acknowledged; the log says so afterwards, and that is "
            "all it can do.", setting='fsync="always"', path=path,
        )  # fmt: skip
    elif place.fsync == "interval":
        seconds = place.settings.get("sync_interval", 1.0)
        yield Remark(
            "settings", "synced-later", "remark", f"records are acknowledged up to {seconds} s before they are on "
            "disk: fsync='interval'",
            "A power cut takes that much of what was acknowledged. For an audit log that is a decision; is it yours?",
            setting='fsync="always"', path=path, facts={"sync_interval": seconds},
        )  # fmt: skip
    if place.settings.get("on_error") == "drop":
        yield Remark(
            "settings", "events-dropped", "warning", "events that cannot be written are dropped: on_error='drop'",
            "The log says how many they were, and nobody can say what. Where the program must go on, hold them.",
            setting='on_error="spill"', path=path,
        )  # fmt: skip


def _words(place: Place) -> Iterator[Remark]:
    path = place.names.path
    if "redact" in place.settings and place.settings["redact"] is None:
        yield Remark(
            "settings", "not-redacted", "warning", "nothing is redacted: redact=None",
            "A password in an event stays in the log for ever, and in every copy: no record can be changed.",
            setting='redact="default"', path=path,
        )  # fmt: skip
    limit = place.settings.get("line_limit")
    if limit is not None and is_whole_number(limit) and limit > record.LINE_LIMIT:
        yield Remark(
            "settings", "long-lines-allowed", "warning", f"lines may have {limit:,} bytes, not {record.LINE_LIMIT:,}",
            "Shippers cut, split or pass over longer lines, each at a length of its own. What is too large for a line "
            "goes into an artifact by itself.",
            setting=f"line_limit={record.LINE_LIMIT}", path=path, facts={"line_limit": limit},
        )  # fmt: skip
        if place.settings.get("artifacts") is False:
            yield Remark(
                "settings", "no-artifacts", "remark", "events too large for a line are refused: artifacts=False",
                "With artifacts, their large values would lie beside the log, by their hash.",
                setting="artifacts=True", path=path,
            )  # fmt: skip
