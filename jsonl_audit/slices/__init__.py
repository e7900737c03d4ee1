"""Slices: a part of a log, cut out so that somebody else can verify it."""

from __future__ import annotations

from jsonl_audit.slices.cutting import Slice, extract

__all__ = ["Slice", "extract"]
