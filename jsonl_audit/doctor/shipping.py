"""Where the log is shipped to, as it notes beside itself, and how far it has arrived there."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from jsonl_audit import instants, shipped, storage
from jsonl_audit.doctor import shell
from jsonl_audit.doctor.diagnosis import Remark
from jsonl_audit.doctor.place import Place, is_whole_number
from jsonl_audit.shipped import Arrived

__all__ = ["shipping"]

_LATE = 86_400.0
"""Seconds after which records should be somewhere else, too."""


def shipping(place: Place) -> Iterator[Remark]:
    """Each destination of `jsonl-audit ship`. What other tools ship is not known here."""
    if place.figures is None:
        return
    found = shipped.read(place.names)
    if not found:
        yield Remark("shipping", "shipping", "ok", "jsonl-audit ship has shipped it nowhere")
    said = [remark for each in found for remark in _one(place, each)]
    said += _kept(place, found)
    yield from said
    if found and not said:
        newest = place.figures.last_seq
        shown = "; ".join(f"seq {each.seq} of {newest} at {each.destination}" for each in found)
        facts = {each.destination: each.seq for each in found}
        yield Remark("shipping", "shipping", "ok", shown, facts=facts)


def _one(place: Place, arrived: Arrived) -> Iterator[Remark]:
    figures = place.figures
    assert figures is not None
    if not arrived.log:
        yield Remark(
            "shipping", "shipping-unreadable", "warning", f"{os.path.basename(arrived.path)} says of no destination",
            "Retention waits for a destination that nobody knows. Shipping there again writes it anew.",
            shell.run("rm", paths=[arrived.path]), path=arrived.path,
        )  # fmt: skip
        return
    where = f"{arrived.destination} has"
    facts = {"destination": arrived.destination, "seq": arrived.seq, "newest": figures.last_seq, "since": arrived.time}
    if figures.log is not None and arrived.log != figures.log:
        yield Remark(
            "shipping", "another-log-shipped", "warning", f"{where} another log, which lay here before",
            "Nothing of this one arrives there until it gets a place of its own; retention waits all the same.",
            shell.run("rm", paths=[arrived.path]), path=arrived.path, facts=facts,
        )  # fmt: skip
        return
    if _is_folder(arrived.destination) and not storage.is_directory(arrived.destination):
        yield Remark(
            "shipping", "destination-gone", "warning", f"{arrived.destination} is not here, where it was shipped to",
            "A share that is not mounted, or a disk that was taken away: nothing arrives, and retention waits. If it "
            "will not come back, its note may go.",
            shell.run("rm", paths=[arrived.path]), path=arrived.path, facts=facts,
        )  # fmt: skip
        return
    behind = (figures.last_seq or 0) - arrived.seq
    late = time.time() - instants.micros(arrived.time) / 1e6 if instants.is_instant(arrived.time) else 0.0
    if behind > 0 and late > _LATE:
        yield Remark(
            "shipping", "shipping-behind", "warning",
            f"{where} seq {arrived.seq} of {figures.last_seq}, since {arrived.time}",
            "What is in one place only is lost with it, and may be rewritten there without anybody's notice. Its "
            "shipper has stopped: -f goes on with what is appended.",
            shell.run("jsonl-audit", "ship", paths=[place.names.path, arrived.destination]),
            path=arrived.path, facts=facts,
        )  # fmt: skip


def _is_folder(destination: str) -> bool:
    return os.path.isabs(destination)


def _kept(place: Place, found: list[Arrived]) -> Iterator[Remark]:
    """More segments than are to be kept: they wait for a destination."""
    keep = place.settings.get("backup_count")
    if not found or not is_whole_number(keep) or not keep or len(place.sealed) <= keep + 1:
        return
    slowest = min(found, key=lambda each: each.seq)
    yield Remark(
        "shipping", "purge-waits", "warning",
        f"{len(place.sealed):,} sealed segments are here, and {keep} are to be kept: the others wait until they have "
        f"arrived at {slowest.destination}",
        "The disk fills up until they are shipped, or that destination is given up.",
        shell.run("jsonl-audit", "ship", paths=[place.names.path, slowest.destination]), path=slowest.path,
        facts={"sealed": len(place.sealed), "backup_count": keep, "destination": slowest.destination},
    )  # fmt: skip
