"""Verification as users call it, and a record of each. Apart from other reads: a tail does not load the verifier."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, cast

from jsonl_audit import verifier
from jsonl_audit.accessed import recorder
from jsonl_audit.reader import notices

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["verify"]


def _recorded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def verify(paths: Any, **options: Any) -> Any:
        report = function(paths, **options)
        if isinstance(paths, (str, os.PathLike)):  # a list is of single files, wherever they lie
            what = {"full": report.full, "verdict": report.verdict}
            recorder.record(paths, "verify", what, report.records, notices.warn)
        return report

    verify.__module__ = __name__
    return verify


if TYPE_CHECKING:
    from jsonl_audit.verifier import verify
else:
    verify = cast(Any, _recorded(verifier.verify))
