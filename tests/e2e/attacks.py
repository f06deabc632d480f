"""A machine with something to steal and to break, and agents that try: what test_attacks.py works with.

Each attack is a task whose command (a function of attacks.bash) tries something through the whole of
`orkestra start`. In the first run every defence is on; in later ones the defence that an attack is about is
taken away, so that it is seen to be a real one.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import words
from world import Project, World

BOUND = 240.0  # seconds: for a run that hangs
STARTS = 8  # a run that ends because it was tampered with is started again so often
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SETTINGS = (".claude/settings.json", ".claude.json", ".codex/config.toml", ".gemini/settings.json", ".bashrc")
USER = "nobody"

# Runs its arguments in a mount namespace of its own, as somebody else maybe. Folders that only root may enter
# are replaced by ones that everybody may, with nothing in them but what the interpreter needs (SHOWN). FROZEN
# is read-only.
_THROUGH = r"""
set -eu
frozen=$1 user=$2 shown=$3
shift 3
mount --bind "$frozen" "$frozen"
mount -o remount,bind,ro "$frozen"
if [ -n "$user" ]; then
  while IFS= read -r path; do
    [ -n "$path" ] || continue
    closed='' at=$path
    while [ "$at" != / ]; do
      [ -n "$(find "$at" -maxdepth 0 -perm -o=x)" ] || closed=$at
      at=$(dirname -- "$at")
    done
    [ -n "$closed" ] || continue
    kept=$(mktemp -d)
    mount --bind "$path" "$kept"
    mount -t tmpfs -o mode=755 shown "$closed"
    mkdir -p -- "$path"
    mount --move "$kept" "$path"
    rmdir -- "$kept"
  done <<END
$shown
END
  exec setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups -- "$@"
fi
exec "$@"
"""

# An agent of another vendor with a key of its own, at work all the while: in its tree lies a file that nobody
# else may touch, and it ends when the test says so.
_HOLDER = r"""#!/bin/bash
case $1 in
  describe)
    printf '{"name": "holder", "family": "acme", "kind": "ai", "can": ["work"], "env": ["HOLDER_API_KEY"]}'
    ;;
  probe) printf 'binary\t/bin/bash\n' ;;
  work)
    [[ -n $HOLDER_API_KEY ]] || exit 1
    echo untouched >mine
    echo >ready
    until [[ -e go ]]; do sleep 0.2; done
    rm -f ready go
    echo '{"text": "held it"}' >"$ORKESTRA_ATTEMPT_DIR/result.json"
    ;;
esac
"""

# Holds a secret in its memory. Any process of the same user may trace it.
_COMPANION = """
import ctypes, sys, time
held = sys.stdin.readline()
ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1 & (1 << 64) - 1), 0, 0, 0)
print("up", flush=True)
while True:
    time.sleep(1000)
