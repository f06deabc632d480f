"""A workspace, a ticket and the stub of the models, for tests of spawn.sh with real agent command lines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import evidence, keys

FRAMEWORK = Path(__file__).resolve().parents[2]
SCRIPTS = FRAMEWORK / "SCRIPTS"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["choice", "reason", "confidence"],
    "properties": {
        "choice": {"type": "string", "enum": ["approve", "revise", "reject", "abstain"]},
        "reason": {"type": "string"},
        "confidence": {"type": "integer"},
    },
}
PATIENCE = 120  # bound for what hangs, seconds


def rule(text: str, *turns: dict[str, Any]) -> dict[str, Any]:
    return {"name": text, "match": {"text": text}, "turns": list(turns)}


def installed(*agents: str) -> dict[str, Path]:
    """The pinned tools, installed once into the environment's cache of test tools."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed (Debian package npm): the real agents cannot be had")
    cache = Path(os.environ.get("ORKESTRA_TEST_AGENTS") or Path(sys.prefix) / "test-cache" / "agents")
    command = [FRAMEWORK / "tests" / "helpers" / "install-agents.sh", cache, *agents]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name: Path(path) for name, path in (line.split("\t") for line in done.stdout.splitlines())}


def need_sandbox() -> None:
    probe = [SCRIPTS / "SAFETY" / "sandbox.sh", "--probe"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no sandbox here: {done.stderr.strip()}")


@dataclass
class Stub:
    """The model's stand-in, and what it was asked."""

    url: str
    log: Path
    bodies: Path

    def log_lines(self) -> list[dict[str, Any]]:
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        return [json.loads(line) for line in lines]

    def asked(self) -> list[dict[str, Any]]:
        return [entry for entry in self.log_lines() if entry.get("dialect")]

    def wait_for(self, wanted: Callable[[dict[str, Any]], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not any(wanted(entry) for entry in self.asked()):
            assert time.monotonic() < end, f"the stub was never asked so: {self.asked()}"
            time.sleep(0.02)

    def everything(self) -> str:
        return "\n".join(path.read_text("utf-8") for path in sorted(self.bodies.iterdir()))


@contextmanager
def stub_in(folder: Path, scenario: dict[str, Any]) -> Iterator[Stub]:
    (folder / "bodies").mkdir(parents=True)
    (folder / "scenario.json").write_text(json.dumps(scenario), "utf-8")
    command = [sys.executable, str(FRAMEWORK / "tests" / "helpers" / "stub_model_server.py"), "--port", "0"]
    options = ["--scenario", "scenario.json", "--log", "requests.jsonl", "--dump", "bodies"]
    server = subprocess.Popen([*command, *options], cwd=folder, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    port = server.stdout.readline().strip().rpartition(":")[2]
    yield Stub(f"http://127.0.0.1:{port}", folder / "requests.jsonl", folder / "bodies")
    server.terminate()
    server.wait()
    server.stdout.close()


class Bench:
    """One workspace and one ticket, as worker and store would have made them."""

    def __init__(
        self,
        place: Path,
        stub: Stub,
        monkeypatch: pytest.MonkeyPatch,
        agent: str,
        binary: Path,
        fixed: dict[str, str],
        secrets: dict[str, str],
    ) -> None:
        """fixed: what its environment always has; secrets: its key."""
        self.place, self.stub, self.agent, self.fixed = place, stub, agent, fixed
        self.workspace, self.ticket = place / "cache" / "w1", place / "runtime" / "w1"
        self.attempt, self.tree, self.home = place / "attempt", self.workspace / "tree", place / "home"
        for folder in (
            self.tree,
            self.ticket / "exchange",
            place / "config" / "RUNTIME",
            place / "git" / "objects",
        ):
            folder.mkdir(parents=True)
        keys.learn(place / "secrets", secrets.values())
        for name, value in {
            "ORKESTRA_PYTHON": sys.executable,
            "ORKESTRA_CONFIG": str(place / "config"),
            "ORKESTRA_GIT_DIR": str(place / "git"),
            "ORKESTRA_RUNTIME": str(place / "runtime"),
            "ORKESTRA_WORKSPACES": str(place / "cache"),
            "ORKESTRA_GRACE": "5",
            "ORKESTRA_SANDBOX": "required",
            "ORKESTRA_SECRETS_FILE": str(place / "secrets"),
            "PYTHONPATH": str(FRAMEWORK),
            "PATH": f"{binary.parent}:/usr/local/bin:/usr/bin:/bin",
        }.items():
            monkeypatch.setenv(name, value)
        self.write("task", "a-task")
        self.write("try", "1")
        self.write("agent", agent)
        self.write("adapter", str(SCRIPTS / "AGENTS" / "adapters" / agent))
        self.write("timeout", "120")
        self.env(**secrets)

    def write(self, name: str, text: str) -> None:
        (self.ticket / name).write_text(text, "utf-8")

    def env(self, **values: str) -> None:
        self.write("env", "".join(f"{name}={value}\0" for name, value in {**self.fixed, **values}.items()))

    def prompt(self, text: str) -> None:
        self.write("exchange/prompt.md", text + "\n")

    def start(self, *arguments: Path | str) -> subprocess.Popen[str]:
        command = [str(SCRIPTS / "AGENTS" / "spawn.sh"), *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: Path | str) -> int:
        process = self.start(*arguments)
        said = process.communicate(timeout=PATIENCE * 2)
        assert said == ("", ""), said
        return process.returncode

    def work(self, prompt: str) -> int:
        self.prompt(prompt)
        return self.run("work", self.workspace, self.ticket, self.attempt)

    def ballot(self, prompt: str) -> int:
        self.prompt(prompt)
        self.write("exchange/schema.json", json.dumps(SCHEMA))
        return self.run("ballot", self.tree, self.ticket, self.attempt, self.workspace)

    def result(self, code: int) -> evidence.Result:
        return evidence.read_result(
            [self.attempt], SCRIPTS / "AGENTS" / "adapters" / f"{self.agent}.jq", code
        )

    def wait(self, happened: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.02)

    def log(self) -> str:
        return (self.attempt / "output.log").read_text("utf-8", "replace")


def processes(mark: str) -> list[str]:
    """Command lines and environments of this machine's processes that mention the mark; not our own."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            text = (folder / "cmdline").read_bytes() + b"\n" + (folder / "environ").read_bytes()
        except OSError:
            continue
        if mark.encode() in text:
            found.append(text.decode("utf-8", "replace").replace("\0", " ")[:300])
    return found


def until_gone(mark: str) -> None:
    end = time.monotonic() + PATIENCE
    while left := processes(mark):
        assert time.monotonic() < end, left
        time.sleep(0.02)


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mode) for path in files}
