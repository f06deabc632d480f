"""vote: what was voted on, and the tally of any vote."""

from __future__ import annotations

import click

from orkestra_shim.commands import Group, as_json, say, say_json, session, with_project


@click.group(cls=Group)
def vote() -> None:
    """What was voted on, by whom and why; and the tally of any vote."""


@vote.command()
@click.argument("file")
@click.option("--method", metavar="M", help="How several options are counted (see above).")
@click.option("--rule", metavar="R", help='When a motion passes: majority, unanimity, "supermajority 2/3".')
@click.option("--of", metavar="BASE", help="Of what: cast (yes and no, the default), present, members.")
@click.option("--seed", metavar="TEXT", help="For the lot that breaks a tie.")
@as_json
def tally(
    file: str, method: str | None, rule: str | None, of: str | None, seed: str | None, as_json: bool
) -> None:
    """Count the votes in FILE (- for stdin), exactly.

    FILE is a profile in JSON, PrefLib's text (soc, soi, toc, toi) or BLT with one seat. A profile:

    \b
    {"candidates": ["A", "B", "C"],
     "ballots": [
      {"ranking": [["A"], ["B", "C"]], "count": 42},   who is left out is below
      {"approve": ["A", "B"]},                         a set
      {"scores": {"A": 5}},                            whole numbers, else 0
      {"choice": "A"}, {"choice": "abstain"}]}         one option; a blank ballot
    A motion has no candidates; yes, no or abstain (approve, revise, reject):
    {"ballots": [{"choice": "yes"}, {"choice": "no", "count": 3}]}

    Methods: schulze, plurality, approval, score, star, borda, irv, copeland, minimax, ranked-pairs.
    Without one: schulze for rankings, score for scores, approval and plurality for their ballots.

    \b
    Also in a profile, all optional:
      method, rule, of, seed   as the options
      members                  their number, or their names
      quorum                   heads that must be present (6/10 of the members)
      weights                  {"member": 1000}, for ballots with a "member"; or
                               "weight" in a ballot. 1000 is one vote, and all
                               numbers are in thousandths of a vote then
      default                  an option that each other one has to beat
      majority                 by which ratio: {"A": "3:1"} (Debian's rule)
      default_quorum           by how many voters
      evidence, person         what breaks a tie before the lot: {"A": 2}; the
                               option of the person
      left_out                 in a ranking: options on which this ballot says
                               nothing, pair by pair

    What is no ballot (an unknown or repeated option, a negative or broken count, numbers that cannot
    be counted exactly, more than 100 options) is exit 65 and says which. Counted, exit 0: "outcome"
    is elected, tie or no-quorum (no ballots at all: no quorum; all of them blank: a tie of all); for
    a motion adopted, rejected or no-quorum. A tie on a motion fails; one without a yes does too.
    """
    from orkestra_shim import tallied
    from orkestra_shim import tally as counting
    from orkestra_shim.profilefile import load

    result = counting.tally(load(file), method, rule, of, seed)
    if as_json:
        say_json(result)
    else:
        for line in tallied.lines(result):
            say(line)


@vote.command(name="list")
@with_project
@as_json
@click.option("--task", "task", metavar="TASK", help="Only those on this task.")
def vote_list(wanted: str | None, as_json: bool, task: str | None) -> None:
    """List the votes that were held, oldest first."""
    from orkestra_shim import board, voted
    from orkestra_shim.plumbing import Git

    found = session().find(wanted)
    held = voted.read(found.path, Git(board.git_folder(found)), found.branch)
    rows = [one.row() for one in held if task in (None, one.record.get("task"))]
    if as_json:
        say_json(rows)
        return
    width = max((len(str(row["task"])) for row in rows), default=0)
    for row in rows:
        say(voted.line(row, width))
    if not rows:
        say("no votes" if task is None else f"no votes on {task!r}")


@vote.command()
@click.argument("name", metavar="ID|TASK")
@with_project
@as_json
def show(name: str, wanted: str | None, as_json: bool) -> None:
    """Show a vote, or all on a task, newest first: why it was decided so, who voted what and why, how it
    was counted.

    orkestra schema vote-show has the shape of what --json prints.
    """
    from orkestra_shim import board, voted
    from orkestra_shim.plumbing import Git

    found = session().find(wanted)
    held = voted.read(found.path, Git(board.git_folder(found)), found.branch)
    chosen = voted.about(held, name)
    if as_json:
        say_json([one.as_dict() for one in chosen])
        return
    for number, one in enumerate(chosen):
        for line in [*([""] if number else []), *voted.lines(one)]:
            say(line)


@vote.command()
@click.argument("task", metavar="TASK")
@click.argument("choice", type=click.Choice(["approve", "reject"]))
@click.option("--reason", required=True, help="Why; it stands in the record.")
@with_project
def cast(task: str, choice: str, reason: str, wanted: str | None) -> None:
    """Vote on work that waits for a person: refused by nobody else, or not accepted by its reviewers.

    Its check and its gates are run again; with `approve` it lands, with `reject` the task has failed. Your
    name and address are Git's. The record says what you overruled.
    """
    from orkestra_shim import board, changes, editing, journal, onetask, repo
    from orkestra_shim.errors import EX_USAGE, OrkestraError
    from orkestra_shim.plumbing import DIFF, Git
    from orkestra_shim.text import clean, printable

    now = session()
    found = now.find(wanted)
    seen = board.read(now, found)
    outcome = onetask.asking(seen, task)
    reason = clean(reason).strip()
    if not reason or len(reason) > 4000:
        raise OrkestraError(
            EX_USAGE, f"a reason has 1 to 4000 characters, not {len(reason)}", "--reason TEXT"
        )
    editing.need_no_key(reason, "the reason")
    git, number = Git(board.git_folder(found)), int(outcome["attempt"])
    kept = git.commit(f"refs/orkestra/attempts/{task}/{number}")
    if kept is None:
        raise OrkestraError(
            EX_USAGE,
            f"the work of {task}, try {number}, is not kept here",
            f"orkestra task retry {task} does it again",
        )
    diff = git.run("diff-tree", *DIFF, f"{kept}^1", kept)
    name, email = repo.identity(repo.config(found.path, "user.name", "user.email"))
    if (name, email) == repo.NOBODY:
        raise OrkestraError(
            EX_USAGE,
            "Git does not know who you are",
            "git config --global user.name NAME && git config --global user.email ADDRESS",
        )
    ballot = {
        "attempt": number,
        "agent": str(outcome["agent"]),
        "patch_id": changes.patch_ids([diff])[0],
        "choice": choice,
        "reason": reason,
        "name": name,
        "email": email,
        "cast_at": journal.now(),
    }
    editing.cast(found, task, outcome if "id" in outcome else None, ballot)
    takes = "the run that goes on takes it in" if seen.run else "orkestra start takes it from here"
    say(f"{printable(name)} votes to {choice} the work on {task}; {takes}")
