"""The store, asked over its pipes as a worker asks it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orkestra_shim.verify import verify
from store_client import APPROVE, Project, Store, Worker, finish, git


def wait_for(event: Callable[[], bool]) -> None:
    """The store looks at the queue file once a second; the test's own bound ends what never comes."""
    while not event():
        time.sleep(0.05)


def task(name: str, **fields: object) -> dict[str, object]:
    return {"id": name, "title": f"Do {name}", "agent": "shell", "command": "true", **fields}


def test_two_tasks_land_in_order_and_the_next_start_has_nothing_to_do(tmp_path: Path) -> None:
    project = Project(tmp_path, [task("b", depends_on=["a"]), task("a", check="test -s new.txt")])
    store = project.start()
    assert store.control.ask("plan") == ["ok", "1", "2", "0", "0"]
    worker = Worker(store)
    assert worker.claim() == ["ok", "task", "a", "1", "shell", "fresh", "", "shell"]
    assert (worker.ticket / "exchange/command").read_text() == "true"
    assert (worker.ticket / "check").read_text() == "test -s new.txt"
    assert worker.whole({"new.txt": b"x\n"}) == "outcome-001"
    assert worker.claim()[2] == "b"
    assert worker.whole({"b.txt": b"x\n"}) == "outcome-002"
    assert worker.claim()[:2] == ["ok", "stop"]
    assert finish(store) == 1
    code, text = store.control.ask("summary")[1:]
    assert code == "0" and "2 completed" in text
    assert store.end() == (0, "")
    queue = json.loads((project.path / "config/task-queue.json").read_text())
    assert [one["status"] for one in queue["tasks"]] == ["completed", "completed"]
    second = json.loads(git(project.path, "show", "main:logs/outcomes/outcome-002.json"))
    first = json.loads(git(project.path, "show", "main:logs/outcomes/outcome-001.json"))
    assert second["previous"] == first["sha256"] and first["previous"] is None
    assert first["evidence"][0]["tree"] == first["change"]["tree"] and first["reviewed_by"] == "programs"

    store = project.start()
    assert store.control.ask("plan") == ["ok", "0", "0", "0", "0"]
    assert finish(store) == 0
    assert store.end() == (0, "")


def one(place: Path, *tasks: dict[str, object], **settings: object) -> Project:
    return Project(place / "p", list(tasks) or [task("a")], **settings)


def begin(worker: Worker) -> None:
    """Claim and work, up to the taken change."""
    assert worker.claim()[1] == "task"
    assert worker.client.ask("base", worker.project.head)[0] == "ok"
    assert worker.client.ask("worked", "0", "1.5") == ["ok", "done"]


def test_three_failed_attempts_give_a_task_up_and_each_hears_why(place: Path) -> None:
    project = one(place, task("a", check="false"))
    store = project.start()
    worker = Worker(store)
    for number in (1, 2, 3):
        begin(worker)
        assert worker.number == str(number)
        prompt = (worker.attempt / "prompt.md").read_text()
        assert ("the check failed" in prompt) == (number > 1) and ("assert 7" in prompt) == (number > 1)
        worker.change({"x.txt": b"x"})
        (worker.attempt / "check.log").write_text("assert 7 == 8\n")
        assert worker.client.ask("checked", "1", "2", worker.tree) == ["ok"]
        assert worker.client.ask("failed", "the check failed (exit 1)") == [
            "ok",
            "again" if number < 3 else "failed",
        ]
    assert worker.claim()[1] == "stop"
    assert finish(store) == 4  # the outcome, the queue, and two times .gitattributes
    code, text = store.control.ask("summary")[1:]
    assert code == "1" and "a failed: the check failed (exit 1) (attempt 3 of 3)" in text
    assert store.end() == (0, "")
    outcome = json.loads(git(project.path, "show", "main:logs/outcomes/outcome-001.json"))
    assert (outcome["decision"], outcome["attempt"], outcome["evidence"][0]["exit"]) == ("failed", 3, 1)
    # A person puts it back to work: it counts anew, and the tries go on.
    project.write_queue([task("a", check="false", reopened="outcome-001")])
    store = project.start()
    worker = Worker(store)
    assert worker.claim()[2:4] == ["a", "4"]
    assert worker.client.ask("failed", "again")[1] == "again"
    store.kill()


