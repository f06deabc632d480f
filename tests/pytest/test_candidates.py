"""Several agents on one task at once, and the choice among what they made: the store, asked by workers."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import canonical, choices, contenders, kinds
from orkestra_shim.errors import OrkestraError
from orkestra_shim.queue import Document
from orkestra_shim.verify import verify
from store_client import APPROVE, Project, Store, Worker, finish, git

AGENTS = ("ada", "bob", "cyd")
NONE = choices.NONE
SOUND = "scope\tpass\t\nsecrets\tpass\t\nprotected\tpass\t\n"


def task(name: str = "a", **fields: object) -> dict[str, Any]:
    return {"id": name, "title": f"Do {name}", "agent": "auto", "candidates": 3, "check": "true", **fields}


def made(place: Path, *tasks: dict[str, Any], can: str = "ballot", **settings: Any) -> Project:
    """A project with agents of three families."""
    project = Project(place / "p", list(tasks) or [task()], agents=list(AGENTS), **settings)
    for name in AGENTS:
        project.adapter(
            name, family=f"{name}-inc", kind="ai", can=["work", can], probe="printf 'binary\\t/bin/sh\\n'"
        )
    return project


def workers(store: Store, *names: str) -> list[Worker]:
    return [Worker(store, name) for name in names]


def work(worker: Worker, text: str, check: int = 0, gates: str = SOUND) -> list[str]:
    """The claimed candidate writes this text, and is judged; what the gates' verb or the check said."""
    assert worker.client.ask("base", worker.project.head)[0] == "ok"
    assert worker.client.ask("worked", "0", "1", str(worker.ticket)) == ["ok", "done"]
    worker.change({"made.txt": text.encode()})
    assert worker.client.ask("taken", worker.tree, "1") == ["ok", "changed"]
    if check:
        assert worker.client.ask("checked", str(check), "1", worker.tree) == ["ok"]
        return worker.client.ask("failed", f"the check failed (exit {check})")
    return worker.judge(gates=gates)


def keep(worker: Worker) -> list[str]:
    """What has passed is kept and handed in, as Bash does it."""
    message = f"orkestra: attempt {worker.number} at {worker.task}"
    commit = git(worker.project.path, "commit-tree", worker.tree, "-p", worker.base, "-m", message)
    git(worker.project.path, "update-ref", f"refs/orkestra/attempts/{worker.task}/{worker.number}", commit)
    return worker.client.ask("candidate", commit, worker.base, worker.tree, worker.patch)


def passes(worker: Worker, text: str, programs: tuple[tuple[str, int, str], ...] = APPROVE) -> list[str]:
    """A claimed candidate from its base to being kept."""
    told = work(worker, text)
    assert told[:2] == ["ok", "pass"], told
    lines = "".join(f"{name}\t{code}\t{why}\n" for name, code, why in programs)
    (Path(told[2]) / "ballots.tsv").write_text(lines)
    return keep(worker)


def letters(folder: Path, member: str) -> dict[str, str]:
    """{what an option's text holds: its letter} on the paper of a member, in its order."""
    prompt = (folder / member / "prompt.md").read_text()
    found = re.findall(r"^Option ([A-Z]):\n\n(QUOTE-\w+)\n(.*?)\n\2$", prompt, re.MULTILINE | re.DOTALL)
    told = {}
    for letter, _, text in found:
        line = re.search(r"^\+(.*)$", text.replace("+++ b", ""), re.MULTILINE)
        told[NONE if text == NONE else line[1] if line else ""] = letter
    return told


def rank(vote: list[str], member: str, *tiers: str) -> str:
    """A member ranks by what the changes hold: its line of ballots.tsv."""
    folder = Path(vote[3])
    known = letters(folder, member)
    told = {"ranking": [[known[one]] for one in tiers], "reason": f"{member} has looked", "confidence": 60}
    (folder / member / "out").mkdir(parents=True)
    (folder / member / "out" / "result.json").write_text(json.dumps(told))
    return f"{member}\t0\t\n"


def opened(worker: Worker) -> list[str]:
    """The choice is claimed, and the vote opened."""
    claim = worker.claim()
    assert claim[1:3] == ["task", "a"] and claim[5] == "choose", claim
    worker.base = worker.project.head
    tree = worker.client.ask("base", worker.base)[1]
    return worker.client.ask("vote-open", worker.base, tree, "-")


