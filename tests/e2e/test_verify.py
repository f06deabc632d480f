"""`orkestra verify` on a clone of what a real run wrote: it passes, and whatever a forger changes is named.

Where many places of a record are tried, the function behind the command is called; the command itself for
each kind of forgery at least once.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from forger import Forger, Record, path_of, recount, run_all
from orkestra_shim import canonical
from orkestra_shim.verify import verify
from world import Project, World

SEED = 20  # of the places that are tried
PLACES = 8  # in each record, besides its first and last byte


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Each kind of outcome: landed, landed once revised, or after a merge; answered, failed, for a person."""
    place = tmp_path_factory.mktemp("records") / "it's a plâce 日本"
    (place / "home").mkdir(parents=True)
    (place / "orkestra hôme").mkdir()
    world = World(place)
    try:
        yield run_all(world)
    finally:
        world.end()


@pytest.fixture
def forger(recorded: Project, tmp_path: Path) -> Forger:
    """A forger with a clone of its own, elsewhere."""
    clone = tmp_path / "a clône"
    recorded.git("clone", "--quiet", str(recorded.path), str(clone))
    return Forger(Project(recorded.world, clone))


def named(project: Project, branch: str = "main", since: str | None = None) -> list[str]:
    """The records that do not hold, in the order in which verify names them, each once."""
    return list(dict.fromkeys(name for name, _ in verify(project.path, branch, since).findings))


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What the command said does not hold."""
    mark = "does not hold: "
    return [line.removeprefix(mark) for line in done.stdout.splitlines() if line.startswith(mark)]


def refused(project: Project, first: str, *arguments: str) -> list[str]:
    """The command leaves with 1 and names `first` first; gives all that it says."""
    done = project.verify(*arguments)
    assert done.returncode == 1, done.stdout + done.stderr
    lines = said(done)
    assert lines[0].startswith(f"{first}: "), lines
    assert "Traceback" not in done.stderr
    return lines


# --- what holds ---------------------------------------------------------------------------------------------


def test_the_run_left_every_kind_of_record(recorded: Project) -> None:
    assert recorded.decided() == {
        "plain": "landed",
        "revised": "landed",
        "meets": "landed",
        "asks": "answered",
        "fails": "failed",
        "judges": "needs_human",
    }
    votes = {vote["id"]: vote for vote in recorded.votes()}
    outcomes = {outcome["task"]: outcome for outcome in recorded.outcomes()}
    assert [votes[entry["id"]]["decision"] for entry in outcomes["revised"]["votes"]] == ["revise", "approve"]
    # What `meets` was judged on is not what it landed on: the person's commit came between.
    subject = votes[outcomes["meets"]["votes"][-1]["id"]]["subject"]
    assert subject["base"] != outcomes["meets"]["change"]["base"]
    assert subject["patch_id"] == outcomes["meets"]["change"]["patch_id"]
    assert recorded.verify().returncode == 0


def test_a_clone_holds(forger: Forger) -> None:
    head = forger.project.git("rev-parse", "main")
    done = forger.project.verify("--since", head)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 outcomes, 4 votes" in done.stdout
    shown = json.loads(forger.project.verify("--json").stdout)
    assert shown["ok"] is True and shown["findings"] == [] and shown["counts"] == {"outcomes": 6, "votes": 4}


@pytest.mark.parametrize("setting", ["core.autocrlf=true", "core.quotePath=true", "diff.noprefix=true"])
def test_a_clone_with_settings_of_its_own_holds(recorded: Project, tmp_path: Path, setting: str) -> None:
    recorded.git("-c", setting, "clone", "--quiet", "-c", setting, str(recorded.path), str(tmp_path / "c"))
    assert verify(tmp_path / "c", "main").findings == []


def test_a_clone_on_another_branch_or_without_checkout_holds(recorded: Project, tmp_path: Path) -> None:
    recorded.git("clone", "--quiet", "--no-checkout", str(recorded.path), str(tmp_path / "c"))
    assert verify(tmp_path / "c", "main").counts == {"outcomes": 6, "votes": 4}
    recorded.git("clone", "--quiet", "--mirror", str(recorded.path), str(tmp_path / "m"))
    assert verify(tmp_path / "m", "main").findings == []


def test_a_shallow_clone_is_told_apart_from_a_forgery(recorded: Project, tmp_path: Path) -> None:
    clone = tmp_path / "c"
    recorded.git("clone", "--quiet", "--depth=1", f"file://{recorded.path}", str(clone))
    done = Project(recorded.world, clone).verify()
    assert done.returncode == 65 and "shallow" in done.stderr and "--unshallow" in done.stderr, done.stderr
    recorded.git("-C", str(clone), "fetch", "--quiet", "--unshallow")
    assert Project(recorded.world, clone).verify().returncode == 0


# --- any byte of any record ---------------------------------------------------------------------------------


def damaged(data: bytes) -> Iterator[bytes]:
    """The same with one byte changed, at several places; with a byte more, one less, and cut off."""
    dice = random.Random(SEED)
    for at in [0, len(data) - 1, *(dice.randrange(len(data)) for _ in range(PLACES))]:
        yield data[:at] + bytes([data[at] ^ dice.randrange(1, 256)]) + data[at + 1 :]
    at = dice.randrange(len(data))
    yield data[:at] + b" " + data[at:]
    yield data[:at] + data[at + 1 :]
    yield data[:at]
    yield b""


def test_any_byte_of_any_record_in_the_checkout(forger: Forger) -> None:
    for path in forger.paths():
        file, before = forger.project.path / path, forger.data(path)
        for data in damaged(before):
            file.write_bytes(data)
            assert named(forger.project) == [file.stem], (path, data)
        file.write_bytes(before)
    assert named(forger.project) == []


def test_any_byte_of_any_record_committed(forger: Forger) -> None:
    project = forger.project
    head = project.git("rev-parse", "main")
    for path in forger.paths():
        for data in list(damaged(forger.data(path)))[::3]:
            forger.commit({path: data})
            assert named(project)[0] == Path(path).stem, (path, data)
            project.git("reset", "--quiet", "--hard", head)


def test_any_byte_of_any_record_in_a_history_that_always_had_it(forger: Forger) -> None:
    """No commit shows the edit: only the hashes can."""
    for path in forger.paths():
        for data in damaged(forger.data(path)):
            forger.rewrite_history({path: data}, "forged")
            found = named(forger.project, "forged")
            assert found[0] == Path(path).stem, (path, data, found)
    assert forger.rewrite_history({}, "forged") == forger.project.git("rev-parse", "main")
    assert named(forger.project, "forged") == []


@pytest.mark.parametrize("committed", [False, True])
def test_the_command_names_the_record_with_a_changed_byte(forger: Forger, committed: bool) -> None:
    for name in ("vote-002", "outcome-004"):
        data = forger.data(path_of(name))
        changed = {path_of(name): data.replace(b'"task": "', b'"task": "x', 1)}
        if committed:
            forger.commit(changed)
        else:
            (forger.project.path / path_of(name)).write_bytes(changed[path_of(name)])
        refused(forger.project, name)
        shown = json.loads(forger.project.verify("--json").stdout)
        assert shown["ok"] is False and shown["findings"][0]["record"] == name
        forger.project.git("reset", "--quiet", "--hard", "origin/main")


# --- whole records ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vote-001", "vote-004", "outcome-001", "outcome-003", "outcome-006"])
def test_a_deleted_record(forger: Forger, name: str) -> None:
    project, path = forger.project, path_of(name)
    (project.path / path).unlink()
    assert named(project) == [name]
    forger.commit({})
    assert name in named(project)
    assert name in "".join(refused(project, named(project)[0]))


def test_the_last_records_are_taken_away_with_the_history(forger: Forger) -> None:
    """A branch put back to before the last records: the landing that lost its record is named."""
    pinned = forger.project.git("rev-parse", "main")
    change = forger.outcome_of("meets")["change"]["commit"]
    forger.project.git("reset", "--quiet", "--hard", change)
    assert refused(forger.project, "outcome-006") == [
        f"outcome-006: commit {change[:12]} says that it landed by it, and it is not there"
    ]
    # Put back to before the change as well nothing is left that could show it, but for the pinned commit.
    forger.project.git("reset", "--quiet", "--hard", f"{change}~1")
    assert forger.project.verify().returncode == 0
    lines = refused(forger.project, pinned, "--since", pinned)
    assert {line.split(":")[0] for line in lines[1:]} == {"vote-004", "outcome-006"}


def test_a_history_in_which_a_record_never_was(forger: Forger) -> None:
    line = rb"M 100644 \S+ logs/outcomes/outcome-003.json\n"
    forger.import_as(re.sub(line, b"", forger.export()), "forged")
    found = verify(forger.project.path, "forged").findings
    assert found[0][0] == "outcome-004" and "the chain is broken" in found[0][1]
    # With the chain mended the commit that recorded it still names it.
    del (records := forger.rehashed(leave_out="outcome-003"))[path_of("outcome-003")]
    forger.rewrite_history(records)
    forger.import_as(re.sub(line, b"", forger.export()), "forged")
    found = verify(forger.project.path, "forged").findings
    assert [name for name, _ in found] == ["outcome-003"] and "is not there" in found[0][1]


@pytest.mark.parametrize(("name", "new"), [("vote-003", "vote-009"), ("outcome-004", "outcome-007")])
def test_a_renamed_record(forger: Forger, name: str, new: str) -> None:
    forger.commit({path_of(new): forger.data(path_of(name))}, [path_of(name)])
    assert {name, new} <= set(named(forger.project))
    stream = forger.export().replace(path_of(name).encode(), path_of(new).encode())
    forger.import_as(stream, "forged")
    assert new in named(forger.project, "forged")


@pytest.mark.parametrize(("one", "other"), [("vote-001", "vote-003"), ("outcome-003", "outcome-004")])
def test_two_records_change_places(forger: Forger, one: str, other: str) -> None:
    swapped = {path_of(one): forger.data(path_of(other)), path_of(other): forger.data(path_of(one))}
    forger.commit(swapped)
    assert {one, other} <= set(named(forger.project))
    forger.project.git("reset", "--quiet", "--hard", "origin/main")
    forger.rewrite_history(swapped, "forged")
    assert {one, other} <= set(named(forger.project, "forged"))


def test_two_outcomes_change_places_with_their_names(forger: Forger) -> None:
    one, other = forger.record("outcome-003"), forger.record("outcome-004")
    one["id"], other["id"] = other["id"], one["id"]
    forger.rewrite_history(
        {path_of(record["id"]): canonical.pretty(record) for record in (one, other)}, "forged"
    )
    assert named(forger.project, "forged")[0] == "outcome-003"


def test_an_added_record(forger: Forger) -> None:
    project = forger.project
    copy = {path_of("outcome-007"): forger.data(path_of("outcome-001"))}
    (project.path / path_of("outcome-007")).write_bytes(copy[path_of("outcome-007")])
    assert named(project) == ["outcome-007"]  # not committed
    forger.commit(copy)
    refused(project, "outcome-007")


def test_an_added_outcome_needs_a_vote_on_what_landed(forger: Forger) -> None:
    """A forger lands a change by hand, with an outcome whose hashes all fit and the vote of another."""
    project = forger.project
    (project.path / "backdoor").write_text("open\n")
    project.git("add", "backdoor")
    project.git("commit", "--quiet", "-m", "backdoor\n\nOrkestra-Outcome: outcome-007")
    outcome = forger.outcome_of("meets")
    outcome |= {"id": "outcome-007", "task": "backdoor"}
    outcome["change"]["commit"] = project.git("rev-parse", "main")
    for votes in (outcome["votes"], []):
        outcome["votes"] = votes
        forged = forger.rehashed(outcome)
        forger.commit({path_of("outcome-007"): forged[path_of("outcome-007")]})
        assert "outcome-007" in named(project)
        project.git("reset", "--quiet", "--hard", "HEAD~1")


def test_what_is_no_record_in_their_folder(forger: Forger) -> None:
    forger.commit({"logs/outcomes/outcome-7.json": b"{}\n"})
    assert named(forger.project) == ["logs/outcomes/outcome-7.json"]


@pytest.mark.parametrize("name", ["vote-004", "outcome-006"])
def test_a_newer_format_is_refused_with_a_clear_word(forger: Forger, name: str) -> None:
    record = forger.record(name)
    record["format"] = record["format"].replace("/1", "/2")
    forger.rewrite_history(forger.rehashed(record))
    lines = refused(forger.project, name)
    assert "was written by a newer Orkestra" in lines[0]
    if name == "outcome-006":
        done = forger.project.start()
        assert done.returncode == 65 and "newer Orkestra" in done.stderr, done.stderr
        assert "upgrade" in done.stderr


# --- a forger who mends what hangs on it --------------------------------------------------------------------


def flip(vote: Record) -> None:
    """Every yes becomes a no."""
    for ballot in vote["ballots"]:
        if ballot["choice"] == "approve":
            ballot["choice"] = "reject"


def add_yes(vote: Record) -> None:
    """Who abstained approves."""
    for ballot in vote["ballots"]:
        if ballot["choice"] == "abstain":
            ballot["choice"] = "approve"


@pytest.mark.parametrize("name", ["vote-001", "vote-003", "vote-004"])
@pytest.mark.parametrize("change", [flip, add_yes])
def test_a_flipped_ballot_shows_in_the_tally_whatever_is_hashed_anew(
    forger: Forger, name: str, change: object
) -> None:
    vote = forger.record(name)
    assert callable(change)
    change(vote)
    forger.rewrite_history(forger.rehashed(vote))
    lines = refused(forger.project, name)
    assert all(line.startswith(f"{name}: its ") for line in lines), lines
    assert any("tally is not its ballots" in line for line in lines)


def test_a_flipped_vote_with_its_tally_did_not_approve_what_landed(forger: Forger) -> None:
    forger.rewrite_history(forger.rehashed(recount(forger.record("vote-004"), flip)))
    assert "without an approving vote" in refused(forger.project, "outcome-006")[0]


@pytest.mark.parametrize("name", ["vote-001", "vote-004"])
def test_a_consistent_rewrite_is_found_against_a_pinned_head_only(forger: Forger, name: str) -> None:
    project = forger.project
    pinned = project.git("rev-parse", "main")
    forger.rewrite_history(forger.rehashed(recount(forger.record(name), add_yes)))
    done = project.verify()
    assert done.returncode == 0, done.stdout  # an unsigned chain shows consistency, not authorship
    assert ("was rebased" in done.stdout) == (name == "vote-001")  # later changes got other names by it
    lines = refused(project, pinned, "--since", pinned)
    assert "the history was rewritten" in lines[0]
    assert any(line.startswith(f"{name}: ") and "differs from the pinned commit" in line for line in lines)


def test_a_consistent_rewrite_on_top_of_the_history_shows_as_an_edit(forger: Forger) -> None:
    forged = forger.rehashed(recount(forger.record("vote-004"), add_yes))
    forger.commit(forged)
    head = forger.project.git("rev-parse", "--short=12", "main")
    assert refused(forger.project, "outcome-006") == [
        f"{name}: {path_of(name)} was edited by commit {head}" for name in ("outcome-006", "vote-004")
    ]


def test_a_pinned_commit_that_is_not_here(forger: Forger) -> None:
    done = forger.project.verify("--since", "0" * 40)
    assert done.returncode == 65 and "there is no commit" in done.stderr


@pytest.mark.parametrize(
    ("part", "what"),
    [
        ("tree", "holds another tree"),
        ("base", "stands on another base"),
        ("diff_sha256", "the hash of its diff"),
        ("patch_id", "its patch id"),
        ("commit", "not in the branch's history"),
    ],
)
def test_an_outcome_is_bound_to_what_landed(forger: Forger, part: str, what: str) -> None:
    outcome = forger.outcome_of("meets")
    outcome["change"][part] = "0" * len(outcome["change"][part])
    if part == "commit":  # and its trailer is gone: a commit of that name would be found again
        stream = forger.export().replace(
            b"Orkestra-Outcome: outcome-006", b"Orkestra-Outcome: ".ljust(29, b"-")
        )
        forger.import_as(stream, "main")
    forger.rewrite_history(forger.rehashed(outcome))
    assert what in "".join(refused(forger.project, "outcome-006"))


def test_what_landed_is_replaced(forger: Forger) -> None:
    """The change commit itself is rewritten; its name, tree and diff are others then."""
    stream = forger.export()
    assert stream.count(b"data 2\nm\n") == 1
    forger.import_as(stream.replace(b"data 2\nm\n", b"data 5\nevil\n"), "main")
    assert "not the same change any more" in refused(forger.project, "outcome-006")[0]


# --- a person's Git -----------------------------------------------------------------------------------------


def test_a_revert_a_merge_and_a_rebase_by_a_person_are_no_forgeries(forger: Forger) -> None:
    project = forger.project
    project.git("config", "user.name", "A Person")
    project.git("config", "user.email", "p@example.org")
    project.git("revert", "--no-edit", forger.outcome_of("revised")["change"]["commit"])
    done = project.verify()
    assert done.returncode == 0 and "note: outcome-002: its change was reverted" in done.stdout, done.stdout

    early = project.git("rev-list", "--max-parents=0", "main")
    project.git("switch", "--quiet", "-c", "side", early)
    (project.path / "side.txt").write_text("side\n")
    project.git("add", "side.txt")
    project.git("commit", "--quiet", "-m", "side")
    project.git("switch", "--quiet", "main")
    before = project.git("rev-parse", "main")
    project.git("merge", "--quiet", "--no-edit", "side")
    assert project.verify().returncode == 0

    project.git("reset", "--quiet", "--hard", before)
    project.git("rebase", "--quiet", "side")
    done = project.verify()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("its change was rebased and is") == 3


def test_a_squash_by_a_person_is_said_and_leaves_the_tasks_completed(forger: Forger) -> None:
    project = forger.project
    before = project.statuses()
    project.git("reset", "--quiet", "--soft", project.git("rev-list", "--max-parents=0", "main"))
    project.git("commit", "--quiet", "-m", "everything in one")
    lines = refused(project, "outcome-001")
    assert [line.split(":")[0] for line in lines] == ["outcome-001", "outcome-002", "outcome-006"]
    assert all("squashed" in line for line in lines)
    assert project.statuses() == before
