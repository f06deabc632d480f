"""bin/bench at its small sizes: every row, every figure, the plot, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from world import FRAMEWORK, World

sys.path.insert(0, str(FRAMEWORK / "tests" / "bench"))
import figures

FIGURES = {
    "pipeline": ["ratio"],
    "chains": ["make", "snakemake", "doit"],
    "queue": ["start", "claim", "task", "memory"],
    "workspace": ["ratio"],
    "glance": ["status", "task list"],
    "rest": ["wakes", "core"],
    "verify": ["seconds"],
}
# No figure of a real run lies outside: a run that did nothing, or a clock read wrongly, does.
PLAUSIBLE = {
    "x": (0.005, 5000),
    "": (0.05, 500),
    "s": (0.05, 60),
    "MB": (8, 500),
    "/s": (0, 1000),
    "%": (0, 200),
}


def bench(world: World, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = world.env() | {"XDG_CACHE_HOME": str(world.place / "no cache")}
    command = [str(FRAMEWORK / "bin" / "bench"), *arguments]
    return subprocess.run(command, env=env, cwd=world.place, capture_output=True, text=True, timeout=400)


def check(rows: list[dict[str, Any]]) -> None:
    """Every figure is there, is plausible, and says of its promise what follows from it."""
    assert {row["name"]: [each["name"] for each in row["figures"]] for row in rows} == FIGURES
    for figure in (figure for row in rows for figure in row["figures"]):
        if figure["skipped"]:
            assert figure["value"] is None and figure["met"] is None
            continue
        low, high = PLAUSIBLE[figure["unit"]]
        assert low <= figure["value"] <= high, figure
        assert figure["met"] == (None if figure["bound"] is None else figure["value"] <= figure["bound"])


def test_every_row_is_measured_and_written(world: World, tmp_path: Path) -> None:
    written, plot = tmp_path / "figures.json", tmp_path / "plot.svg"
    done = bench(
        world, "--quick", "--rounds", "1", "--tasks", "4", "--json", str(written), "--plot", str(plot)
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(written.read_text())
    assert document["format"] == "orkestra.bench/2"
    check(document["rows"])
    skipped = {each["name"] for row in document["rows"] for each in row["figures"] if each["skipped"]}
    assert (
        {"snakemake", "doit"} <= skipped <= {"snakemake", "doit", "make"}
    )  # there is no cache to find them in
    assert "SKIPPED" in done.stdout and "bin/bench --with-others" in done.stdout
    assert [point["tasks"] for point in document["rows"][2]["measured"]["points"]] == [100, 1000]
    drawn = ElementTree.fromstring(plot.read_text())
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 3
    # The check itself: a figure that cannot be is seen, and so is one that is called kept and is not.
    for change in ({"value": 0.0}, {"met": not document["rows"][0]["figures"][0]["met"]}):
        forged = json.loads(written.read_text())
        forged["rows"][0]["figures"][0].update(change)
        with pytest.raises(AssertionError):
            check(forged["rows"])


def test_a_promise_is_kept_up_to_its_bound() -> None:
    def met(value: float | None, bound: float | None) -> bool | None:
        return figures.Figure("a", "a", value, "x", bound, "b").met

    assert (met(1.0, 1.0), met(1.01, 1.0), met(None, 1.0), met(5.0, None)) == (True, False, None, None)


@pytest.mark.parametrize(
    "arguments", [("--rows", "speed"), ("--rounds", "0"), ("--what",), ("--rows", "rest", "--plot", "x.svg")]
)
def test_wrong_usage(world: World, arguments: tuple[str, ...]) -> None:
    done = bench(world, *arguments)
    assert done.returncode == 64 and "bin/bench --help" in done.stderr
