"""What must not reach the disk: secrets by name and by form, personal data, and the markers in their place."""

from __future__ import annotations

from jsonl_audit.redact.finder import Hit
from jsonl_audit.redact.places import Place
from jsonl_audit.redact.redactor import Redactor, redactor_of

__all__ = ["Hit", "Place", "Redactor", "redactor_of"]
