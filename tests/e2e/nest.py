"""Runs a command and stays until everything it started is gone: nest.py STATUS-FILE COMMAND...

Whatever the command leaves without a parent becomes a child of this process, however it was started, so
that nothing of a run is lost from sight. STATUS-FILE gets the command's wait status as a number, once it
has ended; this process ends when no descendant is left.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


def main() -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        return 69
    child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return 0
        if pid == child:
            temporary = sys.argv[1] + ".new"
            with open(temporary, "w", encoding="ascii") as file:
                file.write(f"{status}\n")
            os.replace(temporary, sys.argv[1])


if __name__ == "__main__":
    sys.exit(main())
