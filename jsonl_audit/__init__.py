"""An append-only audit log: JSON lines, chained by BLAKE3."""

__version__ = "0.1.0"
