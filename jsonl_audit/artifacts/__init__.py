"""What is too large for a line: kept beside the log, named by its hash, referred to by records."""

from __future__ import annotations

from jsonl_audit.artifacts.reading import Artifact
from jsonl_audit.artifacts.store import Store, folder_of

__all__ = ["Artifact", "Store", "folder_of"]
