"""Verification: what of a log is as it was committed, and what is not."""

from __future__ import annotations

from jsonl_audit.verifier.report import Finding, Note, Report
from jsonl_audit.verifier.verification import verify, verify_each

__all__ = ["Finding", "Note", "Report", "verify", "verify_each"]
