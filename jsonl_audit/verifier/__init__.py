"""Verification: what of a log is as it was committed, and what is not."""

from __future__ import annotations

from jsonl_audit.verifier.report import Anchored, Finding, Note, Report
from jsonl_audit.verifier.verification import verify, verify_each

__all__ = ["Anchored", "Finding", "Note", "Report", "verify", "verify_each"]
