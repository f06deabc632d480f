"""A question in a run's store: who is asked what in which round, and what comes of what they say."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from orkestra_shim import pauses, verify
from store_client import Project, Store, Worker, finish, git
from test_verify import load, rechain, rewrite

MEMBERS = ["ann", "bob", "cat"]
NAMES = re.compile(r"\b(ann|bob|cat)\b")
OPTION = re.compile(r"Option ([A-Z]+):\n\n(QUOTE-\w+)\n(.*?)\n\2", re.S)


def question(**said: Any) -> dict[str, Any]:
    return {"id": "ask-1", "title": "Which database?", "ask": said}


def asked(place: Path, *tasks: dict[str, Any], members: list[str] = MEMBERS, **settings: Any) -> Project:
    project = Project(place / "p", list(tasks), agents=members, **settings)
    for name in members:
        project.adapter(name, family=name, kind="ai", can=["work", "ballot"])
    return project


class Round:
    """A worker that holds a vote: what members were asked, and what they answer."""

    def __init__(self, store: Store, worker: Worker | None = None) -> None:
        self.worker = worker or Worker(store)
        assert self.worker.claim()[1:6:3] == ["task", "committee"]
        base = store.project.head
        tree = git(store.project.path, "rev-parse", f"{base}^{{tree}}")
        self.reply = self.worker.client.ask("ask-open", base, tree)
        self.vote = self.reply[2]
        self.folder = Path(self.reply[3])

    @property
    def members(self) -> list[str]:
        """Who is asked in this round."""
        rows = (self.folder / "electorate").read_text().split("\0")
        return [row.split("\t")[0] for row in rows if row]

    def prompt(self, member: str) -> str:
        return (self.worker.ticket / "ballots" / member / "exchange/prompt.md").read_text()

    def letters(self, member: str) -> dict[str, str]:
        """{option: letter} as this member has them."""
        return {text: letter for letter, _, text in OPTION.findall(self.prompt(member))}

    def answer(self, **answers: Any) -> list[str]:
        """A member's answer is an object, or its exit status; options are put in its own letters."""
        rows = []
        for member in self.members:
            said = answers.get(member, 1)
            out = self.folder / member / "out"
            out.mkdir(parents=True)
            if not isinstance(said, int):
                letters = self.letters(member) if isinstance(said, dict) else {}
                text = said if isinstance(said, str) else json.dumps(translated(said, letters))
                (out / "result.json").write_text(text)
                said = 0
            rows.append(f"{member}\t{said}\t\n")
        (self.folder / "ballots.tsv").write_text("".join(rows))
        self.reply = self.worker.client.ask("ask-close", self.vote)
        return self.reply

    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "vote.json").read_text())
        return found


def translated(said: Any, letters: dict[str, str]) -> Any:
    if isinstance(said, list):
        return [translated(one, letters) for one in said]
    if isinstance(said, dict):
        return {key: translated(one, letters) if key != "reason" else one for key, one in said.items()}
    return letters.get(said, said) if isinstance(said, str) else said


def ranks(*tiers: str | list[str], reason: str = "so") -> dict[str, Any]:
    return {
        "ranking": [[one] if isinstance(one, str) else one for one in tiers],
        "reason": reason,
        "confidence": 60,
    }


def events(project: Project, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in project.journal() if event["event"] in kinds]


def test_members_rank_options_alone_and_the_answer_is_on_record(place: Path) -> None:
    project = asked(place, question(options=["SQLite", "Postgres", "MariaDB"]), check="false")
    store = project.start()
    assert store.control.ask("plan")[3] == "0", "a question is answered whatever the branch's check says"
    now = Round(store)
    assert now.members == MEMBERS and now.reply[1] == "vote"
    for member in MEMBERS:
        assert sorted(now.letters(member)) == ["MariaDB", "Postgres", "SQLite"]
        assert "Which database?" in now.prompt(member)
        assert not NAMES.search(now.prompt(member)), "nobody is told who else is asked"
    told = now.answer(
        ann=ranks("SQLite", "Postgres"),
        bob=ranks("Postgres", "SQLite"),
        cat=ranks("SQLite", reason="It is \ud83d\ude00 small."),
    )
    assert told == ["ok", "answered", "SQLite: by schulze (3 of 3 members voted)"]
    vote = now.record()
    assert vote["kind"] == "ask" and vote["decision"] == "SQLite" and vote["subject"]["base"] == project.head
    assert vote["ballots"][1]["ranking"] == [["Postgres"], ["SQLite"]]
    assert not (now.worker.ticket / "ballots").exists(), "the tickets hold keys"
    assert (now.folder / "round-vote/ann/out/result.json").is_file()
    assert finish(store) > 1 and store.end()[0] == 0
    outcome = json.loads((project.path / "logs/outcomes/outcome-001.json").read_text())
    assert (outcome["decision"], outcome["answer"], outcome["agent"]) == ("answered", "SQLite", "committee")
    assert verify.verify(project.path, "main").findings == []
    store = project.start()
    assert Worker(store).claim()[1] == "stop", "it is answered"
    store.kill()


