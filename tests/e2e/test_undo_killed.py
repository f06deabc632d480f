"""An undo that is killed before or after the programs that it calls is done, or nothing is.

Programs on PATH stand still at the wanted call; then the undo alone is killed, or everything that it has
started. One that was killed before it had changed anything is called again, up to its next program.
"""

from __future__ import annotations

import random
import shlex
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

import crash
import nested
from nested import Nest
from test_undo import task, undo
from world import Project, World

BECOME = ("bwrap", "flock", "setpriv", "timeout")  # another program takes their place: no moment after
PROGRAMS = (*crash.PROGRAMS, "cat", "tail")
STRIDE = 4  # calls: while only its workspace and its own folder are written, not each one is stopped at
BOUND = 120.0  # seconds: for what never comes
EDITS = {"README.md": "mine\n", "staged.txt": "mine, staged\n", "new.txt": "mine, new\n"}
STATUS = "M README.md\nA  staged.txt\n?? new.txt"


class Steps:
    """Stand-ins for programs: each call is counted, and the wanted one stands still before or after it."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "steps"
        self.folder.mkdir()
        self._count, self._wanted = place / "count", place / "wanted"
        count, wanted = (shlex.quote(str(path)) for path in (self._count, self._wanted))
        wc, cat = shutil.which("wc"), shutil.which("cat")
        for name in (*PROGRAMS, *BECOME):
            real = shutil.which(name)
            assert real
            door = self.folder / name
            door.write_text(
                f"#!/bin/sh\nprintf . >>{count}\nnumber=$({wc} -c <{count}) wanted=$({cat} {wanted})\n"
                f'[ "$number before" != "$wanted" ] || kill -STOP $$\n'
                f'[ "$number after" = "$wanted" ] || exec {real} "$@"\n'
                f'{real} "$@"\nstatus=$?\nkill -STOP $$\nexit $status\n'
            )
            door.chmod(0o755)

    def stand_at(self, number: int, when: str) -> None:
        """From here on calls are counted anew, and that one stands still."""
        self._count.write_text("")
        self._wanted.write_text(f"{number} {when}")

    @property
    def calls(self) -> int:
        """Since then."""
        return self._count.stat().st_size


@pytest.fixture
def project(world: World) -> Project:
    """Two tasks that landed, the second one on the first; and a person's edits."""
    tasks = [
        task("one", "mkdir -p src; seq 20 >src/numbers; echo one >src/one"),
        task("two", "sed -i s/^3$/three/ src/numbers; git rm -q src/one; echo 2 >two", depends_on=["one"]),
    ]
    made = world.new("killed", tasks, check="test -s README.md")
    done = made.start("--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    for name, text in EDITS.items():
        (made.path / name).write_text(text)
    made.git("add", "staged.txt")
    return made


class Killer:
    """Calls the undo again and again, killed one call later each time."""

    def __init__(self, project: Project) -> None:
        self.project, self.world = project, project.world
        self.steps = Steps(self.world.place)
        self.origin = self.world.place / "origin"
        shutil.copytree(project.path, self.origin, symlinks=True)
        self.old = project.git("rev-parse", "main")
        self.found: Counter[str] = Counter()

    def killed(self, number: int, when: str, alone: bool) -> bool:
        """False when it came to its end without being killed."""
        self.steps.stand_at(number, when)
        words = [str(self.world.root / "SCRIPTS" / "CORE" / "undo.sh"), "--project", str(self.project.path)]
        env = self.world.env()
        nest = Nest(self.world.place, [*words, "two"], env | {"PATH": f"{self.steps.folder}:{env['PATH']}"})
        try:
            end = time.monotonic() + BOUND
            while nest.status() is None and not any(nested.state(one) == "T" for one in nest.everything()):
                assert time.monotonic() < end, nest.output_file.read_text()
                time.sleep(0.005)
            status = nest.status()
            if status is None and alone:
                nested.send([nest.orchestrator], signal.SIGKILL)
            while status is None and not alone and nest.everything():
                nested.send(nest.everything(), signal.SIGKILL)
            assert nest.gone_within(BOUND), [nested.described(one) for one in nest.everything()]
            return status is None
        finally:
            nest.end()

    def look(self) -> None:
        """What must hold after every kill; what was under way is mended first, as by whatever lands next."""
        for name, text in EDITS.items():
            assert (self.project.path / name).read_text() == text, name
        git_dir = self.project.path / ".git"
        under_way = (git_dir / "orkestra-landing").exists()
        if not under_way and self.project.git("rev-parse", "main") == self.old:
            assert self.project.git("status", "--porcelain") == STATUS
            self.found["nothing done"] += 1
            return
        self.recover()
        head = self.project.git("rev-parse", "main")
        assert self.project.git("status", "--porcelain") == STATUS
        assert not (git_dir / "index.lock").exists() and not (git_dir / "orkestra-landing").exists()
        if head == self.old:
            self.found["taken back"] += 1
            return
        verified = self.project.verify()
        assert verified.returncode == 0, verified.stdout
        self.found["finished" if under_way else "done"] += 1
        self.undone()
        self.restore()

    def recover(self) -> None:
        """What a run does when it begins, and a landing before it lands."""
        scripts = self.world.root / "SCRIPTS"
        words = (
            'source "$1/CORE/lib/boot.bash"; use context; context::load "$2"; exec "$1/CORE/land.sh" recover'
        )
        done = subprocess.run(
            ["bash", "-c", words, "recover", str(scripts), str(self.project.path)],
            env=self.world.env(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def undone(self) -> None:
        """Once, and all of it."""
        subjects = self.project.git("log", "--format=%s", f"{self.old}..main").splitlines()
        assert subjects == ["orkestra: record outcome-003 (two)", 'Undo "two"']
        assert [one["decision"] for one in self.project.outcomes()] == ["landed", "landed", "undone"]
        assert (self.project.path / "src" / "one").read_text() == "one\n"
        assert not (self.project.path / "two").exists()

    def restore(self) -> None:
        """As it was before the undo."""
        shutil.rmtree(self.project.path)
        shutil.copytree(self.origin, self.project.path, symlinks=True)


def test_an_undo_killed_at_any_step_is_done_or_nothing_is(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    killer = Killer(project)
    number, killed, stride, dice = 0, 0, STRIDE, random.Random(1)
    while number == 0 or killer.steps.calls >= number:
        number += stride
        # Until it touches the branch, after one call is before the next.
        for when in ("before", "after") if stride == 1 else ("before",):
            if killer.killed(number, when, alone=dice.random() < 0.5):
                killed += 1
                killer.look()
            else:
                killer.undone()
                assert project.statuses() == {"one": "completed", "two": "cancelled"}
                assert "undone already, by outcome-003" in undo(project, "two", code=64)
                killer.restore()
        if stride > 1 and killer.found["taken back"]:
            number, stride = number - stride, 1
    with capsys.disabled():
        print(f"\nan undo killed {killed} times, of {number - 1} calls: {dict(killer.found)}")
    assert set(killer.found) == {"nothing done", "taken back", "finished", "done"}
    assert killed > 20
