"""Machines on which bubblewrap cannot work: what each mode of the sandbox does there, and what it says.

bubblewrap is really taken away (a PATH without it), and user namespaces are really denied (an ordinary user
in a namespace that allows no further ones).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from world import World

FOLDERS = [Path(one) for one in os.environ["PATH"].split(":") if one]


@pytest.fixture
def bare(world: World) -> World:
    """A copy of the framework that an agent could write, on a machine that has no bubblewrap."""
    root = world.weakened()
    tools = world.place / "tools"
    tools.mkdir()
    for folder in FOLDERS:
        for tool in folder.iterdir() if folder.is_dir() else ():
            if tool.name != "bwrap" and not (tools / tool.name).is_symlink():
                (tools / tool.name).symlink_to(tool)
    root.environment["PATH"] = str(tools)
    root.environment["ORKESTRA_SANDBOX"] = "auto"
    return root


def test_auto_says_so_once_and_the_work_is_done(bare: World) -> None:
    bare.new("other", [])
    tasks = [{"id": f"t{n}", "command": f"echo {n} >{n}"} for n in range(4)]
    project = bare.new("bare", tasks)
    done = project.start("--workers", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("without a sandbox") == 1
    assert set(project.decided().values()) == {"landed"}
    doctor = bare.orkestra("doctor")
    assert "apt-get install bubblewrap" in doctor.stdout


def test_required_refuses_with_the_cure(bare: World) -> None:
    bare.environment["ORKESTRA_SANDBOX"] = "required"
    project = bare.new("strict", [{"id": "a", "command": "echo a >a"}])
    done = project.start()
    assert done.returncode == 78, done.stdout + done.stderr
    assert "required" in done.stderr and "install bubblewrap" in done.stderr
    assert project.statuses() == {"a": "pending"}


@pytest.mark.parametrize("victim", ["framework", "compiled", "agents", "other project", "own hooks", "stamp"])
def test_what_no_task_may_write_ends_the_run_and_is_named(bare: World, victim: str) -> None:
    other = bare.new("other", [])
    project = bare.new("attacker", [])
    config = bare.home / "CONFIG"
    path = {
        "framework": bare.root / "SCRIPTS" / "CORE" / "lib" / "log.bash",
        "compiled": bare.root / "orkestra_shim" / "__pycache__" / "cli.cpython-399.pyc",
        "agents": config / "agents" / "planted",
        "other project": other.path / "src" / "planted",
        "own hooks": project.path / ".git" / "hooks" / "post-commit",
        "stamp": bare.root / "bin" / "orkestra",
    }[victim]
    (config / "agents").mkdir(exist_ok=True)
    command = f"echo '# planted' >>{_quoted(path)}; touch -d 2001-01-01 {_quoted(path)}; echo x >x"
    if victim == "stamp":  # so that nothing is newer than it
        command += f"; sleep 0.1; touch {_quoted(config)}/RUNTIME/*/w1/stamp"
    if victim == "agents":  # an attempt that fails is looked at, too
        command += "; exit 3"
    project.tasks(
        [{"id": "a", "command": command}, {"id": "b", "command": "echo b >b", "prefer_after": ["a"]}]
    )
    done = project.start("--workers", "1")
    assert done.returncode == 78, done.stdout + done.stderr
    assert "there is no sandbox" in done.stderr and "not to be trusted" in done.stderr
    named = "stamp" if victim == "stamp" else "/".join(path.parts[-3:])  # what is not ASCII is shown as ?
    assert named in done.stderr
    assert project.file("x") is None and project.file("b") is None
    assert project.statuses() == {"a": "pending", "b": "pending"}
    events = (project.path / "logs" / "execution" / "task-execution.log").read_text()
    assert '"attempt-failed"' in events
    if victim != "framework":
        return
    # With the look switched off it goes unnoticed.
    (bare.root / "SCRIPTS" / "SAFETY" / "validators" / "after" / "framework.bash").write_text(
        "# shellcheck shell=bash\nvalidator::framework() { :; }\n"
    )
    again = project.start("--workers", "1")
    assert again.returncode == 0, again.stdout + again.stderr


def test_another_projects_own_run_is_nobodys_attack(bare: World) -> None:
    other = bare.new("other", [{"id": f"t{n}", "command": f"echo {n} >{n}"} for n in range(3)])
    project = bare.new("slow", [{"id": f"s{n}", "command": f"echo {n} >{n}"} for n in range(6)])
    runs = [
        bare.start_in_background("--workers", "1", "--project", str(one.path)) for one in (project, other)
    ]
    for run in runs:
        output, _ = run.communicate(timeout=170)
        assert run.returncode == 0, output


def test_where_user_namespaces_are_denied(world: World) -> None:
    """As an ordinary user of a container that allows none; the kernel's own words and the cure."""
    script = world.root / "SCRIPTS" / "SAFETY" / "sandbox.sh"
    deny = "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps -all --inh-caps -all "
    deny += '-- "$@"'
    inside = ["unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c", deny, "sh", str(script)]
    user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] if os.geteuid() == 0 else []

    def sandbox(mode: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*user, *inside, *arguments],
            env={"PATH": os.environ["PATH"], "HOME": "/", "ORKESTRA_SANDBOX": mode},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    probed = sandbox("auto", "--probe")
    assert probed.returncode == 69, probed.stderr
    assert "user namespaces are switched off" in probed.stderr
    assert "sysctl -w user.max_user_namespaces=" in probed.stderr
    assert sandbox("required", "--", "true").returncode == 78
    ran = sandbox("auto", "--", "echo", "ran")
    assert ran.returncode == 0 and ran.stdout == "ran\n" and "without a sandbox" in ran.stderr


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "'\\''") + "'"
