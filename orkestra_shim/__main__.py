"""`python -m orkestra_shim`, and the file that bin/orkestra starts by its path in an isolated Python."""

import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from orkestra_shim.cli import main

if __name__ == "__main__":
    sys.exit(main())
