"""Tests with agents that take seconds to answer: few runs, several failures in each by what the stub is told.

ORKESTRA_TEST_SLOW_AGENTS=0 leaves them out on a slow machine. A test file has `pytestmark = SLOW`, its bench
from `bench_of`, the stub from `stub_in` (tests/pytest/agent_bench.py), the place from that fixture.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent_bench import Bench, Stub, installed, need_sandbox

SLOW = pytest.mark.skipif(
    os.environ.get("ORKESTRA_TEST_SLOW_AGENTS") == "0", reason="ORKESTRA_TEST_SLOW_AGENTS=0"
)


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