def close(worker: Worker, vote: list[str], *lines: str) -> list[str]:
    (Path(vote[3]) / "ballots.tsv").write_text("".join(lines))
    return worker.client.ask("vote-close", vote[2])


def land(worker: Worker, commit: str) -> str:
    """The chosen candidate on the branch as it is now, as stage::resume brings it there."""
    base = worker.base = worker.project.head
    assert worker.client.ask("base", base)[0] == "ok"
    text = git(worker.project.path, "show", f"{commit}:made.txt") + "\n"
    worker.change({"made.txt": text.encode()})
    assert worker.judge() == ["ok", "pass"]
    assert worker.client.ask("vote-open", base, worker.tree, worker.patch)[1] == "stands"
    outcome = worker.land()
    git(worker.project.path, "reset", "-q", "--hard")  # the checkout, which Bash brings along
    return outcome


def events(project: Project, *kinds: str) -> list[dict[str, Any]]:
    return [one for one in project.journal() if one["event"] in kinds]


def record(project: Project, name: str) -> dict[str, Any]:
    folder = "voting" if name.startswith("vote") else "outcomes"
    return dict(json.loads(git(project.path, "show", f"main:logs/{folder}/{name}.json")))


def test_three_at_once_by_three_agents_and_what_is_chosen_lands(place: Path) -> None:
    project = made(place)
    store = project.start()
    one, two, three, four = workers(store, "w1", "w2", "w3", "w4")
    claims = [worker.claim() for worker in (one, two, three)]
    assert [claim[3:6] for claim in claims] == [
        [str(n), name, "candidate"] for n, name in enumerate(AGENTS, 1)
    ]
    four.client.send("claim")  # three are all that there are: it waits
    assert passes(two, "by bob\n") == ["ok", "1", "3"]
    assert work(three, "by cyd\n", check=7) == ["ok", "out"]
    assert passes(one, "by ada\n") == ["ok", "3", "3"]
    claim = four.client.receive()
    assert claim[1:4] == ["task", "a", "4"] and claim[5] == "choose"
    four.task, four.number, four.base = "a", "4", project.head
    tree = four.client.ask("base", project.head)[1]
    vote = four.client.ask("vote-open", project.head, tree, "-")
    assert vote[:2] == ["ok", "vote"]

    folder = Path(vote[3])
    assert set(letters(folder, "ada")) == {"by bob", NONE} and set(letters(folder, "bob")) == {"by ada", NONE}
    assert set(letters(folder, "cyd")) == {"by ada", "by bob", NONE}  # nobody is asked about its own
    for member in AGENTS:
        prompt = (folder / member / "prompt.md").read_text()
        assert not re.search(r"attempt [0-9]|[a-z]+-inc|cyd", prompt.replace(str(place), "")), prompt
        shown = (project.runtime / "w4/ballots" / member / "exchange").iterdir()
        assert {one.name for one in shown} == {"prompt.md", "schema.json"} | {
            f"option-{letter}.patch" for text, letter in letters(folder, member).items() if text != NONE
        }
    told = close(
        four,
        vote,
        rank(vote, "ada", NONE),
        rank(vote, "bob", "by ada", NONE),
        rank(vote, "cyd", "by ada", "by bob"),
    )
    assert told[1:3] == ["chosen", "ada"] and told[4] == "1"
    assert told[3] == git(project.path, "rev-parse", "refs/orkestra/attempts/a/1")
    assert land(four, told[3]) == "outcome-001"
    assert four.claim()[1] == "stop"
    finish(store)
    assert store.end() == (0, "")

    outcome, held = record(project, "outcome-001"), record(project, "vote-001")
    assert (outcome["agent"], outcome["decision"], outcome["reviewed_by"]) == (
        "ada",
        "landed",
        "other family",
    )
    assert [one["id"] for one in outcome["votes"]] == ["vote-001"]
    assert (held["kind"], held["decision"]) == ("choose", "attempt 1")
    assert held["left_out"] == {"ada": ["attempt 1"], "bob": ["attempt 2"]}
    assert [(one["attempt"], one["author"]["member"]) for one in held["candidates"]] == [
        (1, "ada"),
        (2, "bob"),
    ]
    assert [(one["attempt"], one["why"]) for one in held["out"]] == [(3, "the check failed (exit 7)")]
    pairs = held["tally"]["pairwise"]  # nobody says anything of its own
    assert pairs["attempt 2"][NONE] == 1 == pairs["attempt 1"]["attempt 2"]
    assert outcome["change"]["diff_sha256"] == held["candidates"][0]["subject"]["diff_sha256"]
    assert git(project.path, "show", "refs/orkestra/attempts/a/2:made.txt") == "by bob"
    assert verify(project.path, "main").findings == []


