"""Vote and outcome records: where they stand, reading them at a commit, and the status they give."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from . import canonical
from .errors import EX_DATA, OrkestraError
from .plumbing import Git

VOTES = "logs/voting"
OUTCOMES = "logs/outcomes"
FOLDERS = {"vote": VOTES, "outcome": OUTCOMES}
ATTRIBUTES = "* -text -filter\n"
STATUS = {
    "landed": "completed",
    "answered": "completed",
    "planned": "completed",
    "failed": "failed",
    "needs_human": "needs_human",
    "undone": "cancelled",
}
_FORMAT = re.compile(r"orkestra\.(vote|outcome)/([0-9]{1,9})\Z")
_ID = re.compile(r"(vote|outcome)-([0-9]{3,12})\Z")
VERSION = 1


def record_id(kind: str, number: int) -> str:
    """vote-001, outcome-1000."""
    return f"{kind}-{number:03d}"


def path_of(name: str) -> str:
    """Repository path of a record by its id: flat up to 999, then folders of a hundred."""
    kind, number = parse_id(name)
    folder = FOLDERS[kind] if number < 1000 else f"{FOLDERS[kind]}/{number // 100}xx"
    return f"{folder}/{name}.json"


@functools.lru_cache(maxsize=65536)
def parse_id(name: str) -> tuple[str, int]:
    """(kind, number). ValueError when name is no record id."""
    found = _ID.match(name)
    if not found or record_id(found.group(1), int(found.group(2))) != name:
        raise ValueError(f"{name!r} is not the id of a record")
    return found.group(1), int(found.group(2))


def is_record(path: str) -> bool:
    """Whether a repository path is exactly where a record of that name belongs."""
    name = path.rsplit("/", 1)[-1]
    if not name.endswith(".json"):
        return False
    try:
        return path_of(name[:-5]) == path
    except ValueError:
        return False


def load(data: bytes, path: str) -> dict[str, Any]:
    """A record from its bytes. Raises 65 when it is none, or was written by a newer Orkestra."""
    try:
        record = canonical.parse(data)
    except ValueError as error:
        raise OrkestraError(EX_DATA, f"{path}: not a record: {error}") from None
    if not isinstance(record, dict) or not isinstance(record.get("format"), str):
        raise OrkestraError(EX_DATA, f"{path}: not a record: it names no format")
    found = _FORMAT.match(record["format"])
    if not found:
        raise OrkestraError(EX_DATA, f"{path}: unknown format {record['format'][:60]!r}")
    if int(found.group(2)) > VERSION:
        raise OrkestraError(
            EX_DATA,
            f"{path}: format {record['format']} was written by a newer Orkestra",
            "upgrade Orkestra to work with this project",
        )
    name = path.rsplit("/", 1)[-1][:-5]
    if record.get("id") != name or found.group(1) != name.split("-")[0]:
        raise OrkestraError(EX_DATA, f"{path}: says it is {str(record.get('id'))[:60]!r}")
    return record


def head(git: Git, branch: str, whole: bool = False) -> str:
    """The commit whose records count, also in a fresh clone. Raises 65 where there is none.

    `whole`: the history is wanted as well, and a shallow clone refused.
    """
    found = git.commit(f"refs/heads/{branch}") or git.commit(f"refs/remotes/origin/{branch}")
    if found is None:
        raise OrkestraError(
            EX_DATA,
            f"the project has no branch {branch!r}",
            'name one that there is in "branch" of config/project.json',
        )
    if whole and git.run("rev-parse", "--is-shallow-repository").strip() == b"true":
        raise OrkestraError(
            EX_DATA,
            f"{git.git_dir} is a shallow clone's: the changes that its records name are cut off",
            "git fetch --unshallow",
        )
    return found


def broken(error: Exception) -> str:
    """What is wrong with a record of which the reading ended so."""
    if isinstance(error, KeyError):
        return f"the key {str(error)[:80]} is missing"
    return f"a value is of another kind than it should be ({str(error)[:200]})"


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """A record whose fields are not what they should be is an OrkestraError 65, never a traceback."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise OrkestraError(
            EX_DATA,
            f"{name}: {broken(error)}",
            "orkestra verify says what else is wrong",
        ) from None


