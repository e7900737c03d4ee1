"""The catalogue: every type of events that comes with the package, in four chapters."""

from __future__ import annotations

from jsonl_audit.events.catalogue import assistant, platform, security, trail

__all__ = ["CATALOGUE", "CHAPTERS"]

CHAPTERS = {
    "The security of a gateway": security.TYPES,
    "The trail of an agent": trail.TYPES,
    "Permissions, tools and tasks of an assistant": assistant.TYPES,
    "Runs, chats and configuration of a platform": platform.TYPES,
}
CATALOGUE = tuple(kind for chapter in CHAPTERS.values() for kind in chapter)