def test_yes_or_no_by_the_named_members_alone(place: Path) -> None:
    store = asked(place, question(members=["cat", "ann"])).start()
    now = Round(store)
    assert now.members == ["cat", "ann"] and "Option" not in now.prompt("cat")
    yes = {"choice": "yes", "reason": "It is.", "confidence": 99}
    assert now.answer(cat=yes, ann={**yes, "choice": "no"})[1:] == [
        "answered",
        "no: 1 yes, 1 no (2 of 2 members voted)",
    ]
    store.kill()


def test_options_that_members_propose(place: Path) -> None:
    store = asked(place, question(propose=True, default="wait")).start()
    now = Round(store)
    assert "Propose 1 to 3 options" in now.prompt("ann")
    said = {"reason": "small", "options": ["SQLite", " DuckDB "]}
    assert now.answer(ann=said, bob={"reason": "big", "options": ["Postgres", "sqlite"]}, cat=69) == [
        "ok",
        "more",
    ]
    assert now.members == ["ann", "bob"], "whose tool is not there is not asked again"
    assert sorted(now.letters("ann")) == ["DuckDB", "Postgres", "SQLite", "wait"]
    assert now.answer(ann=ranks("SQLite", "wait"), bob=ranks("Postgres", "SQLite"))[1] == "answered"
    vote = now.record()
    assert vote["decision"] == "SQLite" and vote["default"] == "wait"
    assert [one["member"] for one in vote["proposals"]] == ["ann", "bob"]
    assert (
        [one["member"] for one in vote["unproposed"]] == [one["member"] for one in vote["absent"]] == ["cat"]
    )
    store.kill()


PROPOSED: list[tuple[dict[str, Any], str]] = [
    ({"reason": "x", "options": ["a", "b", "c", "d"]}, "it proposes 4 options, and 1 to 3 are asked for"),
    ({"reason": "x", "options": []}, "it proposes 0 options"),
    ({"reason": "x", "options": ["a\nOption B:"]}, ""),  # it becomes one line, which its fence holds
    ({"reason": "x", "options": ["\x1b[2Ja"]}, "must be one line"),
    ({"reason": "x", "options": ["a" * 301]}, "longer than 300"),
    ({"reason": "x", "options": [["a"]]}, "must be a text"),
    ({"reason": "", "options": ["a"]}, "no reason"),
    ({"options": ["a"]}, "no reason"),
    ({"ranking": [["a"]], "reason": "x"}, "not an object with a list"),
]


def test_a_proposal_that_is_none(place: Path) -> None:
    tasks = [{**question(propose=True), "id": f"ask-{at}"} for at in range(len(PROPOSED))]
    store = asked(place, *tasks).start()
    worker = Worker(store)
    good = {"reason": "fine", "options": ["one", "two"]}
    for said, why in PROPOSED:
        now = Round(store, worker)
        assert now.answer(ann=said, bob=good, cat=good) == ["ok", "more"]
        found = set(now.letters("ann"))
        now.answer()
        assert found == ({"one", "two"} if why else {"one", "two", "a Option B:"})
        assert not why or why in now.record()["unproposed"][0]["why"]
    store.kill()


def test_nothing_proposed_is_nothing_decided(place: Path) -> None:
    project = asked(place, question(propose=True))
    store = project.start()
    now = Round(store)
    told = now.answer(ann={"reason": "x", "options": ["one"]})
    assert told[1] == "person" and "nothing was proposed to vote on" in told[2]
    assert now.record()["decision"] == "no-quorum"
    assert finish(store) and verify.verify(project.path, "main").findings == []
    store.kill()


