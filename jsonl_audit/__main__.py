"""`python -m jsonl_audit` is the command `jsonl-audit`, for where the script is not on PATH."""

import sys

from jsonl_audit.cli import main

if __name__ == "__main__":
    sys.exit(main())
