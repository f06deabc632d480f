"""What became of the candidates of a task: by the votes that chose among them, and by the execution log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from . import choices, files, journal, polls, records, votes
from .board import Board, git_folder
from .plumbing import Git
from .taskstate import TaskState
from .text import printable

Record = dict[str, Any]
_LIMIT = 16 << 20  # bytes of a record in the execution log


def of_task(
    seen: Board, name: str, outcomes: Iterable[Record], kept: Iterable[dict[str, str]]
) -> list[Record]:
    """By attempt: `attempt`, `agent`, `state` (chosen, not chosen, out, passed), `why`, and where they are
    known `vote`, `place` among how many (`of`), `ref` of what is kept, `base`. Raises 65."""
    refs = {one["ref"].rsplit("/", 1)[-1]: one["ref"] for one in kept}
    found: dict[int, Record] = {}
    for vote in _votes(seen, name, outcomes):
        with records.reading(str(vote["id"])):
            for entry in of_vote(vote):
                found[entry["attempt"]] = entry
    for entry in _open(seen, name):
        found.setdefault(entry["attempt"], entry)
    told = []
    for number, entry in sorted(found.items()):
        ref = refs.get(str(number))
        told.append({**entry, **({"ref": ref} if ref else {})})
    return told


def _votes(seen: Board, name: str, outcomes: Iterable[Record]) -> Iterator[Record]:
    """The choices on a task, recorded or not, oldest first."""
    names = [str(entry["id"]) for outcome in outcomes for entry in outcome.get("votes") or []]
    git, head = Git(git_folder(seen.project)), seen.branch.head
    found: dict[str, Record] = {}
    for vote, (_, kind, data) in zip(
        names, git.blobs(f"{head}:{records.path_of(one)}" for one in names), strict=True
    ):
        if kind == "blob":
            found[vote] = records.load(data, records.path_of(vote))
    attempts = seen.project.path / "logs" / "execution" / "attempts" / name
    for path in attempts.glob(f"*/{votes.FOLDER}/vote-*/{votes.FILE}"):
        vote = path.parent.name
        if vote not in found and (raw := files.read_bounded(path, _LIMIT)):
            found[vote] = records.load(raw, f"{path.parent}.json")
    for vote in sorted(found, key=records.parse_id):
        if found[vote].get("kind") == choices.KIND:
            yield found[vote]


def of_vote(vote: Record) -> Iterator[Record]:
    """The candidates of one vote."""
    tiers = vote["tally"]["ranking"] or []
    places = {option: at for at, tier in enumerate(tiers, 1) for option in tier}
    dropped = {one["option"]: one for one in vote["tally"]["default"]["dropped"]}
    for one in vote["candidates"]:
        option = one["option"]
        entry = {
            "attempt": one["attempt"],
            "agent": one["author"]["member"],
            "state": {option: "chosen", polls.NO_QUORUM: "passed"}.get(vote["decision"], "not chosen"),
            "why": vote["why"] if option == vote["decision"] else _why(vote, option, dropped.get(option)),
            "vote": vote["id"],
            "base": one["subject"]["base"],
        }
        if option in places:
            entry |= {"place": places[option], "of": len(tiers)}
        yield entry
    for one in vote["out"]:
        told = {
            "attempt": one["attempt"],
            "agent": one["author"]["member"],
            "state": "out",
            "why": one["why"],
        }
        yield {**told, "vote": vote["id"]}


def _why(vote: Record, option: str, dropped: Record | None) -> str:
    if vote["decision"] == polls.NO_QUORUM:
        return str(vote["why"])
    if option in vote["barred"]:
        return f"no member of another family prefers it to {choices.NONE}"
    if dropped:
        return f"{dropped['for']} to {dropped['against']} over {choices.NONE}"
    return f"{vote['decision']} was preferred"


def _open(seen: Board, name: str) -> Iterator[Record]:
    """Those of a round that goes on, or that came to no vote."""
    state = TaskState()
    for event in journal.replay(seen.project.path / journal.FILE, about=name):
        if event["event"] == "attempt-failed":  # the round is over
            yield from _tried(state)
        state.apply(event)
    yield from _tried(state)


def _tried(state: TaskState) -> Iterator[Record]:
    for what, found in (("passed", state.passed), ("out", state.out)):
        for number, one in found.items():
            why = str(one.get("why") or "waits for the choice")
            told = {"attempt": number, "agent": str(one.get("agent")), "state": what, "why": why}
            subject = one.get("subject")
            yield told | ({"base": subject["base"]} if isinstance(subject, dict) else {})


# --- for people ---------------------------------------------------------------------------------------------


def lines(found: list[Record], task: str) -> Iterator[str]:
    """What became of each, how to look at it, and how to land one that was not."""
    for one in found:
        place = f", place {one['place']} of {one['of']}" if "place" in one else ""
        vote = f" ({one['vote']})" if "vote" in one else ""
        why = " ".join(str(one["why"]).split())[:300]
        yield printable(
            f"  candidate {one['attempt']}, by {one['agent']}: {one['state']}{place}{vote}: {why}"
        )
        if "ref" in one and one["state"] != "chosen":
            base = str(one["base"])[:12] if "base" in one else f"{one['ref']}^"
            yield printable(f"    look at it: git diff {base} {one['ref']}")
            yield printable(f"    go on from it: orkestra task retry {task} --from-attempt {one['attempt']}")