def test_members_that_propose_no_option_at_all_do_not_stop_the_run(place: Path) -> None:
    project = asked(place, question(propose=True))
    store = project.start()
    told = Round(store).answer(ann={"choice": "approve"}, bob="prose", cat=124)
    assert told[1] == "person" and "nothing was proposed to vote on" in told[2]
    assert finish(store) and verify.verify(project.path, "main").findings == []
    store.kill()


def test_a_discussion_shows_reasons_of_nobody_and_the_second_ballot_counts(place: Path) -> None:
    project = asked(place, question(options=["SQLite", "Postgres"], discuss=True))
    store = project.start()
    now = Round(store)
    first = {
        "ann": ranks("SQLite", reason="It is one file."),
        "bob": ranks("Postgres", reason="It scales."),
        "cat": 124,
    }
    assert now.answer(**first) == ["ok", "more"]
    assert now.members == ["ann", "bob"], "who did not vote has nothing to reconsider"
    orders = set()
    for member in now.members:
        prompt = now.prompt(member)
        assert "It is one file." in prompt and "It scales." in prompt
        assert not NAMES.search(prompt)
        letters = now.letters(member)
        assert f"A member voted {letters['SQLite']}, because:" in prompt, "in the letters of whoever reads it"
        assert f"A member voted {letters['Postgres']}, because:" in prompt
        orders.add(prompt.index("It scales.") < prompt.index("It is one file."))
    told = now.answer(
        ann=ranks("Postgres", reason="Convinced."), bob={"ranking": "?", "reason": "x", "confidence": 1}
    )
    assert told == ["ok", "answered", "Postgres: by schulze (2 of 3 members voted)"]
    vote = now.record()
    assert vote["round"] == 2 and vote["before"][0]["ranking"] == [["SQLite"]]
    assert [one["ranking"] for one in vote["ballots"]] == [[["Postgres"]], [["Postgres"]]]
    assert vote["unchanged"] == [{"member": "bob", "why": "its ranking is not a list of tiers"}]
    assert vote["ballots"][1] == vote["before"][1]
    assert finish(store) and verify.verify(project.path, "main").findings == []
    store.kill()


HOSTILE: list[tuple[Any, str]] = [
    (json.dumps({"ranking": [["Z"]], "reason": "x", "confidence": 1}), "'Z' is none of the options"),
    (json.dumps({"ranking": [["A"], ["A"]], "reason": "x", "confidence": 1}), "the option A twice"),
    (json.dumps({"ranking": [["A"]], "choice": "yes", "reason": "x", "confidence": 1}), "ranking and choice"),
    (json.dumps({"ranking": [["A"]], "reason": "x" * 3_000_000, "confidence": 1}), ""),
    (json.dumps({"ranking": [["A"]], "reason": "\ud800", "confidence": 1}), ""),
    (json.dumps({"text": "I would rather not."}), "not JSON"),
    (json.dumps({"text": 'Surely: {"ranking": [["A"]]}'}), "not JSON"),
    ('{"ranking": [["A"]], "reason": "x", "confidence": 1', "not readable"),
    ("[" * 100_000, "not readable"),
    (json.dumps(["A"]), "not an object"),
    (
        json.dumps({"ballot": [{"ranking": [[x]], "reason": "x", "confidence": 1} for x in "AB"]}),
        "contradicts itself",
    ),
    ("", "left no ballot"),
    (124, "timed out"),
    (77, "not logged in"),  # and so it is in no vote any more
]


def test_what_is_no_ballot_makes_its_member_absent_and_others_decide(place: Path) -> None:
    tasks = [{**question(options=["SQLite", "Postgres"]), "id": f"ask-{at:02}"} for at in range(len(HOSTILE))]
    project = asked(place, *tasks)
    store = project.start()
    worker = Worker(store)
    for said, why in HOSTILE:
        now = Round(store, worker)
        told = now.answer(ann=said, bob=ranks("SQLite"), cat=ranks("SQLite", "Postgres"))
        assert told[1] == "answered" and told[2].startswith("SQLite: ")
        vote = now.record()
        assert [one["member"] for one in vote["absent"]] == (["ann"] if why else [])
        assert not why or why in vote["absent"][0]["why"]
        assert all(len(one["reason"]) <= 4000 for one in vote["ballots"])
    assert finish(store) and verify.verify(project.path, "main").findings == []
    store.kill()


