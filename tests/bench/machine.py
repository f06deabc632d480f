"""Where a measurement happens: folders of its own, commands, and what /proc says of processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ORKESTRA = ROOT / "bin" / "orkestra"
BOUND = 1800  # seconds that one command may take: a bound for what hangs
GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
GIT |= {
    f"GIT_{who}_{what}": "bench@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}
NAMED = ("orchestrator.sh", "worker.sh", "tree-keeper.sh", "monitor.sh", "courier.sh", "orkestra_shim.store")


class Failed(Exception):
    """A figure that would be worth nothing: what was wrong."""


class Place:
    """A home of Orkestra's in a folder that the caller removes; nothing of the caller's settings counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "orkestra"
        for name in ("home", "orkestra"):
            (folder / name).mkdir()
        self.env = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder / "home"), **GIT}
        self.env["ORKESTRA_HOME"] = str(self.home)
        if "ORKESTRA_VENV" in os.environ:
            self.env["ORKESTRA_VENV"] = os.environ["ORKESTRA_VENV"]

    def run(self, *command: str | Path, cwd: Path | None = None, codes: tuple[int, ...] = (0,)) -> str:
        """What a command prints. Its output is shown, and Failed raised, when it ends with another code."""
        done = subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=BOUND,
        )
        if done.returncode not in codes:
            sys.stderr.write(done.stdout[-2000:] + done.stderr[-2000:])
            raise Failed(f"exit {done.returncode}: {' '.join(str(word) for word in command)[:200]}")
        return done.stdout

    def timed(self, *command: str | Path, cwd: Path | None = None, codes: tuple[int, ...] = (0,)) -> float:
        """Seconds of wall clock that the command takes."""
        begun = time.monotonic()
        self.run(*command, cwd=cwd, codes=codes)
        return time.monotonic() - begun

    @contextlib.contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """`orkestra ARGUMENTS` that goes on, in silence; stopped at the end of the block, and waited for."""
        run = subprocess.Popen(
            [ORKESTRA, *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield run
        finally:
            if run.poll() is None:
                run.terminate()
            try:
                run.wait(timeout=90)
            except subprocess.TimeoutExpired:
                for process in descendants(run.pid):
                    os.kill(process, signal.SIGKILL)
                run.wait()

    def project(self, name: str, tasks: list[dict[str, Any]]) -> Path:
        """A new project with this queue, committed."""
        self.run(ORKESTRA, "new", name)
        project = self.home / "PROJECTS" / name
        self.queue(project, tasks)
        return project

    def queue(self, project: Path, tasks: list[dict[str, Any]]) -> None:
        """Another queue, committed."""
        file = project / "config" / "task-queue.json"
        file.write_text(json.dumps({"version": 1, "tasks": tasks}, indent=1) + "\n")
        self.run("git", "commit", "-q", "-a", "-m", "tasks", cwd=project)


def nothing(count: int, wide: int = 0) -> list[dict[str, Any]]:
    """Tasks that change nothing; with `wide`, in as many chains."""
    tasks: list[dict[str, Any]] = []
    for number in range(count):
        task = {"id": f"t{number:06}", "title": f"Nothing {number}", "agent": "shell", "command": "true"}
        tasks.append({**task, "check": "true", "allow_empty": True})
        if wide and number >= wide:
            tasks[-1]["depends_on"] = [f"t{number - wide:06}"]
    return tasks


def journal(project: Path, event: str) -> int:
    """How often an event stands in the project's journal."""
    file = project / "logs" / "execution" / "task-execution.log"
    return file.read_bytes().count(f'"event":"{event}"'.encode()) if file.exists() else 0


def python() -> Path:
    """The Python of the environment that Orkestra runs in."""
    return Path(os.environ.get("ORKESTRA_VENV", ROOT / ".venv")) / "bin" / "python"


def descendants(process: int) -> list[int]:
    """All processes below one, itself first."""
    found = [process]
    for parent in found:
        try:
            found += [
                int(word) for word in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            ]
        except OSError:
            continue  # it has ended meanwhile
    return found


def role(process: int) -> str:
    """What a process of a run is for; its program's name where it is none of ours."""
    words = [word.decode("utf-8", "replace") for word in _read(process, "cmdline").split(b"\0")]
    if Path(words[0]).name in ("bash", "python", "python3"):
        for word in words[1:4]:
            if word.rsplit("/", 1)[-1] in NAMED:
                return word.rsplit("/", 1)[-1]
    return Path(words[0]).name or "-"


def cpu(process: int) -> tuple[float, float]:
    """Seconds of a core that a process, and its ended children, took; (0, 0) when it is gone."""
    fields = _read(process, "stat").rpartition(b")")[2].split()
    if len(fields) < 15:
        return 0.0, 0.0
    tick = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / tick, (int(fields[13]) + int(fields[14])) / tick


def peak(process: int) -> float:
    """Megabytes of memory that a process held at most, 0 when it is gone."""
    return _number(process, "VmHWM") / 1024


def sleeps(process: int) -> int:
    """How often the threads of a process went to sleep of their own accord."""
    threads = Path(f"/proc/{process}/task")
    names = os.listdir(threads) if threads.exists() else []
    return sum(_number(process, "voluntary_ctxt_switches", f"task/{name}/") for name in names)


def _number(process: int, key: str, below: str = "") -> int:
    for line in _read(process, f"{below}status").splitlines():
        if line.startswith(key.encode() + b":"):
            return int(line.split()[1])
    return 0


def _read(process: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{process}/{name}").read_bytes()
    except OSError:
        return b""
