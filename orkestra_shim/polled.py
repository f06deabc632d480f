"""Votes on options as a person reads them: what was decided, who said what and why, how it was counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from . import ranking, tallied
from .text import printable

Record = dict[str, Any]
Member = Callable[[Record], str]
Quoted = Callable[[object, str], Iterator[str]]


def said(ballot: Record) -> str:
    """What a ballot says, by name: `SQLite > Postgres = wait`; `A, B`; `yes`."""
    if ranking.CHOICE in ballot:
        return str(ballot[ranking.CHOICE])
    if ranking.APPROVE in ballot:
        return ", ".join(map(tallied.name, ballot[ranking.APPROVE])) or "none of them"
    tiers = [" = ".join(map(tallied.name, tier)) for tier in ballot[ranking.RANKING]]
    return " > ".join(tiers) or "all of them alike"


def options(vote: Record, quoted: Quoted) -> Iterator[str]:
    """What could be voted for, and who proposed it."""
    proposers: dict[str, list[str]] = {}
    for one in vote.get("proposals", []):
        for option in one.get("options", []):
            proposers.setdefault(str(option).casefold(), []).append(str(one["member"]))
    for one in vote.get("lists", []):
        proposers[str(one["option"]).casefold()] = [str(member) for member in one["members"]]
    texts = vote.get("texts") or {}
    authors = {one["option"]: one["author"]["member"] for one in vote.get("candidates", [])}
    for option in vote["options"]:
        by = ", ".join(proposers.get(option.casefold(), []))
        made = f", made by {authors[option]}" if option in authors else ""
        more = ", which any other has to beat" if option == vote.get("default") else ""
        told = f"  option: {tallied.name(option)}{made}{more}"
        yield printable(told + (f" (proposed by {by})" if by else ""))
        if option in texts:
            yield from quoted(texts[option], "      ")
    for one in vote.get("out", []):
        yield printable(f"  out: attempt {one['attempt']}, made by {one['author']['member']}: {one['why']}")
    for one in vote.get("unproposed", []):
        yield printable(f"  {one['member']} proposed nothing: {one['why']}")


def ballots(vote: Record, member: Member, quoted: Quoted) -> Iterator[str]:
    """Who voted what and why; of a discussion what each had said before it."""
    known = {entry["member"]: entry for entry in vote["electorate"]}
    before = {one["member"]: one for one in vote.get("before", [])}
    kept = {one["member"]: one["why"] for one in vote.get("unchanged", [])}
    for one in vote["ballots"]:
        name, first = one["member"], before.get(one["member"], one)
        own = (vote.get("left_out") or {}).get(name, [])
        asked = f" (not asked about {', '.join(own)}, its own)" if own else ""
        changed = f" (before the discussion: {said(first)})" if said(first) != said(one) else ""
        yield printable(f"  {member(known[name])}: {said(one)}{asked}{changed}, {one['confidence']} % sure")
        yield from quoted(one["reason"], "      ")
        if first["reason"] != one["reason"]:
            yield "    before the discussion:"
            yield from quoted(first["reason"], "      ")
        if name in kept:
            yield printable(f"    gave no second ballot: {kept[name]}")
    for one in vote["absent"]:
        yield printable(f"  {member(known[one['member']])}: absent")
        yield from quoted(one["why"], "      ")
    for name in vote["recused"]:
        yield printable(f"  {name}: recused")


def count(vote: Record) -> Iterator[str]:
    """How it was counted."""
    yield from (f"  {line}" for line in tallied.lines(vote["tally"]))