def test_one_worker_makes_them_in_turn_and_none_of_these_begins_a_new_round(place: Path) -> None:
    project = made(place, task(candidates=2, max_attempts=2))
    store = project.start()
    (worker,) = workers(store, "w1")
    for number, text in ((1, "one\n"), (2, "two\n")):
        assert worker.claim()[3:6] == [str(number), AGENTS[number - 1], "candidate"]
        passes(worker, text)
    vote = opened(worker)
    told = close(worker, vote, *(rank(vote, member, NONE) for member in AGENTS))
    assert (
        told[1] == "reject" and "none of 2 candidates by schulze" in told[2] and "- bob has looked" in told[2]
    )
    assert worker.client.ask("failed", told[2]) == ["ok", "again"]
    # The next round has candidates of its own; who was not asked yet comes first, and all hear why.
    claim = worker.claim()
    assert claim[3:6] == ["4", "cyd", "candidate"], claim
    assert "- cyd has looked" in (worker.attempt / "prompt.md").read_text()
    assert work(worker, "x\n", check=1) == ["ok", "out"]
    worker.claim()
    assert work(worker, "y\n", check=2) == ["ok", "out"]
    told = opened(worker)
    assert told[1] == "reject" and "none of 2 candidates passed" in told[2]
    assert worker.client.ask("failed", told[2]) == ["ok", "failed"]
    assert worker.claim()[1] == "stop"
    finish(store)
    assert store.end() == (0, "")
    outcome = record(project, "outcome-001")
    assert outcome["decision"] == "failed" and outcome["why"].endswith("(attempt 2 of 2)")
    assert record(project, "vote-001")["decision"] == NONE and verify(project.path, "main").findings == []


def test_a_candidate_alone_still_has_to_be_better_than_none(place: Path) -> None:
    project = made(place, task(candidates=2))
    store = project.start()
    (worker,) = workers(store, "w1")
    worker.claim()
    assert work(worker, "x\n", check=1) == ["ok", "out"]
    worker.claim()
    passes(worker, "fine\n")
    vote = opened(worker)
    assert close(
        worker, vote, *(rank(vote, name, *(["fine"] if name != "bob" else []), NONE) for name in AGENTS)
    )[1:3] == ["chosen", "bob"]
    store.kill()


def test_a_kill_costs_what_was_being_made_and_nothing_that_was_kept(place: Path) -> None:
    project = made(place, task(candidates=2))
    store = project.start()
    one, two = workers(store, "w1", "w2")
    one.claim()
    two.claim()
    passes(one, "kept\n")
    assert two.client.ask("base", project.head)[0] == "ok"
    store.kill()
    store = project.start()
    (worker,) = workers(store, "w1")
    assert worker.claim()[3:6] == [
        "3",
        "bob",
        "candidate",
    ]  # who was killed is no candidate, and had no attempt
    interrupted = events(project, "interrupted")
    assert [(one["try"], one["agent"]) for one in interrupted] == [(2, "bob")]
    passes(worker, "again\n")
    vote = opened(worker)
    store.kill()  # while they vote
    store = project.start()
    (worker,) = workers(store, "w1")
    vote = opened(worker)
    told = close(
        worker,
        vote,
        rank(vote, "ada", "again", NONE),
        rank(vote, "bob", NONE),
        rank(vote, "cyd", "again", "kept", NONE),
    )
    assert told[1:3] == ["chosen", "bob"]
    store.kill()  # before it lands
    store = project.start()
    (worker,) = workers(store, "w1")
    claim = worker.claim()
    assert claim[4:7] == ["bob", "resume", told[3]]
    assert land(worker, told[3]) == "outcome-001"
    assert record(project, "outcome-001")["agent"] == "bob" and verify(project.path, "main").findings == []
    assert not events(project, "attempt-failed")
    store.kill()


