"""What a log says of the settings that it is written with: its first header tells them, a record every change.

Each later header repeats the newest, and the lock file has those that changed since the header: whoever opens the log
knows them without a search.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jsonl_audit.process import program_name
from jsonl_audit.writer.active import Active

if TYPE_CHECKING:
    from jsonl_audit.writer.tip import Tip

__all__ = ["repeated", "tell"]


def tell(tip: Tip, active: Active) -> Active:
    """Records the settings of this writer, if they are others than those before; returns the active segment then.

    Raises WriteError, SyncError, and what `Tip.ready` does.
    """
    own = tip.settings.told
    if own is None:
        return active
    due = _change(own, active.settings)
    if due is None:
        return active
    tells = partial(active.tells, due["settings"])
    tip.control(active, "audit.settings", due, fsync=tip.settings.fsync, then=tells)
    active = tip.ready()  # it may be another by now
    tip.disk.mark(active)
    return active


def repeated(tip: Tip, active: Active) -> dict[str, Any] | None:
    """What the next header tells: the newest recorded settings, and of this writer's those that were not known."""
    known, own = active.settings, tip.settings.told
    return {**own, **(known or {})} if own is not None and tip.told else known


def _change(own: Mapping[str, Any], known: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Details of the ``audit.settings`` record that is due where the newest recorded settings are `known`, else None.

    What was not known before is no change.
    """
    was = {name: known[name] for name, value in own.items() if known and name in known and known[name] != value}
    if not was:
        return None
    return {"settings": {**(known or {}), **own}, "was": was, "by": _by()}


def _by() -> dict[str, Any]:
    """Who runs this process."""
    by: dict[str, Any] = {"pid": os.getpid(), "program": program_name()}
    try:
        import pwd

        by["user"] = pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):  # Windows, or a user without a name
        if hasattr(os, "getuid"):
            by["user"] = str(os.getuid())
    return by
