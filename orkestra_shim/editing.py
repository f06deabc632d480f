"""A person's changes to config/task-queue.json: whole and checked, or not at all; one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orkestra_shim import board, home, jsonfile, keyring, keys, project, queue, records
from orkestra_shim.errors import EX_CANNOT_WRITE, EX_USAGE, OrkestraError
from orkestra_shim.files import replace_known
from orkestra_shim.jsonfile import dump
from orkestra_shim.project import Project
from orkestra_shim.text import printable

Raw = dict[str, Any]
_TRIES = 20  # an editor saves in just that moment: read anew, and once more


def _edit(found: Project, change: Callable[[Raw], str | None]) -> str:
    """Applies `change` to the queue under a lock, checks the whole result and replaces the file.

    None from `change`: there is nothing to change.

    The lock keeps commands and a run apart; an editor knows nothing of it, so what it saves meanwhile
    is seen and kept.
    """
    checkout = board.checkout(found)
    if not checkout.on_branch():
        raise OrkestraError(
            EX_USAGE,
            f"the checkout {printable(found.path)} is on another branch than {printable(found.branch)}",
            f"there the queue is not this project's; first: git switch {printable(found.branch)}",
        )
    path = found.path / project.QUEUE
    with checkout.queue_lock():
        for _ in range(_TRIES):
            before = jsonfile.read_bytes(path)
            top = queue.Document(jsonfile.decode(before, str(path)), str(path)).top
            name = change(top)
            if name is None:
                return ""
            data = dump(top)
            _check(data, path)
            if data == before or replace_known(path, data, before.__eq__):
                return name
    raise OrkestraError(
        EX_CANNOT_WRITE, f"{printable(path)} is being saved again and again by somebody else", "try it again"
    )


def _check(data: bytes, path: Path) -> None:
    """The result must be a queue. What is wrong came with the change: its line would help nobody."""
    try:
        text = data.decode()
        queue.Document(text, str(path))
        need_no_key(text, str(path))
    except OrkestraError as error:
        place = error.message.partition(": ")
        raise OrkestraError(
            EX_USAGE, f"nothing was changed: {printable(place[2] or error.message)}", error.hint
        ) from error


def need_no_key(text: str, name: str) -> None:
    """Raises 65 with the line of a file in which a key of this home stands."""
    keys.Keys(keyring.read(home.open_home().config).secret_values()).need_none(text, name)


def add(found: Project, fields: Raw, prefix: str = "t") -> str:
    """Appends a task; a missing id is made, which begins so. Returns the id."""

    def change(top: Raw) -> str:
        tasks = top["tasks"]
        taken = [raw["id"] for raw in tasks]
        name = fields.get("id") or queue.new_id(taken, prefix)
        if name in taken:
            raise OrkestraError(
                EX_USAGE, f"there is a task '{printable(name)}' already", "choose another --id"
            )
        tasks.append({"id": name, **{key: value for key, value in fields.items() if key != "id"}})
        return str(name)

    return _edit(found, change)


def extend(found: Project, make: Callable[[list[Raw]], list[Raw]], dry_run: bool) -> None:
    """Appends the tasks that `make` gives for those that are there; in a dry run it is only called."""

    def change(top: Raw) -> str | None:
        new = make(top["tasks"])
        top["tasks"] += new
        return "" if new and not dry_run else None

    _edit(found, change)


def accept(found: Project, names: Sequence[str], shown: Mapping[str, Raw]) -> None:
    """Makes proposed tasks some that run, all of them or none: as they were `shown` to the person."""

    def change(top: Raw) -> str:
        tasks = {raw["id"]: raw for raw in top["tasks"]}
        for name in dict.fromkeys(names):
            raw = tasks.get(name) or _find(top, name)
            if raw.get("status") != "proposed":
                raise OrkestraError(
                    EX_USAGE,
                    f"{printable(name)} is not a proposal: it is {raw.get('status', 'pending')}",
                    "orkestra task list --state proposed shows them",
                )
            if raw != shown.get(name):
                why = f"nothing is accepted: {printable(name)} has been changed meanwhile"
                raise OrkestraError(EX_USAGE, why, "look at it again: orkestra task show shows it")
            raw["status"] = "pending"
        return ""

    _edit(found, change)


def edit(found: Project, name: str, fields: Raw, unset: Sequence[str] = ()) -> None:
    """Sets fields of a task, and takes others away."""

    def change(top: Raw) -> str:
        raw = _find(top, name)
        raw.update(fields)
        for key in unset:
            raw.pop(key, None)
        return name

    _edit(found, change)


def replace(found: Project, before: Raw, after: Raw) -> None:
    """A task as a person rewrote it. Raises 64 when somebody else has changed it since it was `before`."""

    def change(top: Raw) -> str:
        raw = _find(top, before["id"])
        if raw != before:
            raise OrkestraError(
                EX_USAGE, f"nothing was changed: {before['id']} has been changed by somebody else meanwhile"
            )
        raw.clear()
        raw.update(after)
        return str(after["id"])

    _edit(found, change)


def cancel(found: Project, names: Sequence[str], why: str) -> None:
    """Gives tasks up, all of them or none."""

    def change(top: Raw) -> str:
        for name in names:
            raw = _find(top, name)
            raw["status"] = "cancelled"
            raw.pop("reason", None)
            if why:
                raw["reason"] = why
        return ""

    _edit(found, change)


def retry(
    found: Project, name: str, outcome: dict[str, Any] | None, note: str, agent: str, attempt: int
) -> None:
    """Puts a task back to work: outcomes up to `outcome`, and what no record tells yet, no longer count.

    The note is for the agent; an earlier one stays for a task that failed, and not for one that has
    landed since. `attempt`: whose kept work is the start, 0 for none.
    """
    is_over = outcome and records.STATUS.get(str(outcome.get("decision"))) in ("completed", "cancelled")
    over = ["note"] if is_over else []
    given = {"note": note, "agent": agent, "from_attempt": attempt}
    _again(found, name, outcome, {key: value for key, value in given.items() if value}, over)


def cast(found: Project, name: str, outcome: dict[str, Any] | None, ballot: Raw) -> None:
    """Puts a task back to work with a person's vote on the work that `ballot` names."""
    _again(found, name, outcome, {"ballot": ballot})