def test_a_worker_that_dies_leaves_its_place_to_another(place: Path) -> None:
    project = made(place, task(candidates=2))
    store = project.start()
    one, two, three = workers(store, "w1", "w2", "w3")
    one.claim()
    assert two.claim()[3:5] == ["2", "bob"]
    three.client.send("claim")
    two.client.close()
    claim = three.client.receive()
    assert claim[3:6] == ["3", "bob", "candidate"]
    store.kill()


def test_where_no_model_is_there_programs_rank(place: Path) -> None:
    project = made(place, task(candidates=2), can="work")
    store = project.start()
    (worker,) = workers(store, "w1")
    worker.claim()
    passes(worker, "bad\n", (("lint", 11, "wrong"), ("size", 12, ""), ("tidy", 10, "untidy")))
    worker.claim()
    passes(worker, "good\n")
    told = opened(worker)
    assert told[1:3] == ["chosen", "bob"]
    land(worker, told[3])
    held = record(project, "vote-001")
    assert (
        held["reviewed_by"] == "programs" and [one["kind"] for one in held["electorate"]] == ["program"] * 3
    )
    assert [one["ranking"] for one in held["ballots"]] == [
        [["attempt 2"], [NONE], ["attempt 1"]],
        [["attempt 2"], ["attempt 1", NONE]],
        [["attempt 2"], [NONE], ["attempt 1"]],
    ]
    assert held["ballots"][0]["reason"] == "attempt 1: wrong\nattempt 2: fine"
    assert verify(project.path, "main").findings == []
    store.kill()


def test_one_agent_alone_votes_on_its_own_and_the_record_says_so(place: Path) -> None:
    project = made(place, task(candidates=2))
    for name in ("bob", "cyd"):
        project.adapter(name, family=name, kind="ai", can=["work", "ballot"], probe="echo no; exit 69")
    store = project.start()
    (worker,) = workers(store, "w1")
    for text in ("one\n", "two\n"):
        assert worker.claim()[4] == "ada"
        passes(worker, text)
    vote = opened(worker)
    told = close(worker, vote, rank(vote, "ada", "two", "one", NONE))
    assert told[1:3] == ["chosen", "ada"] and told[4] == "2"
    land(worker, told[3])
    assert (
        record(project, "vote-001")["reviewed_by"]
        == "same family"
        == record(project, "outcome-001")["reviewed_by"]
    )
    store.kill()


def test_no_ballot_decides_nothing_and_a_limit_is_waited_for(place: Path) -> None:
    project = made(place, task(candidates=2))
    store = project.start(ORKESTRA_WAIT="0")
    (worker,) = workers(store, "w1")
    for text in ("one\n", "two\n"):
        worker.claim()
        passes(worker, text)
    vote = opened(worker)
    for member in AGENTS[:2]:
        (Path(vote[3]) / member / "out").mkdir(parents=True)
        said = {"error": "You've hit your limit", "retry_at": 4102444800}
        (Path(vote[3]) / member / "out" / "result.json").write_text(json.dumps(said))
    told = close(worker, vote, "ada\t75\t\n", "bob\t75\t\n", rank(vote, "cyd", "two", "one", NONE))
    assert told[1] == "waits" and "ada is limited" in told[2]
    assert worker.client.ask("put-off", "") == ["ok"]
    assert worker.claim()[1] == "stop"
    assert store.control.ask("summary")[1] == "75"
    assert store.end() == (0, "")
    (project.config / "RUNTIME/limits.json").unlink()
    store = project.start()
    (worker,) = workers(store, "w1")
    vote = opened(worker)  # nothing is made again
    told = close(worker, vote, "ada\t1\t\n", "bob\t1\t\n", "cyd\t1\t\n")
    assert told[1] == "person" and "no quorum" in told[2] and "--from-attempt" in told[2]
    store.kill()