def test_without_a_quorum_nothing_is_decided_and_a_person_is_told(place: Path) -> None:
    project = asked(place, question(options=["SQLite", "Postgres"]))
    store = project.start()
    now = Round(store)
    told = now.answer(ann=ranks("SQLite"), bob=124, cat=1)
    assert told[1] == "person"
    assert told[2].startswith("no quorum: 1 of 3 members voted, 2 are needed (bob: timed out; cat: exit 1)")
    assert finish(store)
    outcome = json.loads((project.path / "logs/outcomes/outcome-001.json").read_text())
    assert outcome["decision"] == "needs_human" and "answer" not in outcome
    assert "orkestra task retry" in outcome["why"] and verify.verify(project.path, "main").findings == []
    store.kill()


def test_a_question_waits_for_members_that_are_limited(place: Path) -> None:
    project = asked(place, question(options=["SQLite", "Postgres"]))
    until = int(time.time()) + 3600
    limited = json.dumps({"error": "limited", "exit": 75, "retry_at": until})
    store = project.start(ORKESTRA_WAIT="0")
    now = Round(store)
    told = now.answer(ann=ranks("SQLite"), bob=limited, cat=limited)
    assert told[1] == "waits" and "bob is limited" in told[2]
    assert now.record()["decision"] == "no-quorum"
    assert now.worker.client.ask("claim")[1] == "stop", "it is not asked again before that"
    code, said = store.control.ask("summary")[1:]
    assert code == "75" and "bob is limited" in said
    store.kill()
    store = project.start(ORKESTRA_WAIT="0")
    assert Worker(store).claim()[1] == "stop", "nor by the next run"
    store.kill()
    (project.config / "RUNTIME/limits.json").unlink()
    store = project.start()
    now = Round(store)
    assert (now.vote, now.members) == ("vote-002", MEMBERS)
    assert now.answer(ann=ranks("SQLite"), bob=ranks("SQLite"), cat=1)[1] == "answered"
    assert finish(store)
    outcome = json.loads((project.path / "logs/outcomes/outcome-001.json").read_text())
    assert [one["id"] for one in outcome["votes"]] == ["vote-001", "vote-002"]
    assert verify.verify(project.path, "main").findings == []
    store.kill()


def test_who_could_answer_and_did_not_is_not_asked_again_and_again_while_another_is_limited(
    place: Path,
) -> None:
    store = asked(place, question(options=["SQLite", "Postgres"])).start(ORKESTRA_WAIT="0")
    now = Round(store)
    told = now.answer(ann=json.dumps({"error": "limited", "exit": 75}), bob="what?", cat=ranks("SQLite"))
    assert told[1] == "person" and "no quorum: 1 of 3" in told[2] and "ann is limited" in told[2]
    assert now.worker.claim()[1] == "stop"
    store.kill()


def test_one_member_of_three_that_rests_is_absent(place: Path) -> None:
    project = asked(place, question(options=["SQLite", "Postgres"]))
    store = project.start()
    project.config.joinpath("RUNTIME").mkdir(exist_ok=True)
    now = Round(store)
    now.answer(ann=json.dumps({"error": "limited", "exit": 75}), bob=ranks("SQLite"), cat=ranks("SQLite"))
    assert finish(store)
    project.write_queue([question(options=["SQLite", "Postgres"]), {**question(), "id": "ask-2"}])
    now = Round(store, now.worker)
    assert now.members == ["bob", "cat"]
    told = now.answer(**{name: {"choice": "yes", "reason": "x", "confidence": 1} for name in ("bob", "cat")})
    assert told[1:] == ["answered", "yes: 2 yes, 0 no (2 of 3 members voted)"]
    assert now.record()["absent"][0]["why"].startswith("ann is limited until ")
    store.kill()


def test_a_run_that_was_killed_asks_anew(place: Path) -> None:
    project = asked(place, question(options=["SQLite", "Postgres"]))
    store = project.start()
    first = Round(store)  # whose pipes stay open until the store is gone
    assert first.vote == "vote-001"
    store.kill()
    store = project.start()
    assert [event["agent"] for event in events(project, "balloted")] == MEMBERS, "what they cost is unknown"
    now = Round(store)
    assert now.vote == "vote-002"
    assert now.answer(ann=ranks("SQLite"), bob=ranks("SQLite"), cat=1)[1] == "answered"
    store.kill()  # before anything is on the branch
    store = project.start()
    assert Worker(store).claim()[1] == "stop"
    assert finish(store) and verify.verify(project.path, "main").findings == []
    store.kill()