@dataclass
class Branch:
    """What the records at one commit say."""

    head: str
    outcomes: dict[int, dict[str, Any]] = field(default_factory=dict)
    votes: set[int] = field(default_factory=set)
    by_task: dict[str, dict[str, Any]] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)  # hashes that an outcome names as before it
    ends: dict[str, str] = field(
        default_factory=dict
    )  # {hash: id} of those that none names: ends of the chain

    @property
    def last_outcome(self) -> int:
        """Highest outcome number, 0 when there is none."""
        return max(self.outcomes, default=0)

    @property
    def last_vote(self) -> int:
        """Highest vote number, 0 when there is none."""
        return max(self.votes, default=0)

    def chain_head(self) -> str | None:
        """sha256 of the newest outcome: the `previous` of the next."""
        return self.outcomes[self.last_outcome]["sha256"] if self.outcomes else None

    def add(self, outcome: dict[str, Any]) -> None:
        """Take in an outcome that the branch holds now; they come in order of their numbers.

        Undoing an earlier landing of a task leaves its newest one as it is.
        """
        number = parse_id(outcome["id"])[1]
        self.outcomes[number] = outcome
        before = before_it(outcome)
        self.named.update(before)
        for name in before:
            self.ends.pop(name, None)
        if outcome["sha256"] not in self.named:
            self.ends[outcome["sha256"]] = outcome["id"]
        task = str(outcome.get("task"))
        last = self.by_task.get(task)
        if last is None:
            self.by_task[task] = outcome
            return
        of_another = last.get("decision") == "landed" and last["id"] != outcome.get("undoes")
        if parse_id(last["id"])[1] <= number and (outcome.get("decision") != "undone" or not of_another):
            self.by_task[task] = outcome


def before_it(outcome: dict[str, Any]) -> list[str]:
    """Hashes of the outcomes that an outcome names as standing before it in the chain."""
    chain = outcome.get("chain")
    beside = chain.get("beside") if isinstance(chain, dict) else None
    found = [outcome.get("previous"), *(beside if isinstance(beside, list) else [])]
    return [name for name in found if isinstance(name, str)]


def read_branch(git: Git, commit: str, known: Branch | None = None) -> Branch:
    """All outcomes at commit, through two Git processes; `known` spares reading what it has.

    Raises 65 for a record that cannot be read or has no hash (verify says the rest).
    """
    branch = Branch(commit)
    found: dict[int, dict[str, Any]] = {}
    wanted: list[tuple[str, str]] = []
    for path, (_, blob) in git.tree(commit, VOTES, OUTCOMES).items():
        if path.endswith("/.gitattributes"):
            branch.attributes.add(path)
        if not is_record(path):
            continue
        kind, number = parse_id(path.rsplit("/", 1)[-1][:-5])
        if kind == "vote":
            branch.votes.add(number)
        elif known is not None and number in known.outcomes:
            found[number] = known.outcomes[number]
        else:
            wanted.append((path, blob))
    for (path, _), (_, _, data) in zip(wanted, git.blobs(blob for _, blob in wanted), strict=True):
        outcome = load(data, path)
        if not isinstance(outcome.get("sha256"), str):
            raise OrkestraError(
                EX_DATA, f"{path}: it has no sha256", "orkestra verify says what else is wrong"
            )
        found[parse_id(outcome["id"])[1]] = outcome
    for number in sorted(found):
        branch.add(found[number])
    return branch


def status_of(raw: dict[str, Any], outcome: dict[str, Any] | None) -> tuple[str, str]:
    """(status, reason) of a task as written, given its newest outcome on the branch.

    A task is completed if and only if the branch says so; the file's word counts for the rest.
    """
    written = str(raw.get("status") or "pending")
    if outcome is not None and not is_reopened(raw, outcome):
        return decided(raw, outcome)
    if written in ("completed", "in_progress"):
        return "pending", ""
    if outcome is not None and written in ("failed", "needs_human"):
        return "pending", ""  # the checkpoint of an outcome that was reopened since
    return written, str(raw.get("reason") or "")


def decided(raw: dict[str, Any], outcome: dict[str, Any]) -> tuple[str, str]:
    """(status, reason) by an outcome that counts; a person may give up what failed."""
    status = STATUS.get(str(outcome.get("decision")), "needs_human")
    if status in ("failed", "needs_human") and raw.get("status") == "cancelled":
        return "cancelled", str(raw.get("reason") or "")
    return status, "" if status == "completed" else str(outcome.get("why") or "")


def is_reopened(raw: dict[str, Any], outcome: dict[str, Any]) -> bool:
    """Whether a person put the task back to work after this outcome."""
    reopened = raw.get("reopened")
    return isinstance(reopened, str) and parse_id(reopened)[1] >= parse_id(str(outcome["id"]))[1]
