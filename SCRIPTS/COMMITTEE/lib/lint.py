"""Parse the files whose paths (below files/) come NUL-separated on stdin; nothing is executed.

stdout: the number of files parsed, then one line PATH:LINE: MESSAGE for each that does not parse.
Run as `python3 -I -S -B lint.py`, on whatever Python 3 the machine has.
"""

from __future__ import annotations

import ast
import importlib
import json
import re
import sys
import warnings
from typing import Any
from xml.parsers import expat

tomllib: Any = None
if sys.version_info >= (3, 11):
    tomllib = importlib.import_module("tomllib")

TEMPLATE = re.compile(rb"\{\{|\{%")
LARGEST = 4 * 1024 * 1024  # bytes; more is data, not source


def fault_of(path: str, data: bytes) -> tuple[int, str] | bool | None:
    """The fault of one file as (line, message); None where it parses; False where that cannot be said."""
    try:
        if path.endswith((".py", ".pyi")):
            compile(data, path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
        elif path.endswith(".toml"):
            if tomllib is None:
                return False
            tomllib.loads(data.decode("utf-8"))
        elif path.endswith((".xml", ".svg")):
            expat.ParserCreate().Parse(data, True)
        else:
            json.loads(data.decode("utf-8-sig"))
    except SyntaxError as error:
        if "Missing parentheses in call" in str(error) or "multiple exception types" in str(error):
            return False  # Python 2
        return error.lineno or 1, error.msg
    except expat.ExpatError as error:
        return error.lineno, expat.ErrorString(error.code)
    except json.JSONDecodeError as error:
        return error.lineno, error.msg
    except UnicodeDecodeError as error:
        return data.count(b"\n", 0, error.start) + 1, "not UTF-8"
    except (RecursionError, MemoryError, OverflowError):
        return False
    except ValueError as error:
        found = re.search(r"line (\d+)", str(error))
        return (int(found.group(1)) if found else 1), str(error).splitlines()[0]
    return None


def main() -> None:
    """Print the answer."""
    warnings.simplefilter("ignore")
    parsed = 0
    faults = []
    for name in sys.stdin.buffer.read().split(b"\0"):
        if not name:
            continue
        with open(b"files/" + name, "rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            continue
        path = name.decode("utf-8", "backslashreplace")
        fault = fault_of(path, data)
        if isinstance(fault, bool) or (fault and TEMPLATE.search(data)):
            continue
        parsed += 1
        if fault:
            line, message = fault
            faults.append(f"{path}:{line}: {message}".replace("\n", "?"))
    answer = "\n".join([str(parsed), *faults, ""])
    sys.stdout.buffer.write(answer.encode("utf-8", "backslashreplace"))


main()