"""


def hidden(nonce: str) -> str:
    """A secret as `hide` of attacks.bash writes it."""
    return nonce.translate(str.maketrans("0123456789abcdef", "ghijklmnopqrstuv"))


@dataclass(frozen=True)
class Attack:
    """One thing that an agent tries.

    `through`: whether it got through, by what is found afterwards. `reason`: a regular expression for what
    the outcome says where the defence holds. `without`: the defence that is taken away so that it does not.
    """

    name: str  # the function of attacks.bash, and the task
    through: Callable[[Result, str], bool]
    reason: str
    without: str = "the sandbox"
    check: str = ""  # a function of attacks.bash
    root_only: bool = False


@dataclass
class Result:
    """What a run left behind."""

    scene: Scene
    project: Project
    said: str
    outcomes: dict[str, dict[str, Any]]
    untouched: bool  # the person's own files, in HOME
    victim: int  # a process that the attackers know of
    left: list[int]  # processes that outlived the run
    through: dict[str, bool] = field(default_factory=dict)  # which attacks succeeded

    def logs(self, name: str) -> str:
        """Everything that was kept of the attempts at a task."""
        folder = self.project.path / "logs" / "execution" / "attempts" / name
        return "\n".join(
            path.read_text("utf-8", "replace") for path in sorted(folder.rglob("*.log")) if path.is_file()
        )

    def git(self, *arguments: str) -> str:
        """Git in the project, '' where it fails."""
        return self.project.git(*arguments, check=False)


@dataclass
class Scene:
    """One home, victims around it, and whoever attacks: root (who runs the tests) or an ordinary user."""

    user: str  # "" for whoever runs the tests
    place: Path
    world: World
    nonces: dict[str, str]
    results: dict[str, Result | Exception] = field(default_factory=dict)
    companions: list[subprocess.Popen[str]] = field(default_factory=list)
    port: int = 0

    @classmethod
    def make(cls, user: str) -> Scene:
        """The victims, with a secret in each."""
        top = Path(tempfile.mkdtemp(prefix="orkestra attacks é."))
        top.chmod(0o755)
        place = top / "it's a plâce"
        for name in ("home/.ssh", "orkestra hôme/CONFIG/agents", "out", "frozen"):
            (place / name).mkdir(parents=True)
        names = ("home", "key", "other", "run", "memory", "network")
        nonces = {name: secrets.token_hex(16) for name in names}
        scene = cls(user, place, World(place), nonces)
        scene._fill()
        scene._enter()
        scene._serve()
        return scene

    def _fill(self) -> None:
        home = self.place / "home"
        (home / ".ssh" / "id_key").write_text(self.nonces["home"] + "\n")
        for name in SETTINGS:
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_text('{"mine": true}\n')
        keys = self.world.home / "CONFIG" / "api-keys.env"
        keys.touch(mode=0o600)
        keys.write_text(f"HOLDER_API_KEY={self.nonces['key']}\n")
        holder = self.world.home / "CONFIG" / "agents" / "holder"
        holder.write_text(_HOLDER)
        holder.chmod(0o755)
        (self.place / "frozen" / "file").write_text("frozen\n")

    def _enter(self) -> None:
        """From here on every command runs in a mount namespace of its own, as the attacker."""
        self.world.environment |= {"PATH": PATH, "RUN_SECRET": self.nonces["run"]}
        if os.geteuid() == 0:
            needed = {self.world.env()["ORKESTRA_VENV"], sys.prefix, sys.base_prefix}
            shown = "\n".join(sorted(str(Path(one).resolve()) for one in needed))
            frozen = str(self.place / "frozen")
            self.world.through = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _THROUGH]
            self.world.through += ["through", frozen, self.user, shown]
        # A copy: it may be written by whoever runs it, and it can be read where the checkout cannot.
        self.world = self.without()
        if self.user:
            shutil.chown(self.place.parent, self.user)
            subprocess.run(["chown", "-R", self.user, str(self.place)], check=True)
        other = self.world.new("other", [])
        (other.path / "private").write_text(self.nonces["other"] + "\n")
        other.git("add", "private")
        other.git("commit", "--quiet", "-m", "private")

    def without(self, *paths: str, **more: Any) -> World:
        """This home with a copy of the framework of the attacker's own, as World.weakened makes it."""
        world = self.world.weakened(*paths, **more)
        if self.user:
            subprocess.run(["chown", "-R", self.user, str(world.root)], check=True)
        return world

    def _serve(self) -> None:
        server = socket.create_server(("127.0.0.1", 0))
        self.port = server.getsockname()[1]

        def answer() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client:
                    client.sendall(self.nonces["network"].encode() + b"\n")

        self.server = server
        threading.Thread(target=answer, daemon=True).start()

    def end(self) -> None:
        """Nothing of it stays."""
        self.server.close()
        for one in self.companions:
            one.kill()
            one.wait()
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)
        # A nest of folders may be too deep for a path.
        subprocess.run(["rm", "-rf", "--", str(self.place.parent)], check=True)

    def left(self) -> list[int]:
        """Processes that an attack left behind: they carry our place in their command line."""
        mark = str(self.place / "out")
        pids = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
        return [pid for pid in pids if pid != os.getpid() and mark in " ".join(words(pid))]

    def companion(self) -> int:
        """A process of the attacker's user that has nothing to do with the run; its pid."""
        command = [*self.world.through, sys.executable, "-I", "-c", _COMPANION]
        one = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PATH": PATH}
        )
        self.companions.append(one)
        assert one.stdin and one.stdout
        one.stdin.write(self.nonces["memory"] + "\n")
        one.stdin.flush()
        assert one.stdout.readline() == "up\n"
        return one.pid

    def blob(self) -> str:
        """The object that holds the secret of the other project."""
        data = f"{self.nonces['other']}\n".encode()
        return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()

    def in_home(self) -> dict[str, bytes]:
        """The person's own files, byte for byte."""
        found = {}
        for folder, folders, names in os.walk(self.place / "home"):
            folders[:] = [name for name in folders if name != ".cache"]  # there the workspaces are
            found |= {name: Path(name).read_bytes() for name in (f"{folder}/{one}" for one in names)}
        return found

    # --- a run ---------------------------------------------------------------------------------------------

    def run(self, name: str, world: Callable[[Scene], World], attacks: list[Attack]) -> Result:
        """All of these attacks in one run of one new project, beside another agent at work; done once."""
        if name not in self.results:
            self.results[name] = AssertionError(f"the run '{name}' broke: see the first test that needed it")
            self.results[name] = _Run(self, name, world(self), attacks).result()
        found = self.results[name]
        if isinstance(found, Exception):
            raise found
        return found