@pytest.mark.parametrize(
    ("exit_code", "result", "reply", "word"),
    [
        ("0", None, "done", ""),
        ("1", None, "failed", "exit 1"),
        ("124", None, "failed", "timed out"),
        ("65", None, "failed", "cannot be read"),
        ("0", {"error": "it broke"}, "failed", "it broke"),
        ("0", "no json", "failed", "not readable"),
        ("0", {"error": None, "text": "fine"}, "done", ""),
        ("69", {"error": "no key"}, "unavailable", "no key"),
        ("77", None, "unavailable", "not logged in"),
        ("75", {"error": "slow down", "retry_at": 1}, "limited", "slow down"),
    ],
)
def test_the_verdict_on_work_comes_from_exit_and_output(
    place: Path, exit_code: str, result: object, reply: str, word: str
) -> None:
    store = one(place).start()
    worker = Worker(store)
    worker.claim()
    if result is not None:
        (worker.attempt / "result.json").write_text(result if isinstance(result, str) else json.dumps(result))
    told = worker.client.ask("worked", exit_code, "1", str(place))
    assert told[:2] == ["ok", reply] and word in told[-1]
    store.kill()


def test_a_limited_agent_rests_and_the_run_says_until_when(place: Path) -> None:
    project = one(place)
    store = project.start(ORKESTRA_WAIT="0")
    worker = Worker(store)
    worker.claim()
    until = int(time.time()) + 3600
    (worker.attempt / "result.json").write_text(json.dumps({"error": "limit", "retry_at": until}))
    assert worker.client.ask("worked", "75", "1")[:3] == ["ok", "limited", str(until)]
    assert worker.claim()[1] == "stop"
    code, text = store.control.ask("summary")[1:]
    assert code == "75" and "next_run_at" in text
    assert store.end() == (0, "")
    store = project.start(ORKESTRA_WAIT="0")  # the next start remembers
    assert Worker(store).claim()[1] == "stop"
    assert store.control.ask("summary")[1] == "75"
    store.kill()


def test_a_revision_is_no_attempt_and_its_second_version_lands(place: Path) -> None:
    project = one(place, task("a", max_attempts=1))
    store = project.start()
    worker = Worker(store)
    begin(worker)
    worker.change({"x.txt": b"no newline"})
    assert worker.judge() == ["ok", "pass"]
    ballots = (("lint", 10, "no newline at the end"), ("size", 0, ""), ("tidy", 0, ""))
    assert worker.vote(*ballots) == ["ok", "revise", "2", "base"]
    worker.number = "2"
    assert "no newline at the end" in (worker.ticket / "exchange/feedback.md").read_text()
    assert worker.client.ask("worked", "0", "1") == ["ok", "done"]
    worker.change({"x.txt": b"newline\n"})
    assert worker.judge() == ["ok", "pass"]
    assert worker.vote(("lint", 10, "still"), ("size", 0, ""), ("tidy", 0, "")) == ["ok", "approve"]
    worker.land()
    finish(store)
    assert store.end() == (0, "")
    outcome = json.loads(git(project.path, "show", "main:logs/outcomes/outcome-001.json"))
    assert [vote["id"] for vote in outcome["votes"]] == ["vote-001", "vote-002"] and outcome["attempt"] == 2
    vote = json.loads(git(project.path, "show", "main:logs/voting/vote-002.json"))
    assert vote["round"] == 2 and vote["ballots"][0]["choice"] == "revise" and vote["decision"] == "approve"
    assert verify(project.path, "main").findings == []


def test_a_rejection_counts_and_no_quorum_asks_a_person(place: Path) -> None:
    store = one(place, task("a"), task("b")).start()
    worker = Worker(store)
    begin(worker)
    worker.change({"x.txt": b"x"})
    worker.judge()
    reply = worker.vote(("lint", 11, "wrong"), ("size", 11, "huge"), ("tidy", 0, ""))
    assert reply[1] == "reject" and "huge" in reply[2]
    assert worker.client.ask("failed", reply[2]) == ["ok", "again"]
    begin(worker)
    assert (worker.task, worker.number) == ("a", "2")
    assert "- reject: wrong" in (worker.attempt / "prompt.md").read_text()
    worker.change({"x.txt": b"x"})
    worker.judge()
    reply = worker.vote(("lint", 0, ""), ("size", 99, "broke"))
    assert reply[1] == "person" and "no quorum" in reply[2] and "tidy: gave no ballot" in reply[2]
    assert worker.claim()[2] == "b"
    store.kill()


