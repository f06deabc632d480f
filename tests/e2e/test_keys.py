"""Keys are planted wherever an agent, a reviewer or a check can put them; afterwards nothing holds one.

An agent (CONFIG/agents/leaky) has a key in its environment and a token in its login, and a reviewer (gossip)
has a key too. What each task does with them is said by its id. The project is looked through as a
whole: every file below it, LOGS, what the commands print, and every object of Git, also
those that no ref reaches.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import stat
import subprocess
import time

import pytest

from world import Project, World

KEY = "zq-live-9f3c/2b7d+1e8a4650-Xy7"
OTHER = "gossip-0a1b2c3d4e5f60718293"
TOKEN = "tok-6b1d9e0f7a3c5284-first"
FRESH = "tok-6b1d9e0f7a3c5284-second"
SECRETS = (KEY, OTHER, TOKEN, FRESH)

LEAKY = r"""#!/bin/bash
case $1 in
  describe)
    printf '{"name": "leaky", "family": "acme", "kind": "ai", "can": ["work"], "env": ["LEAKY_KEY"],
      "credentials": [".leaky/login.json"]}'
    exit
    ;;
  probe) exit 0 ;;
esac
here=$PWD
result() { printf '{"text": "%s", "error": "%s"}' "$1" "${2:-}" >"$ORKESTRA_ATTEMPT_DIR/result.json"; }
mkdir -p src
echo fine >"src/$ORKESTRA_TASK"
token=$(sed 's/.*: "//; s/".*//' ~/.leaky/login.json)
case $ORKESTRA_TASK in
  prints)
    echo "my key is $LEAKY_KEY, my token $token"
    echo "err $LEAKY_KEY" >&2
    base64 <<<"user:$LEAKY_KEY"
    head -c 200000 /dev/zero | tr '\0' x
    printf '%s' "$LEAKY_KEY"
    head -c 200000 /dev/zero | tr '\0' x
    result "done with $LEAKY_KEY"
    ;;
  fails) echo "last words $LEAKY_KEY" && exit 1 ;;
  reports) result '' "it went wrong with $LEAKY_KEY" ;;
  hangs) echo "$LEAKY_KEY" >src/key && echo "$LEAKY_KEY" && exec sleep 600 ;;
  refreshes)
    printf '{"accessToken": "@FRESH@"}' >~/.leaky/login.json
    echo "refreshed $(<~/.leaky/login.json)"
    ;;
  file) echo "key = $LEAKY_KEY" >src/config ;;
  token) echo "$token" >src/config ;;
  name) echo x >"src/${LEAKY_KEY//\//_}" ;;
  pieces) printf 'a = "%s" \\\n  "%s"\n' "${LEAKY_KEY:0:14}" "${LEAKY_KEY:14}" >src/config ;;
  base64) printf '%s' "$LEAKY_KEY" | base64 >src/config ;;
  binary) printf '\0\1\2%s\0' "$LEAKY_KEY" >src/blob ;;
  utf16) printf '%s' "$LEAKY_KEY" | sed 's/./&\n/g' | tr '\n' '\0' >src/wide ;;
  message) git add -A && git commit -q -m "with $LEAKY_KEY" ;;
  author) git add -A && git -c user.name="$LEAKY_KEY" commit -q -m fine ;;
  history)
    echo "$LEAKY_KEY" >src/gone && git add -A && git commit -q -m one
    git rm -q src/gone && git commit -q -m two
    ;;
  checked) echo "$LEAKY_KEY" >"$here/warm.cache" ;;
  broken) git init -q "src/${LEAKY_KEY//\//_}" ;;
