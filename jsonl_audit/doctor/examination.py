"""The examination: every check in its turn, and none of them keeps another from being made."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from jsonl_audit.doctor.aside import aside
from jsonl_audit.doctor.clock import clock
from jsonl_audit.doctor.diagnosis import LEVELS, Diagnosis, Remark
from jsonl_audit.doctor.filesystem import filesystem
from jsonl_audit.doctor.leftovers import leftovers, missing
from jsonl_audit.doctor.lines import lines
from jsonl_audit.doctor.links import links
from jsonl_audit.doctor.logrotate import PLACES
from jsonl_audit.doctor.permissions import attributes, folders, owners, permissions
from jsonl_audit.doctor.place import Place
from jsonl_audit.doctor.probe import probe as tried
from jsonl_audit.doctor.reading import reading
from jsonl_audit.doctor.rotation import rotation
from jsonl_audit.doctor.rotators import rotators
from jsonl_audit.doctor.settings import settings
from jsonl_audit.doctor.shipping import shipping
from jsonl_audit.doctor.space import space
from jsonl_audit.doctor.usage import usage
from jsonl_audit.errors import AuditError

__all__ = ["diagnose"]

Check = Callable[[Place], Iterable[Remark]]


def diagnose(
    path: str | os.PathLike[str],
    *,
    probe: bool = False,
    full: bool = False,
    logrotate: Iterable[str | os.PathLike[str]] = PLACES,
    progress: Callable[[int, int], None] | None = None,
) -> Diagnosis:
    """Looks at a log and its place as an experienced operator would, and says what mends what is not well.

    It judges the place, not the records: those are `verify`'s. Nothing is changed.

    :param probe: also make a small file beside the log, try whether its lock keeps another process out and what a
        sync costs, and remove it.
    :param full: read all segments for lines that are too long, not only the newest 256 MiB.
    :param logrotate: files and folders with rules of logrotate.
    :param progress: called with the bytes read so far, and how many will be.

    Raises StorageError if there is no such log, NotALogError, NewerFormatError.

    >>> from jsonl_audit import AuditLog
    >>> AuditLog("audit.jsonl").close()
    >>> import os
    >>> os.chmod("audit.jsonl", 0o644)
    >>> [remark.command.split()[:2] for remark in diagnose("audit.jsonl").troubles if remark.check == "permissions"]
    [['chmod', 'g-r,o-r']]
    """
    place = Place.of(path)
    places = tuple(os.path.expanduser(os.fspath(each)) for each in logrotate)
    checks: dict[str, Check] = {
        "files": missing,
        "permissions": permissions,
        "attributes": attributes,
        "owner": owners,
        "folder": folders,
        "aside": aside,
        "links": links,
        "filesystem": filesystem,
        "space": space,
        "clock": clock,
        "usage": usage,
        "settings": settings,
        "rotation": rotation,
        "logrotate": lambda place: rotators(place, logrotate=places),
        "shipping": shipping,
        "reading": reading,
        "lines": lambda place: lines(place, full=full, progress=progress),
        "leftovers": leftovers,
    }
    if probe:
        checks["sync"] = tried
    remarks = [remark for name, check in checks.items() for remark in _made(name, check, place)]
    remarks.sort(key=lambda remark: -LEVELS.index(remark.level))
    return Diagnosis(place.names.path, tuple(remarks), None if place.figures is None else place.figures.log)


def _made(name: str, check: Check, place: Place) -> Iterator[Remark]:
    """What a check says. What it could not look at, for want of a permission or since it went, is a remark itself."""
    try:
        yield from check(place)
    except (OSError, AuditError) as error:
        yield Remark(name, "not-looked-at", "remark", f"this was not looked at: {error}", path=place.names.path)