@pytest.mark.parametrize(
    ("table", "reply", "word"),
    [
        ("scope\trefuse\tout/x.txt\n", "refused", "scope: out/x.txt"),
        ("", "refused", "could not decide"),
        ("scope\tpass\t\nprotected\tmark\tAGENTS.md\n", "person", "AGENTS.md"),
    ],
)
def test_gates(place: Path, table: str, reply: str, word: str) -> None:
    store = one(place).start()
    worker = Worker(store)
    begin(worker)
    worker.change({"x.txt": b"x"})
    told = worker.judge(gates=table)
    assert told[1] == reply and word in told[2]
    if reply == "refused":
        assert worker.client.ask("failed", "x") == ["ok", "again"]
    else:
        assert worker.claim()[1] == "stop" and store.control.ask("summary")[1] == "1"
    store.kill()


def test_a_marked_change_may_pass_with_an_ai_of_another_family(place: Path) -> None:
    project = one(place, agents=["bot"])
    project.adapter(
        "bot",
        probe="printf 'binary\\t/bin/bot\\n'",
        family="acme",
        kind="ai",
        can=["work", "ballot"],
        env=["BOT_KEY"],
    )
    (project.config / "api-keys.env").write_text("BOT_KEY=sk-${HOME}-12345678\nOTHER=secret-of-another\n")
    store = project.start()
    assert "sk-${HOME}-12345678" in (project.runtime / "secrets").read_text()
    worker = Worker(store)
    begin(worker)
    assert (worker.ticket / "env").read_bytes() == b""
    worker.change({"AGENTS.md": b"obey sk-${HOME}-12345678\n"})
    assert worker.judge(gates="protected\tmark\tAGENTS.md\n") == ["ok", "pass"]
    opened = worker.client.ask("vote-open", worker.base, worker.tree, worker.patch)
    folder = Path(opened[3])
    ticket = worker.ticket / "ballots/bot"
    assert (folder / "electorate").read_bytes() == f"bot\tagent\t{ticket}\0".encode()
    assert (ticket / "env").read_bytes() == b"BOT_KEY=sk-${HOME}-12345678\0"
    prompt = (ticket / "exchange/prompt.md").read_text()
    assert (folder / "bot/prompt.md").read_text() == prompt
    assert "[redacted]" in prompt and "12345678" not in prompt and prompt.count("\nQUOTE-") == 4
    (folder / "ballots.tsv").write_text("bot\t0\t\n")
    (folder / "bot/out").mkdir()
    ballot = {"choice": "approve", "reason": "good", "confidence": 80}
    (folder / "bot/out/result.json").write_text(json.dumps({"text": json.dumps(ballot)}))
    assert worker.client.ask("vote-close", opened[2]) == ["ok", "approve"]
    assert not ticket.exists()
    assert not [one for one in folder.rglob("*") if one.is_file() and b"12345678" in one.read_bytes()]
    worker.land()
    finish(store)
    assert store.end() == (0, "")
    outcome = json.loads(git(project.path, "show", "main:logs/outcomes/outcome-001.json"))
    assert outcome["reviewed_by"] == "other family"
    assert verify(project.path, "main").findings == []


def test_changing_nothing(place: Path) -> None:
    project = one(place, task("a"), task("b", allow_empty=True))
    store = project.start()
    worker = Worker(store)
    begin(worker)
    tree = git(project.path, "rev-parse", "main^{tree}")
    assert worker.client.ask("taken", tree, "0") == ["ok", "failed", "the agent changed nothing"]
    assert worker.client.ask("failed", "the agent changed nothing") == ["ok", "again"]
    worker2 = Worker(store, "w2")
    assert worker.claim()[2] == "a" and worker2.claim()[2] == "b"
    assert worker2.client.ask("taken", tree, "0") == ["ok", "empty-allowed"]
    assert worker2.client.ask("checked", "0", "0", tree) == ["ok"]
    assert worker2.client.ask("settled") == ["ok"]
    begin_again = worker.client.ask("released", "told to stop")
    assert begin_again == ["ok"]
    begin(worker)
    worker.change({"x.txt": b"x"})
    worker.judge()
    assert worker.vote(*APPROVE) == ["ok", "approve"]
    assert worker.land() == "outcome-001"  # and carries the other's outcome
    outcome = json.loads(git(project.path, "show", "main:logs/outcomes/outcome-002.json"))
    assert (outcome["task"], outcome["decision"]) == ("b", "answered")
    finish(store)
    assert store.control.ask("summary")[1] == "0"
    assert store.end() == (0, "")
    assert verify(project.path, "main").findings == []


