"""One task of a board: everything about it, what was decided, what it asks a person, and its kept work."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orkestra_shim import contenders, files, journal, records, repo, tries
from orkestra_shim.board import Board, git_folder, row_of
from orkestra_shim.errors import EX_USAGE, OrkestraError
from orkestra_shim.project import Project
from orkestra_shim.session import Session
from orkestra_shim.taskstate import TaskState


def everything(board: Board, name: str) -> dict[str, Any]:
    """Everything about one task: as written, where it stands, its outcomes, tries and kept work."""
    row = row_of(board, name)
    raw = board.document.tasks[board.document.positions[name]].raw
    outcomes = [board.branch.outcomes[number] for number in sorted(board.branch.outcomes)]
    mine = [outcome for outcome in outcomes if outcome.get("task") == name]
    kept = _kept(board.project, name)
    told = {
        **row,
        "task": raw,
        "outcomes": mine,
        "kept": kept,
        "tries": tries.of_task(board.project.path, name),
    }
    found = contenders.of_task(board, name, mine, kept)
    return told | ({"candidates": found} if found else {})


def asking(seen: Board, name: str, what: str = "vote") -> dict[str, Any]:
    """The outcome by which a task waits for a person's word on `what`, recorded or not. Raises 64 where it
    does not."""
    row = row_of(seen, name)
    outcome, draft = seen.branch.by_task.get(name), _draft(seen, name)
    if row["status"] != "needs_human":
        outcome = draft if decided(seen, name) == "needs_human" else None
    elif draft and draft.get("id") and draft["id"] == row["outcome"]:
        outcome = draft  # no pull request has brought it yet
    if outcome is None or outcome.get("asks") != what:
        about = "a vote" if what == "vote" else "a word on its plan"
        raise OrkestraError(EX_USAGE, f"{name} does not wait for {about}", f"see: orkestra task show {name}")
    if row["outcome"] and row["outcome"] != outcome.get("id"):
        why = f"{name} was decided in a pull request that is not merged"
        raise OrkestraError(EX_USAGE, why, "merge that first, or: orkestra task retry")
    return outcome


def _draft(seen: Board, name: str) -> dict[str, Any] | None:
    state = TaskState()
    for event in journal.replay(seen.project.path / journal.FILE, about=name):
        state.apply(event)
    return state.draft


def decided(seen: Board, name: str) -> str:
    """The status of a task; what a run has decided and no record tells yet counts too."""
    row, raw = row_of(seen, name), seen.document.tasks[seen.document.positions[name]].raw
    if row["status"] == "pending":
        state = TaskState()
        for event in journal.replay(seen.project.path / journal.FILE, about=name):
            state.apply(event)
        if state.draft and not state.stale(raw):
            return records.decided(raw, state.draft)[0]
    return str(row["status"])


def kept_attempts(found: Project, name: str) -> list[int]:
    """The numbers of the attempts at a task whose work is kept."""
    names = [kept["ref"].rsplit("/", 1)[-1] for kept in _kept(found, name)]
    return sorted(int(number) for number in names if number.isdigit())


def landing(session: Session, found: Project) -> set[str]:
    """The tasks that a worker of this home's run is about to land."""
    names = set()
    for file in (session.home.runtime / found.id).glob("w*/now"):
        try:
            fields = file.read_text(encoding="utf-8", errors="replace").split("\t")
        except OSError:
            continue
        if len(fields) > 3 and fields[3] == "land":
            names.add(fields[0])
    return names


def let_land(session: Session, found: Project, names: Iterable[str]) -> None:
    """Waits for landings of these tasks that are under way; later ones see what the queue says now."""
    if landing(session, found) & set(names):
        with files.locked(git_folder(found) / "orkestra" / "landing.lock"):
            pass


def _kept(found: Project, name: str) -> list[dict[str, str]]:
    """Work that did not land: what refs/orkestra/attempts/TASK/ holds."""
    form = "%(refname)%00%(objectname)%00%(committerdate:iso8601-strict)%00%(contents:subject)"
    out = repo.text(found.path, "for-each-ref", f"--format={form}", f"refs/orkestra/attempts/{name}/")
    kept = []
    for line in out.splitlines():
        ref, commit, date, subject = [*line.split("\0"), "", "", ""][:4]
        kept.append({"ref": ref, "commit": commit, "date": date, "subject": subject})
    return kept