def test_whatever_is_changed_in_the_vote_on_a_question_is_found(place: Path) -> None:
    project = asked(place, question(options=["SQLite", "Postgres"], discuss=True, default="wait"))
    store = project.start()
    now = Round(store)
    said = {"ann": ranks("SQLite"), "bob": ranks("Postgres"), "cat": ranks("SQLite")}
    assert now.answer(**said) == ["ok", "more"]
    assert now.answer(ann=ranks("SQLite"), bob=7, cat=ranks("SQLite"))[1] == "answered"
    assert finish(store) and store.end()[0] == 0
    voting, outcome = "logs/voting/vote-001.json", "logs/outcomes/outcome-001.json"

    def forged(path: str, change: Callable[[dict[str, Any]], object]) -> str:
        before = project.head
        record = load(project, path)
        change(record)
        rewrite(project, {path: record})
        rewrite(project, rechain(project))
        found = "; ".join(text for _, text in verify.verify(project.path, "main").findings)
        git(project.path, "reset", "-q", "--hard", before)
        return found

    assert "'SQLite', its ballots give 'Postgres'" in forged(
        voting, lambda one: [ballot.update(ranking=[["Postgres"]]) for ballot in one["ballots"]]
    )
    assert "the ballot of bob, which gave no second one, is not its first" in forged(
        voting, lambda one: one["before"][1].update(ranking=[["SQLite"]])
    )
    assert "the ballot of ann: 'Oracle' is none of the options" in forged(
        voting, lambda one: one["ballots"][0].update(ranking=[["Oracle"]])
    )
    assert "the first ballot of ann: it names the option" in forged(
        voting, lambda one: one["before"][0].update(ranking=[["SQLite"], ["SQLite"]])
    )
    assert "are not those of the members that voted" in forged(voting, lambda one: one["before"].pop())
    assert "quorum is below six tenths" in forged(voting, lambda one: one.update(quorum=1))
    assert "its weights are not one vote each" in forged(voting, lambda one: one["weights"].update(ann=2000))
    assert "its default option is none" in forged(voting, lambda one: one.update(default="never"))
    assert "its kind 'asked' is none" in forged(voting, lambda one: one.update(kind="asked"))
    assert "its answer 'Postgres' is not what its members decided" in forged(
        outcome, lambda one: one.update(answer="Postgres")
    )
    assert "its answer 'SQLite' is not what its members decided" in forged(
        outcome, lambda one: one.update(votes=[])
    )


# --- who does a task -----------------------------------------------------------------------------------


def voted(place: Path, *tasks: dict[str, Any]) -> Project:
    return asked(place, *(tasks or [{"id": "t", "title": "Do it"}]), assign="vote")


def approves(*agents: str) -> dict[str, Any]:
    return {"approve": list(agents), "reason": "fit", "confidence": 50}


class Assignment(Round):
    """The same where members vote on who does a task; each option begins with an agent's name."""

    def letters(self, member: str) -> dict[str, str]:
        return {text.split(":")[0]: letter for text, letter in super().letters(member).items()}


def test_members_vote_on_who_does_a_task_and_that_one_gets_it(place: Path) -> None:
    project = voted(place)
    store = project.start()
    now = Assignment(store)
    assert now.members == MEMBERS and "Do it" in now.prompt("ann")
    assert set(now.letters("ann")) == set(MEMBERS) and "bob: no record yet" in now.prompt("ann")
    told = now.answer(ann=approves("bob"), bob=approves("bob", "cat"), cat=approves("ann"))
    assert told == ["ok", "assigned", "bob: by approval (3 of 3 members voted)"]
    worker = now.worker
    assert worker.claim()[1:5] == ["task", "t", "2", "bob"]
    assert events(project, "claimed")[-1]["chosen"] == "the members voted for it (vote-001)"
    assert [event["agent"] for event in events(project, "assigned")] == ["bob"]
    for number, agent in enumerate(("bob", "ann"), 3):
        assert worker.client.ask("failed", "broken")[0] == "ok"
        assert worker.claim()[3:5] == [str(number), agent], "who has failed twice is another one's turn"
    assert worker.client.ask("failed", "broken") == ["ok", "failed"]
    assert finish(store) and store.end()[0] == 0
    outcome = json.loads((project.path / "logs/outcomes/outcome-001.json").read_text())
    assert outcome["reviewed_by"] == "none", "nobody has judged its work"
    assert [one["id"] for one in outcome["votes"]] == ["vote-001"]
    assert verify.verify(project.path, "main").findings == []


