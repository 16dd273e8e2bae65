"""python -m spanforge: the program."""

from __future__ import annotations

import os
import sys

from spanforge import _spanforge


def main() -> int:
    """Runs the program with this process's arguments. Returns its exit code."""
    sys.stdout.flush()
    return _spanforge.run_program([os.fsencode(word) for word in sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
