"""What was found in a log, as a document that an investigator can hand on, and that a second examiner can repeat."""

from __future__ import annotations

from jsonl_audit.report.examination import Examination, examine

__all__ = ["Examination", "examine"]
