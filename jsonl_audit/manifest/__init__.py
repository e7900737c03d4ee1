"""A manifest: which files a log is made of at one moment, with digests, so that a copy can be held against it.

::

    {"manifest":1,"log":"<uuid>","made":"2026-11-22T10:11:12.123456Z","by":"jsonl-audit/0.1.0",
     "first_seq":1,"last_seq":42,"head":"<64 hex>",
     "files":[{"name":"audit.jsonl","segment":1,"bytes":18211,"blake3":"<64 hex>","sha256":"<64 hex>",
               "first_seq":1,"last_seq":42,"head":"<64 hex>"}],
     "artifacts":[{"name":"audit.jsonl.d/artifacts/<64 hex>","bytes":52428800,"blake3":"<64 hex>"}]}

`b3sum` and `sha256sum` say the digests of the files as they lie there. A manifest proves nothing that its own copy does
not: it is to be kept, or sent, another way than the files.
"""

from __future__ import annotations

from jsonl_audit.manifest.checking import Difference, check
from jsonl_audit.manifest.making import entry_of, make
from jsonl_audit.manifest.statement import ArtifactEntry, FileEntry, Manifest, dump, load

__all__ = ["ArtifactEntry", "Difference", "FileEntry", "Manifest", "check", "dump", "entry_of", "load", "make"]