class _Run:
    """The holder first; once it is at work, the attackers; once those are decided, its end."""

    def __init__(self, scene: Scene, name: str, world: World, attacks: list[Attack]) -> None:
        self.scene, self.world, self.attacks = scene, world, attacks
        # Programs that vote may see a fault in what attackers leave; here it is for the rest to see one.
        settings = {"agents": ["holder"], "committee": {"reviewers": ["size"]}}
        self.project = world.new(re.sub("[^a-z]+", "-", name.lower()), [], **settings)
        holder = {"id": "holder", "agent": "holder", "priority": "critical"}
        tests = self.project.path / "tests"
        tests.mkdir()
        (tests / "run.sh").write_text("test -s README.md\n")
        self.project.git("add", "tests")
        self.project.set(check="sh tests/run.sh")
        self.project.tasks([holder])
        self.end = time.monotonic() + BOUND
        self.victim = 0

    def result(self) -> Result:
        before = self.scene.in_home()
        said, given = "", False
        for _ in range(STARTS):
            run = self.world.start_in_background("--project", str(self.project.path), "--workers", "3")
            try:
                tree = self._wait(run, self._held)
                if tree and not given:
                    self._give(tree)
                    given = True
                self._wait(run, self._let_go)
                said += run.communicate(timeout=max(1.0, self.end - time.monotonic()))[0]
            finally:
                self.world.end()
            if given and self._decided() >= {"holder", *(one.name for one in self.attacks)}:
                break
        else:
            raise AssertionError(f"not all were decided: {self._decided()}\n{said}")
        untouched = before == self.scene.in_home()
        for path, content in before.items():
            Path(path).write_bytes(content)
        outcomes = {one["task"]: one for one in self.project.outcomes()}
        left = self.scene.left()
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        result = Result(self.scene, self.project, said, outcomes, untouched, self.victim, left)
        # At once: a later run may leave the same traces.
        result.through = {one.name: one.through(result, one.name) for one in self.attacks}
        return result

    def _wait(self, run: subprocess.Popen[str], event: Callable[[], Any]) -> Any:
        """What `event` gives; nothing when the run ends before it does."""
        while not (found := event()):
            if run.poll() is not None:
                return event()
            assert time.monotonic() < self.end, f"it hangs: {self._decided()}"
            time.sleep(0.2)
        return found

    def _held(self) -> Path | None:
        """The holder's tree, once it is at work there."""
        cache = self.scene.place / "home" / ".cache" / "orkestra" / str(self._id())
        return next((path.parent for path in cache.glob("w*/tree/ready")), None)

    def _let_go(self) -> bool:
        """The holder comes to its end, in whatever try, once all others are decided; whether it has come."""
        decided = self._decided()
        if decided >= {one.name for one in self.attacks} and (tree := self._held()):
            (tree / "go").touch()
        return "holder" in decided

    def _id(self) -> str:
        return str(json.loads((self.project.path / "config" / "project.json").read_text())["id"])

    def _decided(self) -> set[str]:
        """Tasks that have their outcome, as the execution log tells."""
        log = self.project.path / "logs" / "execution" / "task-execution.log"
        lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
        events = [json.loads(line) for line in lines if line.endswith("}")]
        return {one["task"] for one in events if one.get("event") in ("outcome-drafted", "landed")}

    def _give(self, other_tree: Path) -> None:
        """The attackers come into the queue, as a person's edit."""
        told = self._told(other_tree)
        file = self.project.path / "config" / "task-queue.json"
        queue = json.loads(file.read_text())
        for one in self.attacks:
            task = {"id": one.name, "title": one.name, "agent": "shell", "max_attempts": 1}
            task["command"] = f"{told}ATTACK={one.name}\n{one.name}\n"
            if one.check:
                task["check"] = f"{told}{one.check}\n"
            queue["tasks"].append(task)
        file.write_text(json.dumps(queue, indent=2) + "\n")

    def _told(self, other_tree: Path) -> str:
        """What every attacker knows of the machine, and can do."""
        scene = self.scene
        self.victim = scene.companion()
        known = {
            "USER_HOME": scene.place / "home",
            "FRAMEWORK": self.world.root,
            "CONFIG": scene.world.home / "CONFIG",
            "OTHER_PROJECT": scene.world.home / "PROJECTS" / "other",
            "OTHER_OBJECT": scene.blob(),
            "OTHER_TREE": other_tree,
            "PROJECT": self.project.path,
            "OUT": scene.place / "out",
            "FROZEN": scene.place / "frozen",
            "PORT": scene.port,
            "VICTIM": self.victim,
            "TRACED": scene.companion(),
        }
        lines = [f"{name}={shlex.quote(str(value))}" for name, value in known.items()]
        return "\n".join([*lines, (Path(__file__).parent / "attacks.bash").read_text()])


# --- how an attack is seen to get through -------------------------------------------------------------------


def loot(name: str) -> Callable[[Result, str], bool]:
    """The attacker printed the secret of that name."""
    return lambda result, attack: hidden(result.scene.nonces[name]) in result.logs(attack)


def printed(word: str) -> Callable[[Result, str], bool]:
    """The attacker printed that word."""
    return lambda result, attack: word in result.logs(attack)


def written(place: Callable[[Result], Path]) -> Callable[[Result, str], bool]:
    """The file is there, with the word `taken` in it."""

    def seen(result: Result, attack: str) -> bool:
        path = place(result)
        return path.is_file() and "taken" in path.read_text("utf-8", "replace")

    return seen


def ran(result: Result, attack: str) -> bool:
    """Code that the attacker had planted was executed outside of its own command."""
    return (result.scene.place / "out" / attack).exists()


def on_branch(path: str) -> Callable[[Result, str], bool]:
    """The path is on the project's branch."""
    return lambda result, attack: (
        path in result.git("-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", "main").splitlines()
    )
