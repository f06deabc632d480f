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

from attacks import USER, Attack, Result, Scene, loot, printed, written
from world import World


def _on(scene: Scene) -> World:
    scene.world.environment["ORKESTRA_SANDBOX"] = "required"
    return scene.world


def _off(scene: Scene) -> World:
    world = scene.without()
    # Else the kernel's group of each agent would still end what it left behind.
    world.environment |= {"ORKESTRA_SANDBOX": "off", "ORKESTRA_PROCESSES_LIMIT": "0"}
    return world


# What an attack is about, and the framework without it.
DEFENCES: dict[str, Callable[[Scene], World]] = {
    "the sandbox": _off,
    "closed descriptors": lambda scene: scene.without(
        edits={"SCRIPTS/SAFETY/lib/sandbox.bash": ("    exec {fd}>&-\n", "    :\n")}
    ),
}

# Where our places lie below /tmp the folders around what is bound are the sandbox's own, in memory: writing
# to them gives nothing.
_OR_NOTHING = "|the agent changed nothing"


def _mine_is_taken(result: Result, attack: str) -> bool:
    return "taken" in result.git("show", "main:mine", "refs/orkestra/attempts/holder/1:mine")


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
    Attack("another-workspace", _mine_is_taken, "no other workspace here"),
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
    # What it is about is what has kept it.
    undefended = _run(scene, attack.without)
    assert undefended.through[attack.name], undefended.logs(attack.name)[-2000:]
