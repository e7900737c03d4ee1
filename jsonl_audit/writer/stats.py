"""How a log fares: figures since it was opened, by this process."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Stats"]


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of one open log, since it was opened, of what this object did; cheap to ask for.

    >>> Stats(appended=6, commits=2).mean_group
    3.0
    """

    appended: int = 0
    """Records committed, those of the engine's own that tell of losses included."""
    commits: int = 0
    """Writes that they took."""
    bytes: int = 0
    """Length of their lines."""
    syncs: int = 0
    """Times that a segment was synced."""
    rotations: int = 0
    """Segments sealed because they were full, or by `rotate`."""
    waits: int = 0
    """Times that another process had the lock."""
    waited: float = 0.0
    """Seconds spent waiting for it."""
    spilled: int = 0
    """Events that were held in a spill log."""
    held: int = 0
    """Events that are held there now, as far as that is known."""
    lost: int = 0
    """Events that were dropped, left out, given up, or could not even be held."""
    delayed: int = 0
    """Events that waited for more than a second, with ``on_error="block"``."""
    last_error: str | None = None
    """What last stood in the way of an event."""
    last_error_at: str | None = None
    """When that was: RFC 3339, UTC, as `ts`."""

    @property
    def mean_group(self) -> float:
        """Records of a commit, on average."""
        return self.appended / self.commits if self.commits else 0.0
