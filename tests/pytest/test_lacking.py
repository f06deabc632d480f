"""What is said where a Python package is missing: the command that installs it on this Python, here."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from orkestra_shim import lacking


def test_all_that_is_needed_is_looked_for() -> None:
    """Each package that setup.cfg names, by the name that pip has for it; nothing is missing here."""
    setup = (Path(__file__).resolve().parents[2] / "setup.cfg").read_text("utf-8")
    needs = re.findall(r"^    (\S+) >= ", setup.partition("install_requires")[2].partition("\n\n")[0], re.M)
    assert sorted(needs) == sorted(lacking.PACKAGES.values())
    assert lacking.names() == []


def test_one_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "git", None)
    assert lacking.names() == ["GitPython"]
    error = lacking.error(lacking.names())
    assert error.code == 69 and error.message.endswith("or not for this Python: GitPython")


@pytest.mark.parametrize(
    ("version", "cure"),
    [
        (
            (3, 11),
            "; to build pyjq, as root: apt-get install gcc make autoconf automake libtool python3-dev ",
        ),
        ((3, 13), "in a checkout: ORKESTRA_VENV='/a venv' bin/orkestra --setup-only"),
    ],
)
def test_installed_with_pip(monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], cure: str) -> None:
    monkeypatch.setattr(lacking, "framework_root", lambda: lacking.PACKAGE)
    monkeypatch.setattr(sys, "version_info", version)
    monkeypatch.setattr(sys, "prefix", "/a venv")
    monkeypatch.setattr(sys, "executable", "/a venv/bin/python")
    assert cure in lacking.cure(["click", "pyjq"])
    assert lacking.cure(["click"]) == "'/a venv/bin/python' -m pip install --force-reinstall click"


def test_in_a_checkout_the_set_up_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a command that would remove what is not ours: outside of an environment sys.prefix is /usr."""
    monkeypatch.setattr(lacking, "framework_root", lambda: Path("/a checkout"))
    monkeypatch.setattr(sys, "prefix", "/usr")
    cure = "rm -f /usr/orkestra-requirements.txt; '/a checkout'/bin/orkestra --setup-only"
    assert lacking.cure(["pyjq"]) == cure
