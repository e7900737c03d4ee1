"""A report as a file: whole or not there, for its owner only, and never in the place of what is no report."""

from __future__ import annotations

import errno
import os
import secrets
from typing import TYPE_CHECKING

from blake3 import blake3

from jsonl_audit import storage
from jsonl_audit.errors import LogError, StorageError
from jsonl_audit.segment import Names, is_sealed_name

if TYPE_CHECKING:
    from jsonl_audit.report.examination import Examination

__all__ = ["FORMS", "MARK", "check", "form_of", "save"]

FORMS = {".html": "html", ".htm": "html", ".md": "md", ".json": "json"}
MARK = b"jsonl-audit-report"
"""What stands near the beginning of every report."""
_NEAR = 512


def form_of(path: str | os.PathLike[str]) -> str:
    """The form that the ending of a path asks for. Raises LogError for one that asks for none."""
    ending = os.path.splitext(os.fspath(path))[1].lower()
    if ending not in FORMS:
        raise LogError("the name of a report ends in .html, .md or .json, which says its form", path=path)
    return FORMS[ending]


def check(path: str | os.PathLike[str]) -> None:
    """Says no to a name that a report must not have, before anything is read for it.

    Raises LogError for what lies there and is no report, or is a file of a log; StorageError for a folder that is not
    there.
    """
    form_of(path)
    given = os.path.expanduser(os.fspath(path))
    if is_sealed_name(os.path.basename(given)):
        raise LogError("this is the name of a segment of a log; choose another name for the report", path=path)
    if not storage.is_directory(os.path.dirname(given) or "."):
        raise StorageError("there is no such folder to keep the report in", path=path, errno=errno.ENOENT)
    if not storage.exists(given):
        return
    if not storage.is_file(given):
        raise LogError("this is no file that a report could be put in the place of; choose another name", path=path)
    try:
        with storage.reading(given) as fd:
            ours = MARK in storage.read(fd, 0, _NEAR)
    except OSError as error:
        raise StorageError.of(error, "what lies there cannot be read", given) from error
    if not ours:
        raise LogError("a file that is no report lies there, and is not overwritten; choose another name", path=path)


def save(examination: Examination, path: str | os.PathLike[str]) -> str:
    """Keeps the report in a file; its BLAKE3. Raises LogError, StorageError."""
    given = os.path.expanduser(os.fspath(path))
    check(given)
    _no_file_of_the_log(examination, given)
    data = examination.render(form_of(given)).encode("utf-8", "backslashreplace")
    beside = os.path.join(os.path.dirname(given), f".report-{secrets.token_hex(8)}.part")
    try:
        fd = storage.open_append(beside, create=True, new=True)  # no file, no symlink of anybody's may stand there
        try:
            storage.write(fd, data)
            storage.sync(fd)
        finally:
            storage.let_go(fd)
        storage.replace(beside, given)
        storage.sync_directory(os.path.dirname(given) or ".")
    except OSError as error:
        _give_up(beside)
        raise StorageError.of(error, "the report cannot be written", given) from error
    except BaseException:
        _give_up(beside)
        raise
    return str(blake3(data).hexdigest())


def _give_up(beside: str) -> None:
    try:
        storage.unlink(beside)
    except OSError:
        pass  # it was never made, or is in its place already


def _no_file_of_the_log(examination: Examination, given: str) -> None:
    """A log's own file is no report, whatever stands at its beginning."""
    real = os.path.realpath(given)
    taken = {os.path.realpath(each.path) for each in examination.files}
    for each in examination.files:
        if each.role == "active":
            names = Names.of(each.path.removesuffix(".next"))
            taken |= {names.path, names.lock, names.next}
    if real in taken:
        raise LogError("this is a file of the log itself; choose another name for the report", path=given)
    if storage.exists(given):
        found = storage.stat(given)
        if f"{found.st_dev}:{found.st_ino}" in {each.inode for each in examination.files}:
            raise LogError("this is a file of the log itself, by another name; choose another", path=given)
