"""What a member's vote weighs: fixed when the vote opens, and found again in any clone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orkestra_shim import committee, judging, records, weighing
from orkestra_shim.judging import Judging, Reviewer
from orkestra_shim.verify import verify
from store_client import Project, Store, Worker, git
from test_store_limits import among, ballots, done, task
from test_verify import load, rechain, rewrite

NAMES = ("two", "three", "four")
Record = dict[str, Any]


def started(place: Path, **settings: object) -> tuple[Project, Store, Worker]:
    project = Project(place / "w", [task(name) for name in "abc"])
    among(project, "one", *NAMES, reviewers=list(NAMES), **settings)
    store = project.start()
    return project, store, Worker(store)


def judged(worker: Worker, **said: object) -> Record:
    """The next task, voted upon and landed where it passes; its vote."""
    worker.claim()
    opened = done(worker, {f"{worker.task}.txt": b"x\n"})
    if ballots(worker, opened, **said) == ["ok", "approve"]:
        worker.land()
    vote: Record = json.loads((Path(opened[3]) / "vote.json").read_text())
    return vote


@pytest.fixture
def learned(place: Path) -> Project:
    """Three landings: `two` and `three` approved each, `four` rejected each."""
    project, store, worker = started(place, weights="learned")
    said = {"two": "approve", "three": "approve", "four": "reject"}
    weights = [judged(worker, **said)["weights"] for _ in "abc"]
    assert weights == [
        {"two": 1000, "three": 1000, "four": 1000},
        {"two": 1100, "three": 1100, "four": 909},
        {"two": 1200, "three": 1200, "four": 833},
    ]
    store.kill()
    git(project.path, "reset", "-q", "--hard", "main")
    return project


def vote_path(number: int) -> str:
    return records.path_of(records.record_id("vote", number))


def test_learned_weights_count_and_hold_also_in_a_clone(learned: Project, place: Path) -> None:
    vote = load(learned, vote_path(3))
    assert vote["weighed"] == {"by": "learned", "after": ["outcome-002"]}
    assert (vote["tally"]["yes"], vote["tally"]["no"]) == (2400, 833)
    git(learned.path, "clone", "-q", str(learned.path), str(place / "clone"))
    assert verify(place / "clone", "main").findings == []


def forged(project: Project, number: int, **changes: object) -> list[tuple[str, str]]:
    """What verify says of a vote that a careful forger changed: tally and all hashes are made to fit."""
    vote = load(project, vote_path(number)) | changes
    vote = {key: value for key, value in vote.items() if value is not None}
    rewrite(project, {vote_path(number): vote | committee.recount(vote)}, commit=False)
    rewrite(project, rechain(project), commit=False)
    git(project.path, "commit", "-qam", "forged")
    told = verify(project.path, "main").findings
    return [one for one in told if "by commit" not in one[1] and "previous" not in one[1]]


def test_a_forged_weight_is_found_although_every_hash_fits(learned: Project) -> None:
    weights = {"two": 1100, "three": 1100, "four": 2000}
    told = forged(learned, 2, weights=weights)
    assert told[0] == ("vote-002", "the weight of four is 2000; the records before it give 909")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"weighed": {"by": "learned", "after": []}, "weights": dict.fromkeys(NAMES, 1000)},
            "other records stood at",
        ),
        ({"weighed": None, "weights": dict.fromkeys(NAMES, 1000)}, "has no learned weights"),
        ({"weighed": {"by": "learned", "after": ["outcome-003"]}}, "what came after it: outcome-003"),
        ({"weighed": {"by": "learned", "after": ["outcome-009"]}}, "does not say after which"),
        ({"weighed": 7}, "of another kind than it should be"),
    ],
)
def test_a_forged_word_of_what_was_learned_is_found(
    learned: Project, changes: dict[str, Any], words: str
) -> None:
    told = forged(learned, 2, **changes)
    assert told[0][0] == "vote-002" and words in told[0][1], told


def test_weights_of_the_project_count_and_are_held_against_it(place: Path) -> None:
    project, store, worker = started(place, weights={"four": 2500})
    assert judged(worker, two="approve", three="approve", four="reject")["decision"] == "reject"
    vote = judged(worker, two="reject", three="reject", four="approve")
    assert vote["weights"] == {"two": 1000, "three": 1000, "four": 2500} and vote["decision"] == "approve"
    assert "weighed" not in vote
    store.kill()
    git(project.path, "reset", "-q", "--hard", "main")
    assert verify(project.path, "main").findings == []
    number = records.parse_id(vote["id"])[1]
    told = forged(project, number, weights={"two": 500, "three": 1000, "four": 2500})
    assert told[0] == (vote["id"], "the weight of two is 500; project.json gives 1000")
    told = forged(project, number, weighed={"by": "learned", "after": []}, weights=vote["weights"])
    assert told[0][0] == vote["id"] and "did not ask for" in told[0][1]


def test_settings_that_are_not_committed_weigh_nothing(place: Path) -> None:
    project, store, _ = started(place)
    store.kill()
    path = project.path / "config/project.json"
    settings = json.loads(path.read_text())
    settings["committee"]["weights"] = {"two": 9000}
    path.write_text(json.dumps(settings))
    store = project.start()
    vote = judged(Worker(store), two="approve", three="approve", four="reject")
    assert set(vote["weights"].values()) == {1000}
    store.kill()
    git(project.path, "checkout", "-q", "main", "--", "logs")
    assert [name for name, _ in verify(project.path, "main").findings if name.startswith("vote")] == []


def test_a_rebased_history_keeps_its_learned_weights(learned: Project) -> None:
    root = git(learned.path, "rev-list", "--max-parents=0", "main")
    git(learned.path, "checkout", "-q", "-b", "other", root)
    (learned.path / "z.txt").write_text("z\n")
    git(learned.path, "add", "-A")
    git(learned.path, "commit", "-qm", "person")
    git(learned.path, "rebase", "-q", "other", "main")
    assert verify(learned.path, "main").findings == []


@pytest.mark.parametrize(
    ("right", "wrong", "weight"),
    [(0, 0, 1000), (1, 0, 1100), (0, 1, 909), (10, 0, 2000), (99, 0, 2000), (5, 5, 1000), (0, 10**9, 1)],
)
def test_the_formula(right: int, wrong: int, weight: int) -> None:
    assert judging.weight(right, wrong) == weight
    assert Reviewer(right=right, wrong=wrong).weight == weight


@pytest.mark.parametrize(
    "said", [None, b"", b"[", b"7", b'{"committee": 7}', b'{"committee": {"weights": 7}}']
)
def test_settings_that_say_nothing(said: bytes | None) -> None:
    assert weighing.policy(said) == {}


# --- the same from all records at once and one by one -------------------------------------------------------

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["landed", "failed", "undone"]),
        st.sampled_from("ab"),
        st.sampled_from("pq"),
        st.lists(st.sampled_from(["approve", "revise", "reject", "abstain"]), max_size=3),
    ),
    max_size=14,
)


def told(events: list[tuple[str, str, str, list[str]]]) -> tuple[list[Record], dict[str, Record]]:
    """Outcomes and votes as a branch may hold them; an undo takes back the newest landing of its task."""
    outcomes: list[Record] = []
    votes: dict[str, Record] = {}
    for number, (decision, name, patch, choices) in enumerate(events, 1):
        one: Record = {"id": f"outcome-{number:03}", "task": name, "decision": decision, "votes": []}
        gone = {other.get("undoes") for other in outcomes}
        last = [other["id"] for other in outcomes if other["task"] == name and other["decision"] == "landed"]
        if decision == "undone":
            if not last or last[-1] in gone:
                continue
            one["undoes"] = last[-1]
        else:
            vote = f"vote-{number:03}"
            cast = [{"member": f"m{at}", "choice": choice} for at, choice in enumerate(choices)]
            votes[vote] = {"id": vote, "kind": "review", "task": name, "ballots": cast, "absent": []}
            votes[vote]["subject"] = {"patch_id": patch}
            one["votes"] = [{"id": vote}]
            if decision == "landed":
                one["change"] = {"patch_id": patch}
        outcomes.append(one)
    return outcomes, votes


def counted(outcomes: list[Record], votes: dict[str, Record]) -> dict[str, tuple[int, int]]:
    """Right and wrong ballots by the rule as it is written, without any memory."""
    undone = {one["undoes"] for one in outcomes if "undoes" in one}
    last = {one["task"]: one["id"] for one in outcomes if one["decision"] != "undone"}
    held: dict[tuple[str, str], bool] = {}
    for one in outcomes:
        if one["decision"] == "landed":
            key = one["task"], one["change"]["patch_id"]
            held[key] = one["id"] not in undone and last[one["task"]] == one["id"]
    found: dict[str, list[int]] = {}
    for vote in (votes[entry["id"]] for one in outcomes for entry in one["votes"]):
        holds = held.get((vote["task"], vote["subject"]["patch_id"]))
        for ballot in vote["ballots"]:
            both = found.setdefault(ballot["member"], [0, 0])
            if holds is not None and ballot["choice"] != "abstain":
                both[holds != (ballot["choice"] == "approve")] += 1
    return {name: (right, wrong) for name, (right, wrong) in found.items()}


@given(EVENTS)
def test_one_by_one_is_what_all_at_once_is(events: list[tuple[str, str, str, list[str]]]) -> None:
    outcomes, votes = told(events)
    known = Judging()
    for number, outcome in enumerate(outcomes, 1):
        known.take(outcome, votes)
        wanted = counted(outcomes[:number], votes)
        assert {name: (one.right, one.wrong) for name, one in known.members.items()} == wanted
    past = weighing.Past({one["id"]: one | {"sha256": one["id"]} for one in outcomes}, votes)
    for name in [one["id"] for one in outcomes[::-1]] + [one["id"] for one in outcomes]:
        upto = outcomes[: [one["id"] for one in outcomes].index(name) + 1]
        members = past.known(past.up_to([name]))
        assert {one: (of.right, of.wrong) for one, of in members.items()} == counted(upto, votes)


def test_outcomes_that_came_in_any_order_are_followed_back() -> None:
    def one(number: int, *before: int) -> Record:
        named = {"previous": f"hash-{before[0]}" if before else None, "votes": [], "task": f"t{number}"}
        beside = {"chain": {"beside": [f"hash-{other}" for other in before[1:]]}}
        return {
            "id": f"outcome-{number:03}",
            "sha256": f"hash-{number}",
            "decision": "failed",
            **named,
            **beside,
        }

    ids = [f"outcome-{number:03}" for number in range(6)]
    # 2 and 3 were made side by side on 1; 5 stands on both and not on 4.
    outcomes = [one(1), one(2, 1), one(3, 1), one(4, 3), one(5, 3, 2)]
    past = weighing.Past({each["id"]: each for each in outcomes}, {})
    assert not past.is_plain
    assert past.up_to([]) == []
    assert past.up_to([ids[4]]) == [ids[1], ids[3], ids[4]]
    assert past.up_to([ids[2], ids[3]]) == ids[1:4] == past.up_to([ids[3], ids[2]])
    assert past.up_to([ids[5]]) == [ids[1], ids[2], ids[3], ids[5]]
    with pytest.raises(KeyError):
        past.up_to(["outcome-009"])