def test_conflicts_are_no_attempts_and_the_third_asks_a_person(place: Path) -> None:
    store = one(place, task("a", max_attempts=1)).start()
    worker = Worker(store)
    for number in (1, 2, 3):
        begin(worker)
        worker.change({"x.txt": b"x%d" % number})
        if number > 1:
            assert b"x%d" % (number - 1) in (worker.ticket / "exchange/previous.patch").read_bytes()
        told = worker.client.ask("conflict", "in conflict: a.txt")
        assert told[:2] == ["ok", "again" if number < 3 else "person"]
    assert worker.claim()[1] == "stop" and store.control.ask("summary")[1] == "1"
    store.kill()


def test_a_moved_branch_keeps_the_vote_while_the_patch_is_the_same(place: Path) -> None:
    project = one(place)
    store = project.start()
    worker = Worker(store)
    begin(worker)
    worker.change({"x.txt": b"x\n"})
    worker.judge()
    assert worker.vote(*APPROVE) == ["ok", "approve"]
    person = project.commit_files(project.head, {"person.txt": b"p\n"}, "a person's commit")
    git(project.path, "update-ref", "refs/heads/main", person)
    worker.change({"x.txt": b"x\n"})
    worker.judge()
    assert worker.vote() == ["ok", "stands", "vote-001"]
    worker.land()
    git(project.path, "reset", "-q", "--hard")
    assert verify(project.path, "main").findings == []
    assert store.end() == (0, "")


@pytest.mark.parametrize("gone", [False, True], ids=["held", "its worker is gone"])
def test_a_number_that_two_drew_one_after_the_other_is_the_seconds(place: Path, gone: bool) -> None:
    project = one(place, task("a"), task("b"), task("c"))
    store = project.start()
    first, second = Worker(store), Worker(store, "w2")
    for worker, path in ((first, "a.txt"), (second, "b.txt")):
        worker.claim()
        worker.client.ask("base", project.head)
        worker.client.ask("worked", "0", "1", str(worker.ticket))
        worker.change({path: b"x"})
        worker.client.ask("taken", worker.tree, "1")
        worker.judge()
        assert worker.vote(*APPROVE) == ["ok", "approve"]
    head = project.head
    outcome = first.client.ask("draw")[1]
    assert first.client.ask("record", outcome, "-", head, first.tree, first.patch, "1")[1] == "commit"
    # Its turn is over, with the branch where it was; the other one has it now.
    assert second.client.ask("draw")[1] == outcome
    new = second.record(outcome)
    if gone:
        first.client.close()
        wait_for(lambda: any(one["event"] == "interrupted" for one in project.journal()))
    else:
        kept = git(project.path, "commit-tree", first.tree, "-p", head, "-m", "kept")
        assert first.client.ask("held", kept, "a.txt") == ["ok"]
    assert second.client.ask("landed", outcome, new) == ["ok"]
    told = [
        (one["task"], one["outcome"]) for one in project.journal() if one["event"] in ("landed", "recorded")
    ]
    assert told == [("b", outcome)]
    assert second.claim()[1] == "task" and second.whole({"c.txt": b"x"}) != outcome
    store.kill()