esac
exit 0
"""

GOSSIP = r"""#!/bin/bash
case $1 in
  describe)
    printf '{"name": "gossip", "family": "other", "kind": "ai", "can": ["ballot"], "env": ["GOSSIP_KEY"]}'
    ;;
  ballot)
    echo "my key is $GOSSIP_KEY" && echo "$GOSSIP_KEY" >&2
    printf '{"ballot": {"choice": "approve", "reason": "fine, says %s", "confidence": 50}}' "$GOSSIP_KEY" \
      >"$ORKESTRA_ATTEMPT_DIR/result.json"
    ;;
esac
"""
LANDS = ("prints", "refreshes")
REFUSED = (
    "file", "token", "name", "pieces", "base64", "binary", "utf16", "message", "author", "history"
)  # fmt: skip
FAILS = ("fails", "reports", "hangs", "checked", "broken")


def adapter(world: World, name: str, text: str) -> None:
    place = world.home / "CONFIG" / "agents"
    place.mkdir(parents=True, exist_ok=True)
    (place / name).write_text(text)
    (place / name).chmod(0o755)


def forms(secret: str) -> list[bytes]:
    """What must be nowhere: the secret, and its heart in Base64 and reversed."""
    encoded = [base64.b64encode(b"x" * n + secret.encode())[n + 1 : -4] for n in range(3)]
    return [secret.encode(), secret[::-1].encode(), *encoded]


def squeezed(data: bytes) -> bytes:
    return re.sub(rb"[^0-9A-Za-z]", b"", data)


def holds(data: bytes) -> str:
    """Which secret stands in data in some form; '' for none."""
    small = squeezed(data)
    for secret in SECRETS:
        if any(form in data for form in forms(secret)) or squeezed(secret.encode()) in small:
            return secret
    return ""


def objects(project: Project) -> bytes:
    """The content of every object there is, reached or not."""
    done = subprocess.run(
        ["git", "-C", str(project.path), "cat-file", "--batch", "--batch-all-objects"],
        capture_output=True,
        check=True,
    )
    return done.stdout


def looked_through(world: World, project: Project) -> list[str]:
    """Every file below the project and LOGS that holds a secret."""
    found = []
    places = [project.path, world.home / "LOGS"]
    for place in places:
        for file in place.rglob("*"):
            if holds(str(file.relative_to(place)).encode()):
                found.append(str(file))
            if not file.is_file():
                continue
            if which := holds(file.read_bytes()):
                found.append(f"{which}: {file}")
    return found


@pytest.fixture
def leaky(world: World) -> Project:
    home = world.place / "home" / ".leaky"
    home.mkdir(parents=True)
    (home / "login.json").write_text(json.dumps({"accessToken": TOKEN}))
    adapter(world, "leaky", LEAKY.replace("@FRESH@", FRESH))
    adapter(world, "gossip", GOSSIP)
    keys = world.home / "CONFIG" / "api-keys.env"
    keys.touch(mode=0o600)
    keys.write_text(f"LEAKY_KEY='{KEY}'\nGOSSIP_KEY='{OTHER}'\n")
    tasks = [
        {"id": name, "agent": "leaky", "max_attempts": 2, "timeout": 3 if name == "hangs" else 60}
        for name in (*LANDS, *REFUSED, *FAILS)
    ]
    for one in tasks:
        if one["id"] == "checked":
            one["check"] = "cat warm.cache; base64 warm.cache; false"
    project = world.new("leaky", [], agents=["leaky", "gossip"], committee={"reviewers": ["size", "gossip"]})
    (project.path / ".gitignore").write_text("*.cache\nlogs/execution/\n")
    project.git("add", ".gitignore")
    project.tasks(tasks)
    return project


def test_a_key_planted_everywhere_is_nowhere(world: World, leaky: Project) -> None:
    done = leaky.start("--workers", "2")
    said = done.stdout + done.stderr
    decided = leaky.decided()
    assert {name: decided[name] for name in LANDS} == dict.fromkeys(LANDS, "landed"), said
    assert {name: decided[name] for name in (*REFUSED, *FAILS)} == dict.fromkeys((*REFUSED, *FAILS), "failed")
    whys = {outcome["task"]: outcome["why"] for outcome in leaky.outcomes()}
    for name in REFUSED:
        assert "known key" in whys[name], (name, whys[name])
    assert any("[redacted]" in ballot["reason"] for vote in leaky.votes() for ballot in vote["ballots"])

    attempts = leaky.path / "logs" / "execution" / "attempts"
    assert "[redacted]" in (attempts / "prints" / "1" / "output.log").read_text()
    assert "[redacted]" in (attempts / "checked" / "1" / "check.log").read_text()
    assert holds(objects(leaky)) == ""
    assert looked_through(world, leaky) == []
    for words in (["status"], ["task", "list"], *(["task", "show", name] for name in REFUSED), ["verify"]):
        shown = world.orkestra(*words, "--project", str(leaky.path))
        said += shown.stdout + shown.stderr
    assert holds(said.encode()) == ""
    assert leaky.verify().returncode == 0

    # What was refused is not lost: it is where no ref has it, for its owner alone.
    for name in REFUSED:
        pack = attempts / name / "1" / "withheld.pack"
        assert stat.S_IMODE(pack.stat().st_mode) == 0o600
    copy = world.place / "copy"
    leaky.git("clone", "--quiet", "--mirror", str(leaky.path), str(copy))
    with (attempts / "file" / "1" / "withheld.pack").open("rb") as pack:
        subprocess.run(["git", "-C", str(copy), "unpack-objects", "-q"], stdin=pack, check=True)
    held = subprocess.run(
        ["git", "-C", str(copy), "cat-file", "--batch", "--batch-all-objects"],
        capture_output=True,
        check=True,
    )
    assert KEY.encode() in held.stdout


def test_a_queue_that_holds_a_key_is_refused_before_anybody_sees_it(world: World, leaky: Project) -> None:
    file = leaky.path / "config" / "task-queue.json"
    before = file.read_text()
    top = json.loads(before)
    top["tasks"][0]["description"] = f"use {KEY}"
    file.write_text(json.dumps(top, indent=1))
    done = leaky.start()
    assert done.returncode == 65, done.stdout + done.stderr
    assert "task-queue.json:" in done.stderr and "api-keys.env" in done.stderr
    assert holds((done.stdout + done.stderr).encode()) == ""
    file.write_text(before)
    added = world.orkestra("task", "add", f"Use {KEY}", "--project", str(leaky.path))
    assert added.returncode == 64, added.stdout + added.stderr
    assert file.read_text() == before and holds((added.stdout + added.stderr).encode()) == ""
    assert looked_through(world, leaky) == []


@pytest.mark.parametrize("mended_by", ["run", "doctor"])
def test_an_attempt_that_is_killed_is_cleaned_by_whoever_comes_next(
    world: World, leaky: Project, mended_by: str
) -> None:
    """The agent has printed its key and written it down, and then everything is killed at once."""
    leaky.tasks([{"id": "hangs", "agent": "leaky", "max_attempts": 1, "timeout": 600}])
    run = world.start_in_background("--workers", "1", "--project", str(leaky.path))
    attempt = leaky.path / "logs" / "execution" / "attempts" / "hangs" / "1"
    log = attempt / "output.log"
    end = time.monotonic() + 60
    while not log.exists() or KEY.encode() not in log.read_bytes():
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.1)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    if mended_by == "run":
        leaky.tasks([{"id": "hangs", "agent": "leaky", "max_attempts": 1, "timeout": 2}])
        assert leaky.start("--workers", "1").returncode == 1
    else:
        done = world.orkestra("doctor", "--fix", "--yes")
        assert done.returncode in (0, 69), done.stdout + done.stderr
        assert not list((world.place / "home" / ".cache" / "orkestra").glob("*/w1/owner"))
    assert looked_through(world, leaky) == []
    assert holds(objects(leaky)) == ""
    assert (attempt / "withheld.pack").is_file()
