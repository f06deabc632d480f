"""Python packages that Orkestra needs and that are not there: what to say, and what to do."""

from __future__ import annotations

import importlib
import sys

from orkestra_shim.errors import EX_UNAVAILABLE, OrkestraError
from orkestra_shim.home import PACKAGE, framework_root
from orkestra_shim.text import word

# What is imported, and what pip calls it.
PACKAGES = {
    "click": "click",
    "dateparser": "dateparser",
    "dotenv": "python-dotenv",
    "git": "GitPython",
    "jinja2": "Jinja2",
    "pyjq": "pyjq",
    "rich": "rich",
    "sh": "sh",
}
# What pip needs on Debian to build pyjq, which has no wheels. From Python 3.12 on only bin/orkestra can.
BUILDS_PYJQ = "gcc make autoconf automake libtool python3-dev python3-lib2to3"


def names() -> list[str]:
    """Those that cannot be imported, as pip calls them."""
    missing = []
    for module, package in PACKAGES.items():
        try:
            importlib.import_module(module)
        except ImportError:
            missing.append(package)
    return missing


def error(packages: list[str]) -> OrkestraError:
    """What a person is told."""
    told = f"not installed in {sys.prefix}, or not for this Python: {', '.join(packages)}"
    return OrkestraError(EX_UNAVAILABLE, told, cure(packages))


def cure(packages: list[str]) -> str:
    """The command that installs them."""
    root = framework_root()
    if root != PACKAGE:
        return f"rm -f {word(sys.prefix)}/orkestra-requirements.txt; {word(root)}/bin/orkestra --setup-only"
    if "pyjq" not in packages:
        return f"{word(sys.executable)} -m pip install --force-reinstall {' '.join(packages)}"
    if sys.version_info >= (3, 12):
        return f"in a checkout: ORKESTRA_VENV={word(sys.prefix)} bin/orkestra --setup-only"
    return (
        f"{word(sys.executable)} -m pip install --force-reinstall {' '.join(packages)}; "
        f"to build pyjq, as root: apt-get install {BUILDS_PYJQ}"
    )
