"""Who votes on a change, and who is called into a vote that goes on, by programs in SCRIPTS/COMMITTEE."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from . import committee, files
from .agents import Agent

if TYPE_CHECKING:
    from .run import Run
    from .work import Work

_DIFF_LIMIT = 64 << 20  # bytes of a diff that are looked at to say who votes


class Electors:
    """Over a run."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def electorate(self, work: Work) -> dict[str, Any]:
        """Members, recused, quorum, weights, or what the vote has to wait for, as electorate.jq says."""
        return committee.electorate(self._question(work, [self._member(agent) for agent in self._able()]))

    def for_choice(self, work: Work) -> dict[str, Any]:
        """The same for a choice among candidates: all who can give a ballot now, or whom it has to wait for.

        Who made one of them votes on the others; programs sit where nobody else does.
        """
        agents = [self._member(agent) for agent in self._able()]
        there = [one for one in agents if not one.get("limited")]
        found = committee.electorate(
            {
                "author": {"member": "", "family": "", "model": ""},
                "reviewers": self.run.project.reviewers,
                "agents": there if self.run.project.reviewers == "auto" and there else agents,
                "programs": list(committee.PROGRAMS),
                "changed_lines": 0,
                "marked": False,
                "seats": len(agents),
            }
        )
        heads = [one for one in found["electorate"] if is_agent(one)]
        return {**found, "electorate": heads or found["electorate"]}

    def can_pass_marked(self, work: Work) -> bool:
        """Whether somebody may vote who may pass a change of what judges it: no program, another family.

        One that rests may, once it does not.
        """
        family = self.author(work)["family"]
        agents = [{**self._member(agent), "limited": False} for agent in self._able()]
        return any(
            entry["kind"] != "program" and entry["family"] != family
            for entry in committee.electorate(self._question(work, agents))["electorate"]
        )

    def _question(self, work: Work, agents: list[dict[str, Any]]) -> dict[str, Any]:
        diff = files.read_bounded(work.folder / "diff.patch", _DIFF_LIMIT) or b""
        return {
            "author": {**self.author(work), "model": self.run.agents.get(work.agent).model},
            "reviewers": self.run.project.reviewers,
            "agents": agents,
            "programs": list(committee.PROGRAMS),
            "changed_lines": committee.changed_lines(diff),
            "marked": any(gate["marked"] for gate in work.gates),
        }

    def _member(self, agent: Agent) -> dict[str, Any]:
        told = {"member": agent.name, "family": agent.family, "kind": agent.kind}
        told |= {"model": agent.model} if agent.model else {}
        return {**told, "limited": True} if self.run.resting.rests(agent.name) else told

    def author(self, work: Work) -> dict[str, str]:
        """Whose work is judged, as a vote's record names it."""
        return {"member": work.agent, "family": self.run.agents.get(work.agent).family}

    def _able(self) -> list[Agent]:
        """The agents that the project names and that can give a ballot now."""
        project = self.run.project
        named = project.reviewers if isinstance(project.reviewers, list) else []
        agents = [
            self.run.agents.get(name)
            for name in dict.fromkeys([*project.agents, *named])
            if name not in committee.PROGRAMS
        ]
        return [one for one in agents if not one.problem and "ballot" in one.can and one.kind == "ai"]

    # --- while a vote goes on ------------------------------------------------------------------------------

    def more(
        self, work: Work, vote: dict[str, Any], unheard: list[str], turned: Collection[str] = ()
    ) -> list[dict[str, Any]]:
        """Whom this vote needs besides: who stands in, a second one after a reject, or somebody once more.

        They sit already. `unheard`: who was asked and gave no ballot, for whatever reason; `turned`: of those
        who cannot be asked again now, since their tool or their account does not work.
        """
        auto, called = self.run.project.reviewers == "auto", []
        for entry in [one for one in vote["electorate"] if one["member"] in unheard and is_agent(one)]:
            member = entry["member"]
            other = self._stand_in(work, vote, entry) if auto else None
            if other is not None:
                self._leaves(work, vote, member, other["member"])
                committee.seat(vote, other)
                called.append(other)
                work.second = other["member"] if work.second == member else work.second
            elif member not in turned and self._once_more(work, vote, member):
                self._leaves(work, vote, member, member)
                committee.seat(vote, entry)
                called.append(entry)
        if called or not auto:
            return called
        if any(one["member"] == work.second for one in work.absent):  # the first one's reject stands
            self._leaves(work, vote, work.second)
            vote.pop("tie", None)
        elif not work.second and not work.absent and len(vote["electorate"]) == 1 == len(work.cast):
            heard = committee.close_vote(vote, work.cast, [])
            if heard["decision"] == "reject" and is_agent(vote["electorate"][0]):
                other = self._stand_in(work, vote, None)
                if other is not None:
                    committee.seat(vote, other)
                    work.second, vote["tie"] = other["member"], "person"
                    return [other]
        return []

    def _once_more(self, work: Work, vote: dict[str, Any], member: str) -> bool:
        """Whether a member whose answer was none is asked again: once, where nothing is decided without it.

        Not a second one after a reject: without it that reject stands.
        """
        if member == work.second or any(one["member"] == member for one in vote.get("replaced", [])):
            return False
        heard = committee.close_vote(vote, work.cast, work.absent)
        return heard["decision"] == "no-quorum" and not self.run.purse.refuses_review(work, [member])

    def _leaves(self, work: Work, vote: dict[str, Any], member: str, by: str = "") -> None:
        why = next((one["why"] for one in work.absent if one["member"] == member), "")
        work.absent = [one for one in work.absent if one["member"] != member]
        committee.unseat(vote, member, self.run.redact(why), by)

    def _stand_in(
        self, work: Work, vote: dict[str, Any], instead_of: dict[str, Any] | None
    ) -> dict[str, Any] | None:
        gone = [one["member"] for one in vote.get("replaced", [])]
        sitting = [one for one in vote["electorate"] if one != instead_of]
        other = committee.stand_in(
            {
                "author": self.author(work),
                "agents": [self._member(agent) for agent in self._able()],
                "asked": [*gone, *(one["member"] for one in vote["electorate"])],
                "families": [one["family"] for one in sitting],
                "instead_of": instead_of,
            }
        )
        affordable = other is not None and not self.run.purse.refuses_review(work, [other["member"]])
        return other if affordable else None


def is_agent(entry: dict[str, Any]) -> bool:
    """Whether a member of a vote is no program."""
    return bool(entry["kind"] != "program")
