"""A look at a log and its place, as an experienced operator would take it: each remark with the command that mends it.

Nothing here judges records, which is the verifier's; and nothing here changes anything.
"""

from __future__ import annotations

from jsonl_audit.doctor.diagnosis import Diagnosis, Remark
from jsonl_audit.doctor.examination import diagnose

__all__ = ["Diagnosis", "Remark", "diagnose"]