def test_one_more_candidate_is_made_where_the_choice_waited(place: Path) -> None:
    project = made(place, task(candidates=2))
    store = project.start(ORKESTRA_WAIT="0")
    (worker,) = workers(store, "w1")
    for text in ("one\n", "two\n"):
        worker.claim()
        passes(worker, text)
    vote = opened(worker)
    for member in AGENTS[1:]:
        (Path(vote[3]) / member / "out").mkdir(parents=True)
        said = {"error": "You've hit your limit", "retry_at": 4102444800}
        (Path(vote[3]) / member / "out" / "result.json").write_text(json.dumps(said))
    assert close(worker, vote, "bob\t75\t\n", "cyd\t75\t\n", rank(vote, "ada", "two"))[1] == "waits"
    assert worker.client.ask("put-off", "") == ["ok"]
    project.write_queue([task(candidates=3)])
    assert worker.claim()[3:6] == ["4", "ada", "candidate"]
    store.kill()
    store = project.start(ORKESTRA_WAIT="0")
    assert Worker(store).claim()[3:6] == ["5", "ada", "candidate"]
    store.kill()


def test_what_is_kept_is_what_was_judged(place: Path) -> None:
    project = made(place, task(candidates=2))
    store = project.start()
    (worker,) = workers(store, "w1")
    for text in ("one\n", "two\n"):
        worker.claim()
        passes(worker, text)
    store.kill()
    log = project.path / "logs/execution/task-execution.log"
    theirs = project.commit_files(project.head, {"made.txt": b"evil\n"}, "x")
    mine = git(project.path, "rev-parse", "refs/orkestra/attempts/a/1")
    log.write_text(log.read_text().replace(mine, theirs))
    store = project.start()
    (worker,) = workers(store, "w1")
    vote = opened(worker)
    assert set(letters(Path(vote[3]), "cyd")) == {"two", NONE}
    assert events(project, "candidate-out")[0]["why"] == "what is kept of it is not what was judged"
    store.kill()


def test_a_person_cancels_all_of_them(place: Path) -> None:
    project = made(place, task(candidates=2))
    store = project.start()
    one, two = workers(store, "w1", "w2")
    one.claim()
    two.claim()
    project.write_queue([task(candidates=2, status="cancelled")])
    one.client.send("claim")  # it dropped it without a word
    while not events(project, "interrupted"):
        time.sleep(0.05)
    assert two.client.ask("base", project.head) == ["ok", "dropped"]
    assert one.client.receive()[1] == "stop"
    store.kill()


def test_a_person_goes_on_from_one_of_them_and_a_conflict_is_mended_by_its_author(place: Path) -> None:
    project = made(place, task(candidates=2))
    store = project.start()
    (worker,) = workers(store, "w1")
    for text in ("one\n", "two\n"):
        worker.claim()
        passes(worker, text)
    vote = opened(worker)
    told = close(
        worker, vote, *(rank(vote, name, *(["two"] if name != "bob" else []), NONE) for name in AGENTS)
    )
    assert told[1:3] == ["chosen", "bob"]
    assert worker.client.ask("base", project.head)[0] == "ok"
    assert worker.client.ask("conflict", "in conflict with what landed meanwhile: made.txt") == [
        "ok",
        "again",
    ]
    assert worker.claim()[3:6] == ["4", "bob", "fresh"]  # one attempt, of whoever was chosen
    assert "+two" in (worker.ticket / "exchange/previous.patch").read_text()
    assert worker.client.ask("failed", "it gave up") == ["ok", "again"]
    assert worker.claim()[5] == "candidate"
    store.kill()

    project.write_queue([task(candidates=2, from_attempt=1, retried=1)])
    store = project.start()
    (worker,) = workers(store, "w1")
    claim = worker.claim()
    assert claim[5:7] == ["from", git(project.path, "rev-parse", "refs/orkestra/attempts/a/1")]
    store.kill()


