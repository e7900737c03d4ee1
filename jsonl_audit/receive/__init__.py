"""What arrives at the other end of any shipper: checked as a stream, or put back into the segments of its logs."""

from jsonl_audit.receive.checking import StreamLog, StreamReport, verify_stream
from jsonl_audit.receive.collecting import Collected, CollectedLog, collect
from jsonl_audit.receive.collector import Collector
from jsonl_audit.receive.stream import StreamCheck
from jsonl_audit.receive.told import StreamFinding

__all__ = [
    "Collected",
    "CollectedLog",
    "Collector",
    "StreamCheck",
    "StreamFinding",
    "StreamLog",
    "StreamReport",
    "collect",
    "verify_stream",
]
