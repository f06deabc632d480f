"""The worst that an agent can do, each attack through the whole of `orkestra start`.

Every attack fails with all defences on, for the reason in its outcome, and succeeds with the one taken away
that it is about; by root and, where that is who runs the tests, by an ordinary user too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from attacks import USER, Attack, Result, Scene, loot, on_branch, printed, ran, written
from world import World


def _on(scene: Scene) -> World:
    # The second is for those that make Git wait for ever, the third for what would be gigantic.
    limits = {"ORKESTRA_TREE_SECONDS": "15", "ORKESTRA_FILE_LIMIT": "4"}
    scene.world.environment |= {"ORKESTRA_SANDBOX": "required", **limits}
    return scene.world


def _off(scene: Scene) -> World:
    # Nor the look that there is instead, which ends the run.
    look = "SCRIPTS/SAFETY/validators/after/framework.bash"
    world = scene.without(edits={look: ("  ! has_walls || return 0\n", "  return 0\n")})
    # Else the kernel's group of each agent would still end what it left behind.
    world.environment |= {"ORKESTRA_SANDBOX": "off", "ORKESTRA_PROCESSES_LIMIT": "0"}
    return world


def _any_size(scene: Scene) -> World:
    world = scene.without()
    world.environment["ORKESTRA_FILE_LIMIT"] = "0"
    return world


def _the_agents_git(scene: Scene) -> World:
    """Git is run in the tree first, as anybody would run it there."""
    ours = "  export GIT_OBJECT_DIRECTORY=$QUARANTINE\n"
    theirs = '  git -C "$TREE" add --all >/dev/null 2>&1 </dev/null\n'
    world = scene.without(edits={"SCRIPTS/CORE/tree-keeper.sh": (ours, theirs + ours)})
    world.environment["ORKESTRA_SANDBOX"] = "off"
    return world


def _gits_own_checks(scene: Scene) -> World:
    """Git is told not to mind names and objects, and no gate looks at the names."""
    core = "SCRIPTS/CORE"
    return scene.without(
        "SCRIPTS/SAFETY/gates/scope",
        edits={
            f"{core}/lib/git.bash": (
                "core.protectHFS=true\n  -c core.protectNTFS=true",
                "core.protectNTFS=false",
            ),
            f"{core}/lib/workspace.bash": ("unpack-objects --strict", "unpack-objects"),
            f"{core}/tree-keeper.sh": ("index-pack --strict", "index-pack"),
        },
    )


# What an attack is about, and the framework without it.
DEFENCES: dict[str, Callable[[Scene], World]] = {
    "the sandbox": _off,
    "our own Git directory": _the_agents_git,
    "Git's own checks": _gits_own_checks,
    "the largest file": _any_size,
    "the gate scope": lambda scene: scene.without("SCRIPTS/SAFETY/gates/scope"),
    "the gate protected": lambda scene: scene.without("SCRIPTS/SAFETY/gates/protected"),
    "closed descriptors": lambda scene: scene.without(
        edits={"SCRIPTS/SAFETY/lib/sandbox.bash": ("    exec {fd}>&-\n", "    :\n")}
    ),
}

# Where our places lie below /tmp the folders around what is bound are the sandbox's own, in memory: writing
# to them gives nothing.
_OR_NOTHING = "|the agent changed nothing"


# name (the function in attacks.bash), how it is seen to get through, what the outcome says where it does not
ATTACKS = [
    # --- what an agent may not see ---
    Attack("api-keys", loot("key"), "no keys here"),
    Attack("api-keys-through-a-link", loot("key"), "no keys here"),
    Attack("key-of-another-agent", loot("key"), "nobody here has a key"),
    Attack("environment-of-the-run", loot("run"), "the run has no environment here"),
    Attack("home", loot("home"), "no home here"),
    Attack("another-projects-files", loot("other"), "no other project here"),
    Attack(
        "another-projects-objects",
        lambda result, attack: result.git("cat-file", "-t", result.scene.blob()) == "blob",
        "the workspace cannot be taken: error: unable to normalize alternate",
    ),
    # --- what it may not write ---
    Attack(
        "framework",
        written(lambda result: result.project.world.root / "SCRIPTS/planted"),
        "no framework here" + _OR_NOTHING,
    ),
    Attack(
        "config",
        written(lambda result: result.scene.world.home / "CONFIG/agents/planted"),
        "no settings here" + _OR_NOTHING,
    ),
    Attack(
        "another-project",
        written(lambda result: result.scene.world.home / "PROJECTS/other/planted"),
        "no other project here" + _OR_NOTHING,
    ),
    Attack(
        "another-workspace",
        lambda result, attack: result.project.file("mine") == "taken\n",
        "no other workspace here",
    ),
    Attack(
        "git-of-the-project",
        written(lambda result: result.project.path / ".git/config"),
        "not to be written" + _OR_NOTHING,
    ),
    Attack(
        "objects-of-the-project",
        written(lambda result: result.project.path / ".git/objects/pack/planted"),
        "not to be written",
    ),
    Attack(
        "records",
        written(lambda result: result.project.path / "logs/outcomes/planted"),
        "no records here" + _OR_NOTHING,
    ),
    Attack("queue", lambda result, attack: "planted" in result.project.statuses(), "no queue here"),
    Attack("settings-of-the-tools", lambda result, attack: not result.untouched, "no home here"),
    # --- the machine ---
    Attack(
        "remount", written(lambda result: result.scene.place / "frozen/file"), "cannot mount", root_only=True
    ),
    Attack("kernel-settings", printed("the kernel is mine"), "the kernel is not to be set", root_only=True),
    Attack(
        "kill-another",
        lambda result, attack: not Path(f"/proc/{result.victim}/exe").exists(),
        "nobody to kill",
    ),
    Attack("trace-another", loot("memory"), "nobody to trace"),
    Attack("daemon", lambda result, attack: bool(result.left), "landed"),
    Attack("network-from-a-check", loot("network"), "the check failed", check="network"),
    Attack("descriptor", printed("reached /"), "nothing is open", without="closed descriptors"),
    # --- Git ---
    *(
        Attack(name, ran, "landed: accepted", without="our own Git directory")
        for name in ("hook", "fsmonitor", "filter", "include-path")
    ),
    Attack("nested-fsmonitor", ran, "scope: nest: a nested repository", without="our own Git directory"),
    Attack("submodule-url", on_branch(".gitmodules"), r"scope: \.gitmodules: ", without="the gate scope"),
    Attack(
        "link-out-of-the-tree", on_branch("link"), "scope: link: a link that leads", without="the gate scope"
    ),
    Attack(
        "git-folder-in-capitals",
        on_branch("sub/.GIT/config"),
        "cannot be taken: error: invalid path 'sub/.GIT/config'",
        without="",  # Git refuses this one whatever it is told
    ),
    Attack(
        "git-folder-with-a-dot",
        on_branch("sub/.git ./config"),
        "cannot be taken: error: invalid path 'sub/.git ./config'",
        without="Git's own checks",
    ),
    Attack(
        "malformed-object",
        lambda result, attack: result.git("ls-tree", f"refs/orkestra/attempts/{attack}/1^").endswith(
            "\t.git"
        ),
        "cannot be taken: error: object .*: hasDotgit",
        without="Git's own checks",
    ),
    Attack("nest-of-folders", on_branch("x"), "the agent changed nothing", without=""),
    Attack("fifo", on_branch(".gitignore.new"), "cannot be taken: it took longer than", without=""),
    Attack(
        "gigantic-file",
        on_branch("gigantic"),
        r"cannot be taken: gigantic is larger than 4 MiB \(ORKESTRA_FILE_LIMIT\)",
        without="the largest file",
    ),
    Attack(
        "gigantic-object",
        lambda result, attack: "gigantic" in result.git("ls-tree", f"refs/orkestra/attempts/{attack}/1^"),
        "cannot be taken: the agent's own commits hold an object larger than 4 MiB",
        without="the largest file",
    ),
    # --- what judges it ---
    Attack(
        "weaken-the-test",
        lambda result, attack: result.project.file("tests/run.sh") == "exit 0\n",
        "needs_human: .*tests/run.sh",
        without="the gate protected",
    ),
    Attack(
        "tool-settings-in-the-tree",
        on_branch(".mcp.json"),
        r"needs_human: .*\.claude/settings.json",
        without="the gate protected",
    ),
]


# --- the runs -----------------------------------------------------------------------------------------------


def _who() -> list[str]:
    return ["", USER] if os.geteuid() == 0 else [""]


@pytest.fixture(scope="module")
def scenes() -> Iterator[Callable[[str], Scene]]:
    """One scene for each user, made when it is asked for."""
    made: dict[str, Scene] = {}

    def scene(user: str) -> Scene:
        if user not in made:
            made[user] = Scene.make(user)
        return made[user]

    yield scene
    for one in made.values():
        one.end()


def _applies(attack: Attack, user: str) -> bool:
    if user and attack.without != "the sandbox":
        return False  # what holds it has nothing to do with who runs it
    if attack.name == "kernel-settings" and not os.access("/proc/sys/kernel/core_pattern", os.W_OK):
        return False  # they are read-only on this machine anyway
    return not (attack.root_only and (user or os.geteuid() != 0))


def _run(scene: Scene, without: str) -> Result:
    """All defences on: every attack; one of them away: those that are about it."""
    attacks = [
        one for one in ATTACKS if _applies(one, scene.user) and (not without or one.without == without)
    ]
    world = DEFENCES[without] if without else _on
    return scene.run(without or "defended", world, attacks)


CASES = [
    pytest.param(user, attack, id=f"{attack.name}-{user or 'self'}")
    for user in _who()
    for attack in ATTACKS
    if _applies(attack, user)
]


@pytest.mark.parametrize(("user", "attack"), CASES)
def test_attack(scenes: Callable[[str], Scene], user: str, attack: Attack) -> None:
    scene = scenes(user)
    defended = _run(scene, "")
    assert attack.name in defended.outcomes, defended.said
    outcome = defended.outcomes[attack.name]
    assert not defended.through[attack.name], outcome
    told = f"{outcome['decision']}: {outcome['why']}"
    assert re.search(attack.reason, told), told + "\n" + defended.logs(attack.name)[-2000:]
    if not attack.without:
        return
    # What it is about is what has kept it.
    undefended = _run(scene, attack.without)
    assert undefended.through[attack.name], undefended.logs(attack.name)[-2000:]