def test_without_a_quorum_it_is_by_rule_and_named_agents_are_no_matter_for_a_vote(place: Path) -> None:
    named = {"id": "u", "title": "Named", "agent": "cat", "priority": "critical", "max_attempts": 1}
    project = voted(place, {"id": "t", "title": "Do it"}, named)
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2:5] == ["u", "1", "cat"]
    assert worker.client.ask("failed", "broken") == ["ok", "failed"]
    now = Assignment(store, worker)
    told = now.answer(ann=approves("bob"), bob=124, cat=1)
    assert told[1:] == ["assigned", "by rule: no quorum: 1 of 3 members voted, 2 are needed"]
    assert worker.claim()[2:5] == ["t", "2", "ann"], "the first in order, by rule"
    store.kill()
    store = project.start()
    assert Worker(store).claim()[2:5] == ["t", "3", "ann"], "a run that was killed does not vote again"
    store.kill()


def test_a_vote_that_was_cut_off_is_held_anew_and_one_agent_needs_none(place: Path) -> None:
    project = voted(place)
    store = project.start()
    first = Assignment(store)
    assert first.vote == "vote-001"
    store.kill()
    store = project.start()
    second = Assignment(store)
    assert second.vote == "vote-002"
    store.kill()
    alone = asked(place / "other", {"id": "t", "title": "Do it"}, members=["ann"], assign="vote")
    store = alone.start()
    assert Worker(store).claim()[2:5] == ["t", "1", "ann"]
    store.kill()


def test_nobody_votes_on_who_does_a_task_where_nobody_is_left_to_choose_from(place: Path) -> None:
    project = voted(place)
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[1:5] == ["task", "t", "1", "committee"]
    pauses.change(project.path / ".git", lambda now: replace(now, agents=frozenset(MEMBERS)))
    log = project.folder / "LOGS/orchestrator.log"
    log.touch()
    Worker(store, "w2").client.send("claim")
    while "paused: the agents" not in log.read_text():
        time.sleep(0.05)
    tree = git(project.path, "rev-parse", f"{project.head}^{{tree}}")
    assert worker.client.ask("ask-open", project.head, tree) == ["ok", "waits", "for agents that can work"]
    assert [event["event"] for event in events(project, "released", "vote-opened")] == ["released"]
    store.kill()


def test_who_goes_on_from_kept_work_is_voted_on_too(place: Path) -> None:
    project = voted(place, {"id": "t", "title": "Do it", "from_attempt": 1})
    kept = project.commit_files(project.head, {"made.txt": b"half\n"}, "kept")
    git(project.path, "update-ref", "refs/orkestra/attempts/t/1", kept)
    store = project.start()
    now = Assignment(store)
    assert [event["mode"] for event in events(project, "claimed")] == ["ask"]
    assert now.answer(ann=approves("cat"), bob=approves("cat"), cat=1)[1] == "assigned"
    assert now.worker.claim()[4:7] == ["cat", "from", kept]
    store.kill()


def test_a_question_whose_members_are_too_few_says_what_is_wrong_with_the_others(place: Path) -> None:
    project = asked(place, question(members=["ann", "bob", "cat"]))
    for name in ("bob", "cat"):
        project.adapter(name, "echo it has gone >&2; exit 69", family=name, kind="ai", can=["ballot"])
    store = project.start()
    assert Worker(store).claim()[1] == "stop"
    code, said = store.control.ask("summary")[1:]
    assert code == "69" and "no agent for ask-1: bob: it has gone; cat: it has gone" in said
    store.kill()
    pauses.change(project.path / ".git", lambda now: replace(now, agents=frozenset(["ann"])))
    project.adapter("bob", family="bob", kind="ai", can=["ballot"])
    store = project.start()
    assert Worker(store).claim()[1] == "stop"
    code, said = store.control.ask("summary")[1:]
    assert code == "0" and "no agent" not in said and "paused: the agent ann" in said
    store.kill()
