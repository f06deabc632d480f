"""`orkestra vote cast`: work that waits for a person lands, or fails, by that person's vote."""

from __future__ import annotations

from world import World

REASON = ("--reason", "it is meant so")


def test_a_persons_vote_decides_and_a_known_key_stays_out(world: World) -> None:
    tasks = [
        {"id": "yes", "command": "echo Be kind. >AGENTS.md"},
        {"id": "no", "command": "mkdir -p tests && echo x >tests/x"},
        {"id": "keyed", "command": "mkdir -p tests && printf '%s%s\\n' later-a- key-5d3c91 >tests/y"},
        {"id": "plain", "command": "echo x >x.txt"},
    ]
    project = world.new("cast", tasks)
    assert project.start().returncode == 1
    assert set(project.statuses().values()) == {"needs_human", "completed"}
    shown = world.orkestra("status").stdout
    assert "your vote      yes: orkestra task show yes, then: orkestra vote cast yes approve|reject" in shown
    assert "your vote      plain" not in shown

    refused = world.orkestra("vote", "cast", "yes", "approve", *REASON)
    assert refused.returncode == 64 and "Git does not know who you are" in refused.stderr
    project.git("config", "user.name", "Ann")
    project.git("config", "user.email", "ann@example.org")
    refused = world.orkestra("vote", "cast", "plain", "approve", *REASON)
    assert refused.returncode == 64 and "does not wait for a vote" in refused.stderr
    for name, choice in (("yes", "approve"), ("no", "reject"), ("keyed", "approve")):
        cast = world.orkestra("vote", "cast", name, choice, *REASON)
        assert cast.returncode == 0 and "Ann votes to" in cast.stdout, cast.stderr
    keys = world.home / "CONFIG/api-keys.env"
    keys.write_text("NEW_KEY=later-a-key-5d3c91\n")
    keys.chmod(0o600)
    done = project.start()
    assert done.returncode == 1, done.stdout + done.stderr
    assert project.statuses() == {
        "yes": "completed", "no": "failed", "keyed": "needs_human", "plain": "completed",
    }  # fmt: skip
    assert project.file("AGENTS.md") == "Be kind.\n" and project.file("tests/y") is None
    last = {outcome["task"]: outcome for outcome in project.outcomes()}
    assert (last["yes"]["reviewed_by"], last["no"]["reviewed_by"]) == ("person", "person")
    assert "no vote passes that" in last["keyed"]["why"] and "asks" not in last["keyed"]
    by_task = {vote["task"]: vote for vote in project.votes()}
    assert by_task["yes"]["overrules"]["gates"] == ["protected"]
    assert [one["member"] for one in by_task["no"]["ballots"]] == ["Ann <ann@example.org>"]
    assert "ballot" not in str(project.file("config/task-queue.json"))
    assert project.verify().returncode == 0
    told = world.orkestra("vote", "show", "yes")
    assert told.returncode == 0 and "Ann <ann@example.org>" in told.stdout
    assert "Ann" in world.orkestra("blame", "AGENTS.md:1").stdout
