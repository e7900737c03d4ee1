"""Two copies of a log held against each other: what each lacks, where they part, and since when."""

from __future__ import annotations

from jsonl_audit.comparison.comparing import compare
from jsonl_audit.comparison.outcome import Common, Comparison, Difference, Parting, Place, Side

__all__ = ["Common", "Comparison", "Difference", "Parting", "Place", "Side", "compare"]