def test_what_a_person_did_between_two_runs_is_judged_in_place_of_what_waited(place: Path) -> None:
    project = made(place, task(candidates=2), task("b", candidates=1, agent="ada"))
    store = project.start()
    (worker,) = workers(store, "w1")
    for text in ("one\n", "two\n"):
        assert worker.claim()[2] == "a"
        passes(worker, text)
    held = Worker(store, "w2")
    assert worker.claim()[5] == "choose" and held.claim()[2:4] == ["b", "1"]
    assert held.client.ask("base", project.head)[0] == "ok"
    held.change({"b.txt": b"an agent's\n"})
    assert held.judge() == ["ok", "pass"]
    waits = git(project.path, "commit-tree", held.tree, "-p", held.base, "-m", "held")
    assert held.client.ask("held", waits, "b.txt") == ["ok"]
    assert store.end() == (0, "")

    mine = project.commit_files(project.head, {"made.txt": b"a person's\n"}, "kept")
    queue = []
    for name, number in (("a", 4), ("b", 2)):
        git(project.path, "update-ref", f"refs/orkestra/attempts/{name}/{number}", mine)
        queue.append({**task(name, candidates=2 if name == "a" else 1), "submitted": number, "retried": 1})
    project.write_queue(queue)
    store = project.start()
    for worker, name, number in zip(workers(store, "w1", "w2"), "ab", "42", strict=True):
        assert worker.claim()[2:7] == [name, number, "person", "resume", mine]
    store.kill()


def test_one_that_only_a_person_may_pass_leaves_the_others_to_be_chosen_from(place: Path) -> None:
    project = made(place, task(candidates=2))
    for name in AGENTS:
        project.adapter(
            name, family="one", kind="ai", can=["work", "ballot"], probe="printf 'binary\\t/bin/sh\\n'"
        )
    marks = SOUND.replace("protected\tpass\t", "protected\tmark\tAGENTS.md")
    store = project.start()
    one, two = workers(store, "w1", "w2")
    assert [one.claim()[5], two.claim()[5]] == ["candidate", "candidate"]
    told = work(one, "by ada\n", gates=marks)
    assert told[1] == "person" and "AGENTS.md" in told[2]
    assert not events(project, "outcome-drafted"), "the other one is being made"
    assert passes(two, "by bob\n") == ["ok", "2", "2"]
    vote = opened(one)
    assert (
        json.loads(close(one, vote, *(rank(vote, name, "by bob", NONE) for name in ("ada", "cyd")))[4]) == 2
    )
    store.kill()


def test_where_only_a_person_may_pass_any_of_them_that_person_is_asked(place: Path) -> None:
    project = made(place, task(candidates=2))
    for name in AGENTS:
        project.adapter(
            name, family="one", kind="ai", can=["work", "ballot"], probe="printf 'binary\\t/bin/sh\\n'"
        )
    marks = SOUND.replace("protected\tpass\t", "protected\tmark\tAGENTS.md")
    store = project.start()
    (worker,) = workers(store, "w1")
    assert worker.claim()[5] == "candidate" and work(worker, "one\n", gates=marks)[1] == "person"
    assert worker.claim()[5] == "candidate" and work(worker, "two\n", check=7)[1] == "out"
    told = opened(worker)
    assert told[1] == "person" and "AGENTS.md" in told[2] and "--from-attempt" in told[2]
    assert worker.claim()[1] == "stop"
    assert finish(store)
    assert record(project, "outcome-001")["decision"] == "needs_human"
    store.kill()


def test_a_budget_that_is_enough_for_one_has_one_made_at_a_time(place: Path) -> None:
    project = made(place, task(candidates=2, budget={"tokens": 1000}))
    store = project.start()
    one, two = workers(store, "w1", "w2")
    assert one.claim()[5] == "candidate"
    two.client.send("claim")  # nobody knows yet what one takes
    assert one.client.ask("base", project.head)[0] == "ok"
    (one.attempt / "result.json").write_text(
        json.dumps({"text": "x", "usage": {"input": 100, "output": 100}})
    )
    assert one.client.ask("worked", "0", "1", str(one.ticket)) == ["ok", "done"]
    assert two.client.receive()[3:6] == ["2", "bob", "candidate"]
    held = {one["try"]: one["reserved"]["tokens"] for one in events(project, "claimed")}
    assert held == {1: 800, 2: 400}  # each leaves a fifth for the ballots
    store.kill()


# --- what ballots decide ------------------------------------------------------------------------------------