def agree(found: Project, name: str, outcome: dict[str, Any] | None, say: Callable[[list[Raw]], Raw]) -> None:
    """Puts a plan's task back to work with a person's word on it, and adds the tasks that this brings.

    `say` gets the tasks that are there, and gives the word (`planned`), with the new tasks under `new`.
    """

    def change(top: Raw) -> str:
        word = say(top["tasks"])
        new = word.pop("new")
        _put_back(_find(top, name), outcome, {"planned": word}, [])
        top["tasks"] += new
        return name

    _edit(found, change)


def submit(found: Project, name: str, outcome: dict[str, Any] | None, attempt: int) -> None:
    """Puts a task back to work with what a person did: kept as `attempt`, for the check as it stands."""
    _again(found, name, outcome, {"submitted": attempt})


def _again(
    found: Project, name: str, outcome: dict[str, Any] | None, given: Raw, over: Iterable[str] = ()
) -> None:
    """Back to work with what is `given`; what was given for an earlier time, and `over`, no longer counts."""

    def change(top: Raw) -> str:
        _put_back(_find(top, name), outcome, given, over)
        return name

    _edit(found, change)


def _put_back(raw: Raw, outcome: dict[str, Any] | None, given: Raw, over: Iterable[str]) -> None:
    raw["status"] = "pending"
    raw["retried"] = int(raw.get("retried", 0)) + 1
    if outcome:
        raw["reopened"] = outcome["id"]
    for key in ("reason", "from_attempt", "submitted", "ballot", "planned", *over):
        raw.pop(key, None)
    raw.update(given)


def _find(top: Raw, name: str) -> Raw:
    for raw in top["tasks"]:
        if isinstance(raw, dict) and raw.get("id") == name:
            return raw
    raise OrkestraError(
        EX_USAGE, f"there is no task '{printable(name[:80])}'", "orkestra task list shows them"
    )
