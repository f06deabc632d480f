"""Tests with agents that take seconds to answer: few runs, several failures in each by what the stub is told.

ORKESTRA_TEST_SLOW_AGENTS=0 leaves them out on a slow machine. A test file has `pytestmark = SLOW`, its bench
from `bench_of`, the stub from `stub_in` (tests/pytest/agent_bench.py), the place from that fixture.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent_bench import PATIENCE, Bench, Stub, installed, need_sandbox, until_gone

LEFT_OUT = os.environ.get("ORKESTRA_TEST_SLOW_AGENTS") == "0"
SLOW = pytest.mark.skipif(LEFT_OUT, reason="ORKESTRA_TEST_SLOW_AGENTS=0")


@dataclass(frozen=True)
class Vendor:
    """How one tool is set up here. address: the variable of its model's place, and the path there.

    tool: what it is installed as, where that is not the adapter's name.
    """

    name: str
    key: str
    address: tuple[str, str]
    model: str
    secret: str = "sk-a-key-that-nobody-may-see-4b9d"
    tool: str = ""


def bench_of(vendor: Vendor, place: Path, stub: Stub, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A workspace with that agent and its key; needs the sandbox."""
    need_sandbox()
    tool = vendor.tool or vendor.name
    binary = installed(tool)[tool]
    name, path = vendor.address
    fixed = {name: stub.url + path, "ORKESTRA_MODEL": vendor.model}
    return Bench(place, stub, monkeypatch, vendor.name, binary, fixed, {vendor.key: vendor.secret})


def told_to_stop(vendor: Vendor, bench: Bench, process: subprocess.Popen[str]) -> None:
    """TERM for an adapter in the middle of its work: nothing of it is left, and nobody saw its key."""
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(vendor.secret.encode() in line for line in lines)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    until_gone("987652")
    until_gone(str(bench.workspace))