def test_held_work_waits_is_tried_once_more_and_resumes_from_its_commit(place: Path) -> None:
    project = one(place, task("a"), task("b"))
    store = project.start()
    worker = Worker(store)
    begin(worker)
    worker.change({"a.txt": b"two\n"})
    kept = project.commit_files(project.head, {"a.txt": b"two\n"}, "kept")
    assert worker.client.ask("held", kept, "a.txt") == ["ok"]
    assert worker.claim()[2] == "b"
    assert worker.client.ask("failed", "x") == ["ok", "again"]
    assert worker.claim()[2:4] == ["b", "2"]
    worker.client.ask("failed", "x")
    worker.claim()
    assert worker.client.ask("failed", "x") == ["ok", "failed"]
    assert worker.claim()[2:7] == ["a", "2", "shell", "resume", kept]
    assert worker.client.ask("held", kept, "a.txt\nb.txt") == ["ok"]
    assert worker.claim()[1] == "stop"
    finish(store)
    code, text = store.control.ask("summary")[1:]
    assert code == "1" and "a waits: a.txt, b.txt" in text
    assert store.end() == (0, "")
    store = project.start()
    assert Worker(store).claim()[5:7] == ["resume", kept]
    store.kill()


def test_a_claim_waits_for_what_another_worker_unlocks(place: Path) -> None:
    project = one(place, task("a"), task("b", depends_on=["a"]))
    store = project.start()
    first, second = Worker(store, "w1"), Worker(store, "w2")
    assert first.claim()[2] == "a"
    second.client.send("claim")
    first.whole({"x.txt": b"x"})
    assert second.client.receive()[2] == "b"
    store.kill()


def test_a_worker_that_dies_gives_its_task_back(place: Path) -> None:
    project = one(place)
    store = project.start()
    first, second = Worker(store, "w1"), Worker(store, "w2")
    first.claim()
    second.client.send("claim")
    first.client.close()
    assert second.client.receive()[2:4] == ["a", "2"]
    again = Worker(store, "w2")  # replaces the one that holds it now
    assert again.claim()[2:4] == ["a", "3"]
    assert [event["event"] for event in project.journal()].count("interrupted") == 2
    store.kill()


def test_a_landing_of_a_worker_that_dies_before_saying_so_counts(place: Path) -> None:
    project = one(place, task("a"), task("b"))
    store = project.start()
    worker = Worker(store)
    begin(worker)
    worker.change({"x.txt": b"x\n"})
    worker.judge()
    worker.vote(*APPROVE)
    outcome = worker.client.ask("draw")[1]
    worker.record(outcome)
    worker.client.close()
    other = Worker(store, "w2")
    assert other.claim()[2] == "b"
    assert other.whole({"y.txt": b"y\n"}) == "outcome-002"
    finish(store)
    assert store.control.ask("summary")[1] == "0"
    assert store.end() == (0, "")
    assert verify(project.path, "main").findings == []


@pytest.mark.parametrize("landed", [False, True])
def test_a_killed_store_loses_nothing_and_does_nothing_twice(place: Path, landed: bool) -> None:
    project = one(place, task("a", max_attempts=2), task("b"))
    store = project.start()
    worker = Worker(store)
    worker.claim()
    assert worker.client.ask("failed", "first") == ["ok", "again"]
    if landed:
        worker.claim()
        worker.whole({"x.txt": b"x\n"})
    store.kill()
    with open(project.path / "logs/execution/task-execution.log", "ab") as log:
        log.write(b'{"event":"half')
    git(project.path, "reset", "-q", "--hard")
    store = project.start()
    assert store.control.ask("plan")[1:3] == (["1", "1"] if landed else ["2", "2"])
    worker = Worker(store)
    reply = worker.claim()
    assert reply[2:4] == (["b", "1"] if landed else ["a", "2"])
    if not landed:
        assert worker.client.ask("failed", "second") == ["ok", "failed"]
    assert all(event["event"] for event in project.journal())
    store.kill()


def test_a_failure_that_no_record_holds_yet_survives_a_kill(place: Path) -> None:
    project = one(place, task("a", max_attempts=1))
    store = project.start()
    worker = Worker(store)
    worker.claim()
    assert worker.client.ask("failed", "no") == ["ok", "failed"]
    store.kill()
    store = project.start()
    assert store.control.ask("plan")[1:3] == ["0", "0"]
    assert finish(store) == 4
    store.kill()
    store = project.start()
    assert finish(store) == 0
    store.kill()


