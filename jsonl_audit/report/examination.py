"""An examination: a log verified, and all that an investigator wants to know of it, taken down at the same time."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jsonl_audit
from jsonl_audit import accessed, instants
from jsonl_audit.errors import AuditError, NewerFormatError, NotALogError
from jsonl_audit.reader.notices import warn
from jsonl_audit.report import custody, words
from jsonl_audit.report.exhibits import Exhibit, exhibits
from jsonl_audit.report.facts import Examined, folder_of, look_at
from jsonl_audit.report.history import Event
from jsonl_audit.report.spans import Place, Span, places, spans
from jsonl_audit.verifier import Finding, Report
from jsonl_audit.verifier.anchors import parse
from jsonl_audit.verifier.files import Collected, collect
from jsonl_audit.verifier.verification import verified

__all__ = ["Examination", "examine"]

_Path = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Examination:
    """What an examination found, and what backs it. `render` makes a document of it, `save` keeps that in a file."""

    path: str
    """What was examined, as it was named."""
    folder: str
    """The folder that the names of the files are counted from."""
    report: Report | None
    """What :func:`~jsonl_audit.verify` says; None where what was named is no log of a known format."""
    error: AuditError | None
    """Why it is none."""
    files: tuple[Examined, ...]
    exhibits: tuple[Exhibit, ...]
    """The findings that are shown with all that backs them."""
    spans: tuple[Span, ...]
    events: tuple[Event, ...]
    more_events: int
    made: str
    """When, in UTC."""
    seconds: float
    """How long it took."""
    command: str
    """The command line, or the call, that made it."""
    by: dict[str, str]
    """Who examined, where, and with what."""
    script: str
    """The second examiner's."""
    expected: tuple[tuple[int, str], ...] = ()
    """The anchors that it was held against."""

    @property
    def refusal(self) -> str:
        """Why what was named is no log, in words."""
        return "" if self.error is None else self.error.message

    @property
    def verdict(self) -> str:
        """That of the report, or ``"not a log"``."""
        return words.REFUSED if self.report is None else self.report.verdict

    @property
    def exit_code(self) -> int:
        """The exit status that ``jsonl-audit verify`` has for it."""
        return 2 if self.report is None else self.report.exit_code

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Those of the report."""
        return () if self.report is None else self.report.findings

    @property
    def log(self) -> str | None:
        """The UUID of the log, where a header says it."""
        active = [each.log for each in self.files if each.role == "active" and each.log]
        return next(iter([*active, *(each.log for each in self.files if each.log)]), None)

    def places(self) -> list[Place]:
        """What is drawn on the timeline."""
        return places(self.spans, self.files, self.findings, self.events)

    def render(self, form: str = "html") -> str:
        """The document: ``"html"``, ``"md"`` or ``"json"``. Raises ValueError for another form."""
        if form == "html":
            from jsonl_audit.report.page import page

            return page(self)
        if form == "md":
            from jsonl_audit.report.markdown import markdown

            return markdown(self)
        if form == "json":
            from jsonl_audit.report.members import as_json

            return as_json(self)
        raise ValueError(f"a report is html, md or json, not {form!r}")

    def save(self, path: _Path) -> str:
        """Keeps the document in a file, whose ending (.html, .md, .json) says its form; BLAKE3 of the file, in hex.

        The file is there whole or not at all, readable by its owner only. An earlier report is replaced; anything else
        that lies there is not. Raises LogError for a name that a report must not have, StorageError.
        """
        from jsonl_audit.report.keeping import save

        return save(self, path)


def examine(
    paths: _Path | Sequence[_Path],
    *,
    command: str | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Examination:
    """Verifies a log as :func:`~jsonl_audit.verify` does, and takes down what an investigator hands on.

    Nothing is written, and the log may be in use: files, digests and verdict are of one moment. What is no log of a
    known format is examined too, with a refusal in place of a verdict.

    :param paths: as for `verify`; so are all other options.
    :param command: what the report says it was made by; the call, if it is not given.

    Raises as `verify` does, but for NotALogError and NewerFormatError.

    >>> import tempfile, pathlib
    >>> from jsonl_audit import AuditLog
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "audit.jsonl"
    >>> with AuditLog(path) as log:
    ...     receipt = log.append("exec.completed", outcome="success")
    >>> found = examine(path)
    >>> found.verdict, found.exit_code, [each.name for each in found.files]
    ('intact', 0, ['audit.jsonl'])
    >>> _ = found.save(path.parent / "report.html")
    >>> found.render("md").splitlines()[0]
    '# Examination of the audit log audit.jsonl'
    """
    began, made = time.monotonic(), instants.text(time.time_ns() // 1000)
    shown = _shown(paths)

    def take(collected: Collected, report: Report | None, error: AuditError | None = None) -> Examination:
        looked = look_at(collected, _Counted(progress, sum(file.size for file in collected.files)))
        files = [each for each, _ in looked]
        findings = () if report is None else report.findings
        history = sorted((event for each in files for event in each.events), key=lambda event: event.seq)
        expected = tuple((anchor.seq, anchor.hash) for anchor in parse(options.get("expect", ())))
        full = bool(options.get("full"))
        return Examination(
            path=shown,
            folder=folder_of(collected),
            report=report,
            error=error,
            files=tuple(files),
            exhibits=tuple(exhibits(findings, looked)),
            spans=tuple(spans(files, findings)),
            events=tuple(dict.fromkeys(history)),
            more_events=sum(each.more_events for each in files),
            made=made,
            seconds=time.monotonic() - began,
            command=command or f"jsonl_audit.examine({shown!r}{''.join(f', {n}={v!r}' for n, v in options.items())})",
            by=_by(),
            script=custody.script(
                files, named=collected.named, copied=collected.copied, full=full,
                verdict=words.REFUSED if report is None else report.verdict, anchors=expected,
                artifacts=custody.artifacts_of(collected, looked),
            ),
            expected=expected,
        )  # fmt: skip

    try:
        made_of = verified(paths, take, progress=progress, **options)
    except (NotALogError, NewerFormatError) as error:
        with collect(paths) as collected:
            return take(collected, None, error)
    if isinstance(paths, (str, os.PathLike)) and made_of.report is not None:
        what = {"full": made_of.report.full, "verdict": made_of.report.verdict, "report": True}
        accessed.record(paths, "verify", what, made_of.report.records, warn)
    return made_of


class _Counted:
    """Tells how far the files have been read for their digests, after they were verified."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(min(self._done, self._total), self._total)


def _shown(paths: _Path | Sequence[_Path]) -> str:
    several = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    return ", ".join(os.path.expanduser(os.fspath(path)) for path in several)


def _by() -> dict[str, str]:
    """Who examines, where, and with what. What the system does not tell is left out."""
    import getpass

    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = str(os.getuid()) if hasattr(os, "getuid") else ""
    return {
        "program": f"jsonl-audit {jsonl_audit.__version__}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "host": platform.node(),
        "user": user,
        "timezone": time.strftime("%Z %z"),
        "executable": sys.executable or "",
    }
