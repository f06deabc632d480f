"""Manual pages: of every command and every script, and as groff reads them without a word of complaint."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import click
import pytest

from orkestra_shim import manual
from orkestra_shim.cli import main, orkestra

SCRIPTS = Path(__file__).resolve().parents[2] / "SCRIPTS"


def test_every_script_has_its_page() -> None:
    pages = manual.names(orkestra, SCRIPTS)
    assert {path.name for path in SCRIPTS.glob("*/*.sh")} <= set(pages)
    assert {"orkestra", "orkestra-start", "orkestra-task-add", "orkestra-vote-tally"} <= set(pages)
    for path in SCRIPTS.glob("*/*.sh"):
        text = manual.page(path.name, orkestra, SCRIPTS)
        assert ".SH SYNOPSIS" in text and ".SH EXIT STATUS" in text, path.name


def test_groff_reads_them_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if shutil.which("groff") is None:
        pytest.skip("this machine has no groff")
    assert main(["manual", "--install", str(tmp_path)]) == 0
    assert "pages in" in capsys.readouterr().out
    pages = sorted((tmp_path / "man1").glob("*.1"))
    assert len(pages) == len(manual.names(orkestra, SCRIPTS)) > 60
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-k", *map(str, pages)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    shown = subprocess.run(
        ["groff", "-man", "-Tutf8", "-k", "-P-cbou", str(tmp_path / "man1" / "orchestrator.sh.1")],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    header = (SCRIPTS / "CORE" / "orchestrator.sh").read_text().split("# shellcheck")[0]
    words = [line[2:].split()[0] for line in header.splitlines()[1:] if line[2:].split()]
    assert [word for word in words if word.strip("#") not in shown and not word.endswith(":")] == []
    assert "orchestrator.sh stop  [--project P]" in shown and "16 another run holds the project" in shown


def test_whatever_is_in_a_header(tmp_path: Path) -> None:
    folder = tmp_path / "CORE"
    folder.mkdir()
    header = "#!/bin/bash\n# Summary: it's .dotted \\n and `quoted`\n"
    header += "# Usage: x.sh A\n#        x.sh B\n#   .TH told\n"
    (folder / "x.sh").write_text(f"{header}# more\n# Exit: 0 always\nset -e\n# not this\n")
    text = manual.page("x.sh", orkestra, tmp_path)
    assert "\n.TH told" not in text and "\\&.TH told" in text and "not this" not in text
    assert "x.sh A\nx.sh B\n" in text and "\\en" in text and "\nmore\n" in text


def test_a_page_that_there_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["manual", "nothing"]) == 64
    assert "orkestra manual lists them" in capsys.readouterr().err
    assert isinstance(orkestra, click.Group)
