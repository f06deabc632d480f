"""orkestra schema: one for each --json, each says something, all of it is true of the code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from described import jsonschema, problems
from orkestra_shim import board, cli, committee, records, report, shapes, tally, tasks, timeline
from orkestra_shim.cli import main

Schema = dict[str, Any]
OUTPUT = sorted(name for name, path in shapes.files().items() if path.parent.name == "output")
DRAFT = "https://json-schema.org/draft/2020-12"
SAYS = {"type", "enum", "const", "$ref", "anyOf", "allOf"}


def commands(command: click.Command, name: str = "") -> Iterator[str]:
    """Those with --json, as their schemas are called."""
    if any("--json" in parameter.opts for parameter in command.params):
        yield name
    if isinstance(command, click.Group):
        for word, one in command.commands.items():
            yield from commands(one, f"{name}-{word}".lstrip("-"))


def parts(schema: Any) -> Iterator[Schema]:
    """Every object in a schema."""
    for one in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts(one)
    if isinstance(schema, dict):
        yield schema


def raw(name: str) -> Schema:
    """The file as it stands."""
    read: Schema = json.loads(shapes.files()[name].read_text("utf-8"))
    return read


def test_every_command_has_one_and_none_is_left_over() -> None:
    wanted = {*commands(cli.orkestra), "status-since"}
    assert len(wanted) > 15 and wanted <= set(OUTPUT)
    referred = {part["$ref"] for name in OUTPUT for part in parts(raw(name)) if "$ref" in part}
    rest = {f"orkestra:{name}/1" for name in set(OUTPUT) - wanted}
    assert rest <= referred


@pytest.mark.parametrize("name", shapes.files())
def test_it_stands_alone(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", name]) == 0
    told = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(told)
    assert (told["$id"], told["$schema"]) == (f"orkestra:{name}/1", f"{DRAFT}/schema") and told["title"]
    known = {told["$id"], *told.get("$defs", {})}
    for part in parts(told):
        reference = part.get("$ref", "#")
        assert isinstance(reference, dict) or reference.startswith("#") or reference.split("#")[0] in known


@pytest.mark.parametrize("name", OUTPUT)
def test_it_says_something_of_every_key_and_allows_more(name: str) -> None:
    for part in parts(raw(name)):
        assert part.get("additionalProperties") is not False and part.get("unevaluatedProperties") is None
        properties = part.get("properties", {})
        assert set(part.get("required", ())) <= properties.keys() or name == "list"
        for key, one in properties.items():
            assert one.keys() & SAYS and one["description"], key
            assert one.get("type") != "object" or "properties" in one or "additionalProperties" in one, key
            assert one.get("type") != "array" or one["items"], key


def test_its_closed_sets_are_those_of_the_code() -> None:
    row = raw("task-row")["properties"]
    assert tuple(row["state"]["enum"]) == board.ORDER and tuple(row["status"]["enum"]) == tasks.STATUSES
    assert set(row["priority"]["enum"]) == set(tasks.PRIORITIES)
    assert set(raw("counts")["properties"]) == set(board.ORDER)
    assert set(raw("outcome")["properties"]["decision"]["enum"]) == set(records.STATUS)
    ballot = raw("vote")["properties"]["ballots"]["items"]["properties"]
    assert tuple(ballot["choice"]["enum"]) == committee.CHOICES
    assert set(raw("vote-tally")["$defs"]["options"]["properties"]["method"]["enum"]) == set(tally.METHODS)
    told = raw("report")["properties"]
    assert told["schema"]["const"] == report.SCHEMA
    assert set(told["tasks"]["items"]["properties"]["seconds"]["properties"]) == set(timeline.STAGES)
    assert set(raw("task-queue")["$defs"]["task"]["properties"]) == {*tasks.CHECKS, "source"}


SCORES = [{"scores": {"A": 5, "B": 5}}, {"scores": {"C": 2}}]
RANKS = [
    {"ranking": [["A"], ["B"], ["C"]], "count": 2},
    {"ranking": [["B"], ["C"], ["A"]], "count": 2},
    {"ranking": [["C"], ["A"], ["B"]], "count": 2},
    {"ranking": [["A", "B"]]},
]
MOTION: Schema = {"ballots": [{"choice": "yes"}, {"choice": "no", "count": 3}]}
OPTIONS: Schema = {"candidates": ["A", "B", "C"]}
RANKED: Schema = {**OPTIONS, "ballots": RANKS}


@pytest.mark.parametrize(
    "profile",
    [
        MOTION,
        {**MOTION, "members": 9, "quorum": 8},
        *({**RANKED, "method": method} for method in ("schulze", "irv", "borda", "copeland")),
        *({**RANKED, "method": method, "seed": "s"} for method in ("irv", "ranked-pairs", "minimax")),
        *({**OPTIONS, "ballots": SCORES, "method": method} for method in ("score", "star")),
        {**OPTIONS, "ballots": [{"approve": ["A", "B"]}], "members": 2, "quorum": 2},
        {**OPTIONS, "ballots": [{"choice": "A"}, {"choice": "abstain"}]},
        {**RANKED, "default": "C", "default_quorum": 9, "majority": {"A": "3:1"}},
    ],
)
def test_a_vote_that_was_counted(place: Path, capsys: pytest.CaptureFixture[str], profile: Schema) -> None:
    Path("profile.json").write_text(json.dumps(profile), encoding="utf-8")
    assert main(["vote", "tally", "profile.json", "--json"]) == 0
    assert problems(shapes.schema("vote-tally"), json.loads(capsys.readouterr().out)) == []


def test_a_list_of_them_and_a_name_that_is_none(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == list(shapes.files())
    assert all(len(line) <= 100 for line in listed)
    assert main(["schema", "../setup"]) == 64
    assert capsys.readouterr().err == (
        "orkestra: there is no schema '../setup'\n  orkestra schema lists them\n"
    )


def test_what_holds_a_value_against_a_schema_finds_both_kinds_of_fault() -> None:
    spent = dict.fromkeys(raw("spent")["properties"], 0)
    today: Schema = {"today": spent, "project": {**spent, "tokens": -1, "more": 1}}
    whole = shapes.schema("status")
    schema = {**whole["properties"]["spent"], "$id": "x", "$defs": whole["$defs"]}
    found = problems(schema, {**today, "day": {}})
    assert found == [
        "$.project.tokens: -1 is less than the minimum of 0",
        "$.day: is not described",
        "$.project.more: is not described",
    ]