def vote_on(authors: dict[str, str], members: dict[str, str], marked: bool = False) -> dict[str, Any]:
    """An open choice. authors: {name: family} of candidates 1, 2 ...; members: {name: family}."""
    found = [
        {
            "option": choices.option(number),
            "attempt": number,
            "author": {"member": name, "family": family},
            "subject": {"base": "b", "tree": "t", "patch_id": f"p{number}", "diff_sha256": f"d{number}"},
            "evidence": [{"check": "true", "exit": 0, "log_sha256": "", "tree": "t"}],
            "gates": [
                {"gate": "protected", "passed": True, "marked": marked and number == 1, "evidence": ""}
            ],
        }
        for number, (name, family) in enumerate(authors.items(), 1)
    ]
    electorate = [{"member": name, "kind": "ai", "family": family} for name, family in members.items()]
    return choices.open_choice("vote-001", "a", "Do a", electorate, {"base": "b", "tree": "t"}, found, [])


def closed(vote: dict[str, Any], **rankings: list[list[str]]) -> dict[str, Any]:
    ballots = [
        {"member": name, "ranking": tiers, "reason": "r", "confidence": 50, "cast_at": "now"}
        for name, tiers in rankings.items()
    ]
    absent = [
        {"member": one["member"], "why": "gone"}
        for one in vote["electorate"]
        if one["member"] not in rankings
    ]
    return choices.close_choice(vote, ballots, absent)


def test_a_member_of_another_family_has_to_prefer_it() -> None:
    vote = vote_on({"a1": "a", "b1": "b"}, {"a2": "a", "a3": "a", "b1": "b"})
    done = closed(
        vote,
        a2=[["attempt 1"], [NONE], ["attempt 2"]],
        a3=[["attempt 1"], ["attempt 2"], [NONE]],
        b1=[[NONE], ["attempt 1"]],
    )
    assert done["barred"] == ["attempt 1"] and done["decision"] == NONE
    assert "no member of another family prefers attempt 1 to none" in done["why"]
    done = closed(vote, a2=[["attempt 1"]], a3=[["attempt 1"]], b1=[["attempt 1"]])
    assert done["decision"] == "attempt 1" and choices.accepted(done)[0]["patch_id"] == "p1"
    assert done["reviewed_by"] == "other family"


def test_marked_it_needs_another_family_and_an_equal_one_that_is_not_is_better() -> None:
    alone = vote_on({"a1": "a", "a2": "a"}, {"a3": "a"}, marked=True)
    done = closed(alone, a3=[["attempt 1"], ["attempt 2"], [NONE]])
    assert done["barred"] == ["attempt 1"] and done["decision"] == "attempt 2"
    both = vote_on({"a1": "a", "b1": "b"}, {"c1": "c"}, marked=True)
    done = closed(both, c1=[["attempt 1", "attempt 2"], [NONE]])
    assert done["decision"] == "attempt 2" and done["tally"]["tie_break"]["by"] == "evidence"


def test_equal_ones_are_drawn_by_the_seed_and_the_record_says_so() -> None:
    vote = vote_on({"a1": "a", "b1": "b"}, {"c1": "c"})
    drawn = set()
    for seed in map(str, range(20)):
        done = closed({**vote, "seed": seed}, c1=[["attempt 1", "attempt 2"], [NONE]])
        assert done["tally"]["tie_break"]["by"] == "seed" and done["tally"]["tie_break"]["seed"] == seed
        assert not kinds.differs(done)
        drawn.add(done["decision"])
    assert drawn == {"attempt 1", "attempt 2"}


def test_without_a_quorum_nothing_is_chosen() -> None:
    vote = vote_on({"a1": "a", "b1": "b"}, {"a1": "a", "b1": "b", "c1": "c"})
    done = closed(vote, c1=[["attempt 1"]])
    assert done["decision"] == "no-quorum" and choices.accepted(done) == []


