"""SCRIPTS/AGENTS/adapters/claude.jq over what the real tool printed (tests/fixtures/claude, recorded)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import jq

FRAMEWORK = Path(__file__).resolve().parents[2]
PROGRAM = FRAMEWORK / "SCRIPTS" / "AGENTS" / "adapters" / "claude.jq"
RECORDED = FRAMEWORK / "tests" / "fixtures" / "claude"

# Recorded output: exit code of the adapter contract, kind of error, start of the error.
EXPECTED = {
    "ok": (0, None, None),
    "ok-single-json": (0, None, None),
    "unauthorized": (77, "login", "Invalid API key"),
    "unauthorized-single-json": (77, "login", "Invalid API key"),
    "rate-limit": (75, "limited", "API Error: Request rejected (429)"),
    "rate-limit-retry-after": (75, "limited", "API Error: Request rejected (429)"),
    "subscription-limit": (75, "limited", "You've hit your session limit"),
    "model-limit": (75, "limited", "You've hit your Opus limit"),
    "included-limit": (75, "limited", "You've hit your Fable 5 limit"),
    "quota": (75, "limited", "Credit balance is too low"),
    "overloaded": (75, "limited", "API Error: 529 Overloaded"),
    "server-error": (1, "failed", "API Error: 500"),
    "dropped-stream": (1, "failed", "API Error: Connection to the API was lost"),
    "connection-lost": (1, "failed", "API Error: Unable to connect"),
    "prompt-too-long": (1, "failed", "Prompt is too long"),
    "max-turns": (1, "failed", "error_max_turns: Reached maximum number of turns"),
    "terminated": (1, "failed", "it ended (exit 143) without a result"),
    "empty-success": (0, None, None),
    "prose": (0, None, None),
    "denied-tools": (0, None, None),
    "ballot": (0, None, None),
    "ballot-as-text": (0, None, None),
    # Version 2.1.330; the others are 2.1.197.
    "ok-new": (0, None, None),
    "unauthorized-new": (77, "login", "Invalid API key"),
    # Without a status: by its words alone.
    "empty-login-new": (77, "login", "Not logged in"),
    "rate-limit-new": (75, "limited", "API Error: Request rejected (429)"),
    "rate-limit-retry-after-new": (75, "limited", "API Error: Request rejected (429)"),
    "subscription-limit-new": (75, "limited", "You've hit your 5-hour limit"),
    "model-limit-new": (75, "limited", "You've hit your Opus limit"),
    "included-limit-new": (75, "limited", "You've hit your Fable limit"),
    "quota-new": (75, "limited", "Credit balance is too low"),
    "overloaded-new": (75, "limited", "API Error: 529 Overloaded"),
    "server-error-new": (1, "failed", "API Error: 500"),
    "dropped-stream-new": (1, "failed", "API Error: Connection to the API was lost"),
    "connection-lost-new": (1, "failed", "API Error: Connection dropped"),
    "prompt-too-long-new": (1, "failed", "Prompt is too long"),
    "max-turns-new": (1, "failed", "error_max_turns: Reached maximum number of turns"),
    "terminated-new": (1, "failed", "it ended (exit 143) without a result"),
    "empty-success-new": (0, None, None),
    "prose-new": (0, None, None),
    "ballot-new": (0, None, None),
    "ballot-as-text-new": (0, None, None),
}


def verdict(stdout: Any, code: int = 0, stderr: str = "") -> Any:
    return jq.run(PROGRAM, {"exit": code, "stdout": stdout, "stderr": stderr})


def recorded(name: str) -> Any:
    with (RECORDED / f"{name}.json").open(encoding="utf-8") as file:
        said = json.load(file)
    return verdict(said["stdout"], said["exit"], said["stderr"])


def result(**fields: Any) -> str:
    return json.dumps({"type": "result", "subtype": "success", "is_error": False, **fields}) + "\n"


def limit_event(status: str, resets: Any = 1795424191) -> str:
    return (
        json.dumps({"type": "rate_limit_event", "rate_limit_info": {"status": status, "resetsAt": resets}})
        + "\n"
    )


def test_every_recording_is_judged() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_recorded_output(name: str) -> None:
    code, kind, error = EXPECTED[name]
    found = recorded(name)
    assert (found["exit"], found["error_kind"]) == (code, kind)
    assert found["error"] is None if error is None else found["error"].startswith(error)
    assert (found["retry_at"] is not None) == (error or "").startswith("You've hit your")
    assert all(type(value) is int for value in found["usage"].values())
    # What ended without a result says nothing of its cost, which is not the same as nothing.
    assert (found["cost_usd_micros"] is None) == (error is not None and error.endswith("without a result"))


@pytest.mark.parametrize(("name", "micros"), [("ok", 46570), ("ok-new", 54624)])
def test_what_a_good_run_gives(name: str, micros: int) -> None:
    found = recorded(name)
    assert found["text"] == "All written."
    assert found["usage"]["input"] > 0 < found["usage"]["output"]
    assert found["cost_usd_micros"] == micros
    assert len(found["session"]) == 36
    assert found["model"].startswith("claude-")


@pytest.mark.parametrize("version", ["", "-new"])
def test_ballot_only_by_schema(version: str) -> None:
    assert recorded(f"ballot{version}")["ballot"] == {"choice": "approve", "reason": "fine", "confidence": 80}
    assert recorded(f"ballot-as-text{version}")["ballot"] is None


def test_denied_tools_are_counted() -> None:
    assert recorded("denied-tools")["denials"] == 2


def test_reset_time_comes_from_the_tools_event() -> None:
    assert recorded("subscription-limit")["retry_at"] == 1795424191
    assert recorded("subscription-limit-new")["retry_at"] == 1795464214
    said = limit_event("rejected", 1795424191000) + result(
        is_error=True, api_error_status=429, result="API Error"
    )
    assert verdict(said, 1)["retry_at"] == 1795424191
    assert (
        verdict(result(is_error=True, result="Claude AI usage limit reached|1795424191"), 1)["retry_at"]
        == 1795424191
    )


@pytest.mark.parametrize("status", ["allowed", "allowed_warning"])
def test_a_warning_is_no_limit(status: str) -> None:
    assert verdict(limit_event(status), 1)["error_kind"] == "failed"
    assert verdict(limit_event(status) + result(result="done"))["error"] is None


@pytest.mark.parametrize("status", ["rejected", "denied"])
def test_a_rejection_counts_unless_the_run_went_on(status: str) -> None:
    assert verdict(limit_event(status), 1)["error_kind"] == "limited"
    assert verdict(limit_event(status) + result(result="done"))["error"] is None
    assert verdict(limit_event(status) + result(subtype="error_max_turns"), 1)["error_kind"] == "failed"


@pytest.mark.parametrize(
    ("kind", "of"),
    [("five_hour", "account"), ("seven_day_opus", "model"), ("seven_day_sonnet", "model"), (7, None)],
)
def test_of_what_a_limit_is(kind: object, of: str | None) -> None:
    said = limit_event("rejected").replace('"rejected"', f'"rejected", "rateLimitType": {json.dumps(kind)}')
    assert verdict(said, 1)["limit_of"] == of
    assert verdict(said + result(result="done"))["limit_of"] is None


@pytest.mark.parametrize("version", ["", "-new"])
@pytest.mark.parametrize(
    ("name", "of"), [("subscription-limit", "account"), ("model-limit", "model"), ("included-limit", "model")]
)
def test_of_what_a_recorded_limit_is(name: str, of: str, version: str) -> None:
    assert recorded(name + version)["limit_of"] == of


PROSE = "rate limit, usage limit, 401 Unauthorized, API Error: 429, error, You've hit your limit"


def test_prose_is_never_a_verdict() -> None:
    talk = json.dumps({"type": "assistant", "message": {"content": [{"type": "text", "text": PROSE}]}}) + "\n"
    assert verdict(talk + result(result=PROSE))["error"] is None
    assert verdict(talk, 1, "something else broke\n")["error_kind"] == "failed"
    # An error of another kind that quotes such words somewhere in its text.
    assert verdict(result(is_error=True, result=f"Tool failed: {PROSE}"), 1)["error_kind"] == "failed"


def test_exit_zero_is_not_success() -> None:
    assert verdict("", 0)["exit"] == 65
    assert verdict("half a line {", 0)["exit"] == 65
    assert verdict(result(is_error=True, api_error_status=401, result="x"), 0)["exit"] == 77
    assert verdict(result(subtype="error_during_execution"), 0)["exit"] == 1


def test_exit_one_after_a_result_is_no_success() -> None:
    assert verdict(result(result="All done"), 1)["exit"] == 1


@pytest.mark.parametrize(
    "stdout",
    [
        None,
        [],
        {},
        7,
        "null\n[]\n7\n",
        '{"type": "result"}',
        '{"type": "result", "usage": null, "errors": "x"}',
        '{"type": "result", "is_error": true, "result": {"a": 1}, "usage": {"input_tokens": -1}}',
        '{"type": "rate_limit_event", "rate_limit_info": "rejected"}',
        '{"type": "rate_limit_event"}',
        '{"type": "result", "modelUsage": [], "permission_denials": "x", "total_cost_usd": "free"}',
        '{"type": "result", "subtype": 5, "api_error_status": "401", "result": 7}',
        "{" * 500,
    ],
)
def test_hostile_output_gives_a_verdict(stdout: Any) -> None:
    for code in (0, 1, 143):
        found = verdict(stdout, code)
        assert found["exit"] in (0, 1, 65, 75, 77)
        assert (found["error"] is None) == (found["exit"] == 0)


def test_a_long_error_is_cut() -> None:
    assert len(verdict(result(is_error=True, result="x" * 5000), 1)["error"]) < 2100