def test_hand_edits_are_taken_in_or_refused_with_the_place(place: Path) -> None:
    project = one(place, task("a"))
    store = project.start(ORKESTRA_STAY="1")
    worker = Worker(store)
    assert worker.claim()[2] == "a"
    project.write_queue([task("a", title="new title"), task("b", priority="critical")])
    second = Worker(store, "w2")
    assert second.claim()[2] == "b"
    third = Worker(store, "w3")
    third.client.send("claim")
    project.write_text('{"tasks": [\n{"id": "A"}]}')
    problem = project.runtime / "queue-problem"
    wait_for(problem.exists)
    assert "config/task-queue.json:2:8: task 'A'" in problem.read_text()
    assert finish(store) == 0  # the person's version is not written over
    project.write_queue([task("c"), task("b", priority="critical")])  # a is out of sight, not deleted
    assert third.client.receive()[2] == "c"
    assert not problem.exists()
    assert worker.client.ask("failed", "x") == ["ok", "again"]
    assert worker.claim()[2] == "a"
    store.kill()


def test_a_file_of_another_branch_is_not_taken_in(place: Path) -> None:
    project = one(place, task("a"))
    store = project.start()
    git(project.path, "checkout", "-q", "-b", "other")
    project.write_queue([task("z", priority="critical")])
    assert Worker(store).claim()[2] == "a"
    store.kill()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\t",
        b"nonsense",
        b"1",
        b"2\tclaim\textra",
        b"2\tunknown",
        b"2\tworked\tx\t1",
        b"2\tworked",
        b"\xff\xfe",
        b"2\tbase\t$(id)",
        b"2\tlanded\toutcome-001\t" + b"0" * 40,
        b"2\trecord\ta\tb\tc\td\te\tf",
        b"2\tfailed\t\\q",
        b"2\tvote-close\t../../x",
        b"2\tdraw\tx",
        b"9" * 40 + b"\tclaim",
        b"x" * 200_000,
        b"2\tvote-open\ta\tb\tc",
    ],
    ids=lambda line: ascii(line[:24]),  # the name of a test is in the environment of what it starts
)
def test_hostile_lines_get_an_error_and_the_store_lives(place: Path, line: bytes) -> None:
    store = one(place).start()
    worker = Worker(store)
    worker.claim()
    worker.client.req.write(line + b"\n")
    answer = worker.client.rep.readline().split(b"\t")
    assert answer[1] == b"err"
    assert worker.client.ask("released", "x") == ["ok"]
    assert store.end() == (0, "")


def test_a_client_that_never_reads_blocks_nobody(place: Path) -> None:
    store = one(place).start()
    deaf, worker = Worker(store, "w1"), Worker(store, "w2")
    for _ in range(3000):
        deaf.client.req.write(b"1\tunknown-verb-that-is-refused\n")
    assert worker.claim()[2] == "a"
    assert store.end() == (0, "")


def test_signals_and_the_death_of_the_orchestrator_end_it(place: Path) -> None:
    project = one(place)
    store = project.start()
    Worker(store).claim()
    store.process.terminate()
    assert store.failure() == (0, "")
    assert project.journal()[-1]["event"] == "interrupted"
    store = project.start()
    Worker(store).client.send("claim")
    store.control.close()
    assert store.failure() == (0, "")


SETTINGS = (
    '{"format": "orkestra.project/1", "id": "0123456789ab", "name": "a", "branch": "main", "agents": []}'
)


@pytest.mark.parametrize(
    ("file", "content", "code", "word"),
    [
        ("config/task-queue.json", "{", 65, "config/task-queue.json:1:2"),
        ("config/project.json", "[]", 65, "object"),
        ("config/project.json", SETTINGS.replace("[]", '"x"'), 65, "agents"),
        ("logs/execution", None, 73, "is not a folder"),
    ],
)
def test_what_is_wrong_at_the_start_is_told_in_a_line(
    place: Path, file: str, content: str | None, code: int, word: str
) -> None:
    project = one(place)
    if content is None:
        (project.path / "logs").mkdir()
        (project.path / file).symlink_to(place)
    else:
        (project.path / file).write_text(content)
    store = project.start(ORKESTRA_DEBUG="0")
    assert not store.ready
    status, err = store.failure()
    assert status == code and word in err and "Traceback" not in err and err.count("\n") <= 2


