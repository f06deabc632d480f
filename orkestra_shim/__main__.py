"""`orkestra` as pip installs it, `python -m orkestra_shim`, and what bin/orkestra starts by its path."""

import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


def main() -> int:
    """Runs the command and returns its exit code: 69 where a package that it needs is not installed."""
    try:
        from orkestra_shim.cli import main as run
    except ImportError:
        from orkestra_shim import lacking

        missing = lacking.names()
        if not missing:
            raise
        print(lacking.error(missing).lines(), file=sys.stderr)
        return lacking.error(missing).code
    return run()


if __name__ == "__main__":
    sys.exit(main())