@pytest.mark.parametrize(
    ("forge", "finding"),
    [
        (lambda vote: vote["ballots"][2].update(ranking=[["attempt 2"], ["attempt 1"]]), "its tally"),
        (lambda vote: vote["ballots"][2].update(ranking=[[NONE]]), "its decision"),
        (lambda vote: vote["ballots"][0].update(ranking=[["attempt 1"]]), "the ballot of a1"),
        (lambda vote: vote["ballots"][1].update(ranking=[["attempt 1"], ["attempt 1"]]), "the ballot of b1"),
        (lambda vote: vote["left_out"].clear(), "each member's own"),
        (lambda vote: vote["candidates"][0]["evidence"][0].update(exit=1), "has not passed the check"),
        (lambda vote: vote["candidates"][0]["gates"][0].update(passed=False), "has not passed the gates"),
        (lambda vote: vote.update(decision="attempt 2"), "decision"),
        (lambda vote: vote.update(method="borda"), "not counted as a choice is"),
        (lambda vote: vote["options"].append("attempt 9"), "its options"),
        (lambda vote: vote["barred"].append("attempt 2"), "its barred"),
    ],
)
def test_a_forged_record_is_found(forge: Any, finding: str) -> None:
    vote = vote_on({"a1": "a", "b1": "b"}, {"a1": "a", "b1": "b", "c1": "c"})
    done = closed(vote, a1=[[NONE], ["attempt 2"]], b1=[["attempt 1"]], c1=[["attempt 1"], ["attempt 2"]])
    assert done["decision"] == "attempt 1" and list(kinds.problems(done, {})) == []
    forge(done)
    assert any(finding in problem for problem in kinds.problems(done, {})), list(kinds.problems(done, {}))


def test_a_flipped_ballot_is_found_on_the_branch_with_every_hash_made_anew(place: Path) -> None:
    project = made(place, task(candidates=2))
    store = project.start()
    (worker,) = workers(store, "w1")
    for text in ("one\n", "two\n"):
        worker.claim()
        passes(worker, text)
    vote = opened(worker)
    told = close(
        worker,
        vote,
        rank(vote, "ada", NONE),
        rank(vote, "bob", "one", NONE),
        rank(vote, "cyd", "one", "two", NONE),
    )
    land(worker, told[3])
    store.kill()
    held, outcome = record(project, "vote-001"), record(project, "outcome-001")
    held["ballots"][2]["ranking"] = [["attempt 2"], ["attempt 1"], [NONE]]
    held["ballots"][1]["ranking"] = [[NONE], ["attempt 1"]]
    held |= choices.recount(held)  # a forger counts well
    assert held["decision"] != "attempt 1"
    outcome["votes"] = [{"id": "vote-001", "sha256": canonical.digest(held)}]
    outcome["sha256"] = canonical.digest(outcome)
    files = {
        "logs/voting/vote-001.json": canonical.pretty(held),
        "logs/outcomes/outcome-001.json": canonical.pretty(outcome),
    }
    forged = project.commit_files(
        f"{project.head}^", files, f"orkestra: record\n\nOrkestra-Outcome: {outcome['id']}"
    )
    git(project.path, "update-ref", "refs/heads/main", forged)
    found = [str(one) for one in verify(project.path, "main").findings]
    assert any("approving vote" in one for one in found), found


def test_what_became_of_each_is_told_from_the_record() -> None:
    vote = vote_on({"a1": "a", "b1": "b"}, {"a1": "a", "b1": "b", "c1": "c"})
    vote["out"] = [{"attempt": 3, "author": {"member": "c1", "family": "c"}, "why": "the check failed"}]
    done = closed(vote, a1=[["attempt 2"]], b1=[[NONE]], c1=[["attempt 2"], [NONE]])
    told = [(one["attempt"], one["state"], one.get("place"), one["why"]) for one in contenders.of_vote(done)]
    assert told == [
        (1, "not chosen", None, "no member of another family prefers it to none of these"),
        (2, "chosen", 1, done["why"]),
        (3, "out", None, "the check failed"),
    ]
    waits = closed(vote, c1=[["attempt 1"]])
    assert [one["state"] for one in contenders.of_vote(waits)] == ["passed", "passed", "out"]
    stances = [choices.stance(done, ballot) for ballot in done["ballots"]]
    assert stances == ["approve", "abstain", "approve"]


# --- what a task may say ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"candidates": 0}, "a whole number from 1 to 9"),
        ({"candidates": 10}, "a whole number from 1 to 9"),
        ({"candidates": True}, "a whole number from 1 to 9"),
        ({"candidates": "3"}, "a whole number from 1 to 9"),
        ({"candidates": 2, "allow_empty": True}, "does not go with allow_empty"),
    ],
)
def test_a_queue_with_impossible_candidates_is_refused_with_the_place(said: dict[str, Any], why: str) -> None:
    text = json.dumps({"version": 1, "tasks": [{"id": "a", **said}]})
    with pytest.raises(OrkestraError, match=f"task-queue.json:1:[0-9]+: task 'a': .*{why}"):
        Document(text)