def test_a_newer_record_is_refused(place: Path) -> None:
    project = one(place)
    folder = project.path / "logs/outcomes"
    folder.mkdir(parents=True)
    (folder / "outcome-001.json").write_text('{"format": "orkestra.outcome/2", "id": "outcome-001"}')
    git(project.path, "add", "-A")
    git(project.path, "commit", "-qm", "newer")
    store = project.start()
    status, err = store.failure()
    assert status == 65 and "newer Orkestra" in err


def test_no_agent_can_work(place: Path) -> None:
    project = one(place, {"id": "a", "agent": "bot"}, {"id": "b"})
    project.adapter(
        "bot", probe="echo 'bot is not installed' >&2; exit 69", family="acme", kind="ai", can=["work"]
    )
    store = project.start()
    assert Worker(store).claim()[1] == "stop"
    code, text = store.control.ask("summary")[1:]
    assert code == "69" and "bot: bot is not installed" in text
    store.kill()


def test_only_takes_the_named_task_and_what_it_waits_for(place: Path) -> None:
    store = one(place, task("x", priority="critical"), task("a"), task("b", depends_on=["a"])).start(
        ORKESTRA_ONLY="b"
    )
    assert store.control.ask("plan")[1] == "1"
    worker = Worker(store)
    assert worker.claim()[2] == "a"
    worker.whole({"x.txt": b"x"})
    assert worker.claim()[2] == "b"
    worker.whole({"y.txt": b"x"})
    assert worker.claim()[1] == "stop" and store.control.ask("summary")[1] == "0"
    store.kill()


def test_a_fast_check_and_programs_that_vote_are_quick_once_that_is_known(place: Path) -> None:
    checks = {"a": "true", "b": "make", "c": "make", "d": "true", "e": "new"}
    project = one(place, *(task(name, check=check) for name, check in checks.items()))
    store = project.start()
    worker = Worker(store)
    told = []
    for name, seconds in (("a", "1"), ("b", "2"), ("c", "1"), ("d", "1"), ("e", "1")):
        assert worker.claim()[2] == name
        worker.client.ask("base", project.head)
        worker.client.ask("worked", "0", "1", str(worker.ticket))
        worker.change({f"{name}.txt": b"x\n"})
        told.append(worker.client.ask("taken", worker.tree, "1")[1:])
        worker.judge()
        worker.client.ask("checked", "0", seconds, worker.tree)
        worker.vote(*APPROVE)
        worker.land()
    # Nothing is known yet; like the others; was slow; was fast; not like all of the others.
    assert told == [["changed"], ["changed", "quick"], ["changed"], ["changed", "quick"], ["changed"]]
    store.kill()


def test_where_the_user_signs_the_store_leaves_both_commits_to_the_worker(place: Path) -> None:
    project = one(place, task("a"))
    store = project.start(ORKESTRA_SIGN="1")
    worker = Worker(store)
    begin(worker)
    worker.change({"x.txt": b"x\n"})
    worker.judge()
    worker.vote(*APPROVE)
    outcome, message, way, head = worker.client.ask("draw")[1:]
    assert way == "branch" and head == project.head
    change = git(project.path, "commit-tree", worker.tree, "-p", head, "-F", message)
    kind, tree, text = worker.client.ask("record", outcome, change, head, worker.tree, worker.patch, "1")[1:]
    assert kind == "tree"
    recorded = json.loads(git(project.path, "show", f"{tree}:logs/outcomes/{outcome}.json"))
    assert recorded["change"]["commit"] == change
    new = git(project.path, "commit-tree", tree, "-p", change, "-F", text)
    git(project.path, "update-ref", "refs/heads/main", new, head)
    assert worker.client.ask("landed", outcome, new) == ["ok"]
    assert finish_signed(store) == 0
    assert store.end() == (0, "")
    assert verify(project.path, "main").findings == []


def finish_signed(store: Store) -> int:
    """The orchestrator's part where the user signs; the exit code of a summary after it."""
    head, kind, tree, text = store.control.ask("finish")[1:]
    assert kind == "tree"
    new = git(store.project.path, "commit-tree", tree, "-p", head, "-F", text)
    git(store.project.path, "update-ref", "refs/heads/main", new, head)
    git(store.project.path, "reset", "-q", "--hard", new)
    assert store.control.ask("recorded", new) == ["ok"]
    return int(store.control.ask("summary")[1])
