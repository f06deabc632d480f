"""Tasks that change nothing, in two chains, against GNU make, doit and snakemake on the same graph."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
from figures import Figure, Row
from machine import ORKESTRA, Failed, Place

OTHERS = ("doit==0.36.0", "snakemake==8.30.0")

# Its own limit does not let it follow a chain of five hundred.
SNAKEFILE = """
import sys
sys.setrecursionlimit(100000)
def before(wildcards):
    number = int(wildcards.n)
    return [] if number < 2 else f"done/{number - 2}"
rule all:
    input: "done/%d", "done/%d"
rule one:
    input: before
    output: touch("done/{n}")
    shell: "true"
"""
DODO = """
def task_n():
    for number in range(%d):
        before = [f"n:{number - 2}"] if number > 1 else []
        yield {"name": str(number), "actions": [["true"]], "task_dep": before}
"""


def install(folder: Path) -> None:
    """doit and snakemake, pinned, into an environment of the bench's own."""
    if not (folder / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, stdin=subprocess.DEVNULL)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *OTHERS]
    subprocess.run(pip, check=True, stdin=subprocess.DEVNULL)


def measure(count: int, rounds: int, others: Path, say: Callable[[str], None]) -> Row:
    """All of them in turn, `rounds` times."""
    commands: dict[str, list[str]] = {}
    make = shutil.which("make")
    if make:
        commands["make"] = [make, "-s", "-j2", "all"]
    for name, words in {
        "doit": ["-n", "2", "n"],
        "snakemake": ["--quiet", "all", "--cores", "2", "--scheduler", "greedy"],
    }.items():
        if (others / "bin" / name).exists():
            commands[name] = [str(others / "bin" / name), *words]
    measured: list[dict[str, float]] = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="orkestra bench ") as folder:
            place = Place(Path(folder))
            taken = {name: _other(place, name, command, count) for name, command in commands.items()}
            taken["orkestra"] = _ours(place, count)
        measured.append(taken)
        say(
            f"chains {number + 1}: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in taken.items())
        )
    ours = statistics.median(each["orkestra"] for each in measured)
    figures = []
    for name, bound, compared in (
        ("make", 10.0, "make -j2"),
        ("snakemake", 0.5, "snakemake"),
        ("doit", None, "doit -n 2"),
    ):
        what = f"{count} tasks that change nothing: {1000 * ours / count:.0f} ms a task"
        if name not in commands:
            why = "not installed" if name == "make" else "not installed: bin/bench --with-others"
            figures.append(Figure(name, what, None, "x", bound, compared, why))
            continue
        ratio = statistics.median(each["orkestra"] / each[name] for each in measured)
        theirs = 1000 * statistics.median(each[name] for each in measured) / count
        figures.append(Figure(name, what, ratio, "x", bound, f"{compared}, {theirs:.1f} ms a task"))
    return Row("chains", figures, {"tasks": count, "rounds": measured, "versions": list(OTHERS)})


def _ours(place: Place, count: int) -> float:
    project = place.project("chains", machine.nothing(count, wide=2))
    seconds = place.timed(ORKESTRA, "start", "--workers", "2")
    done = len(list((project / "logs" / "outcomes").glob("outcome-*.json")))
    if done != count:
        raise Failed(f"only {done} of {count} tasks are done: the figure would be worth nothing")
    return seconds


def _other(place: Place, name: str, command: list[str], count: int) -> float:
    folder = place.folder / name
    folder.mkdir()
    _write(folder, count)
    seconds = place.timed(*command, cwd=folder)
    if name == "snakemake" and len(list((folder / "done").iterdir())) != count:
        raise Failed("snakemake has not done all: the figure would be worth nothing")
    return seconds


def _write(folder: Path, count: int) -> None:
    rules = [f"all: n{count - 1} n{count - 2}", ".PHONY: all " + " ".join(f"n{n}" for n in range(count))]
    rules += [f"n{n}: {f'n{n - 2}' if n > 1 else ''}\n\t@true" for n in range(count)]
    files: dict[str, Any] = {"Makefile": "\n".join(rules) + "\n", "dodo.py": DODO % count}
    files["Snakefile"] = SNAKEFILE % (count - 1, count - 2)
    for name, text in files.items():
        (folder / name).write_text(text)
