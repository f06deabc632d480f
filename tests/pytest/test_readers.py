"""The adapters' readers over what the real tools printed (tests/fixtures/agents/TOOL, recorded)."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from orkestra_shim import jq

FRAMEWORK = Path(__file__).resolve().parents[2]
ADAPTERS = FRAMEWORK / "SCRIPTS" / "AGENTS" / "adapters"
RECORDED = FRAMEWORK / "tests" / "fixtures" / "agents"

# Recorded output: exit code of the adapter contract, and the start of the error.
EXPECTED: dict[str, dict[str, tuple[int, str | None]]] = {
    "codex": {
        "ok": (0, None),
        "auth": (77, "unexpected status 401 Unauthorized: Incorrect API key"),
        "rate": (75, "exceeded retry limit, last status: 429"),
        "streamed-rate": (75, "rate limit exceeded: Rate limit reached"),
        "usage": (75, "You’ve hit your usage limit"),
        "quota": (75, "Quota exceeded."),
        "overloaded": (75, "Selected model is at capacity."),
        # It says the same of a server's error 500.
        "server": (75, "We’re currently experiencing high demand"),
        "long": (1, "Codex ran out of room"),
        "drop": (1, "stream disconnected before completion"),
        "cut": (1, "stream disconnected before completion"),
        "empty": (0, None),
        "prose": (0, None),
        "ballot": (0, None),
        # Version 0.98; the others are 0.169.
        "ok-old": (0, None),
        "auth-old": (77, "unexpected status 401 Unauthorized: Incorrect API key"),
        "rate-old": (75, "exceeded retry limit, last status: 429"),
        "usage-old": (75, "You've hit your usage limit"),
    },
    "gemini": {
        "ok": (0, None),
        "auth": (77, "API key not valid."),
        "rate": (75, "it gave up: You exceeded your current quota"),
        "usage": (75, "You have exhausted your daily quota on this model."),
        "quota": (75, "You have exhausted your daily quota on this model."),
        "overloaded": (75, "it gave up: The model is overloaded."),
        "server": (1, "it gave up: An internal error has occurred."),
        "long": (1, "The input token count (1200000) exceeds"),
        "drop": (1, "terminated"),
        "cut": (1, "exception TypeError: fetch failed"),
        # Both say exit 0.
        "empty": (1, "The model returned an empty response"),
        "streamed-rate": (1, "Model stream ended without a finish reason."),
        "prose": (0, None),
        "ballot-in-prose": (0, None),
        # Version 0.38; the others are 0.61.
        "ok-old": (0, None),
        "rate-old": (75, "it gave up: You exceeded your current quota"),
    },
    "llm": {
        "ballot": (0, None),
        "ballot-in-prose": (0, None),
        "auth": (77, "Error code: 401 - Incorrect API key"),
        "rate": (75, "Error code: 429 - Rate limit reached"),
        "quota": (75, "Error code: 429 - You exceeded your current quota"),
        "overloaded": (75, "Error code: 503"),
        "server": (1, "Error code: 500"),
        "drop": (1, "Connection error."),
        "empty": (1, "it gave no answer"),
    },
    "opencode": {
        "ok": (0, None),
        "auth": (77, "Incorrect API key"),
        "auth-later": (77, "Incorrect API key"),
        # Ended since it would go on trying: its own log says why.
        "rate": (75, "Rate limit reached"),
        "streamed-rate": (75, "Rate limit reached"),
        "usage": (75, "The usage limit has been reached"),
        "quota": (75, "You exceeded your current quota"),
        "overloaded": (75, "Our servers are currently overloaded."),
        "server": (1, "The server had an error"),
        "long": (1, "Your input exceeds the context window"),
        "drop": (1, "Cannot connect to API: The socket connection was closed"),
        "cut": (1, "Cannot connect to API: The socket connection was closed"),
        "empty": (0, None),
        "prose": (0, None),
        "ballot": (0, None),
        "ballot-in-prose": (0, None),
    },
    "qwen": {
        # Exit 0 and "success", all but what had to be ended since it would go on trying (130).
        "ok": (0, None),
        "auth": (77, "401 Incorrect API key"),
        "auth-later": (77, "401 Incorrect API key"),
        "rate": (75, "429 Rate limit reached"),
        "streamed-rate": (75, "Rate limit reached"),
        "usage": (75, "429 The usage limit has been reached"),
        "quota": (75, "429 You exceeded your current quota"),
        "overloaded": (75, "503 Our servers are currently overloaded."),
        "server": (1, "500 The server had an error"),
        "long": (1, "400 Your input exceeds the context window"),
        "drop": (1, "terminated (cause: other side closed)"),
        "cut": (1, "Connection error."),
        "empty": (1, "Model stream ended with empty response text."),
        "prose": (0, None),
        # The model's own words end like an error.
        "quoting": (0, None),
        "ballot": (0, None),
        "no-answer": (1, "Model produced plain text instead"),
        # Version 0.12, whose log tells less; the others are 0.15.
        "ok-old": (0, None),
        "auth-old": (77, "401 Incorrect API key"),
        "rate-old": (75, "429 Rate limit reached"),
        "drop-old": (1, "terminated"),
        "empty-old": (1, "Model stream ended with empty response text."),
        # Version 0.24, in which an error is one.
        "ok-new": (0, None),
        "auth-new": (77, "401 Incorrect API key"),
        "rate-new": (75, "429 Rate limit reached"),
        "drop-new": (1, "terminated (cause: UND_ERR_SOCKET"),
        "ballot-new": (0, None),
    },
    "copilot": {
        "ok": (0, None),
        "auth": (77, "Authentication failed with provider"),
        "rate": (75, "Rate limit reached for gpt-5-mini"),
        "usage": (75, "The usage limit has been reached"),
        "quota": (75, "You exceeded your current quota"),
        "overloaded": (75, "Our servers are currently overloaded."),
        "server": (1, "The server had an error"),
        "long": (1, "The provider rejected the prompt as too long"),
        "drop": (1, "Failed native model HTTP request: error decoding"),
        "cut": (1, "Failed native model HTTP request: error sending"),
        "empty": (1, "No response was returned."),
        # Its result says 0.
        "terminated": (1, "it was interrupted"),
        "prose": (0, None),
        "ballot": (0, None),
        # Version 1.0.24; the others are 1.0.102.
        "ok-old": (0, None),
        "auth-old": (77, "Authentication failed with provider"),
    },
    "grok": {
        # xAI's own.
        "ok": (0, None),
        "auth": (77, "Unauthorized (401) from http"),
        "rate": (75, "Rate limit reached for stub-model"),
        "usage": (75, "The usage limit has been reached"),
        "quota": (75, "You exceeded your current quota"),
        "overloaded": (75, "Our servers are currently overloaded."),
        "server": (1, "The server had an error"),
        "long": (1, "Your input exceeds the context window"),
        "drop": (1, "reqwest error stream: Transport error"),
        "cut": (1, "reqwest error stream: error sending"),
        "empty": (1, "empty response from model"),
        "terminated": (1, "it ended (exit 143) without a result"),
        "prose": (0, None),
        "ballot": (0, None),
        # The npm package's: all of them say exit 0.
        "ok-npm": (0, None),
        "auth-npm": (77, "401 Incorrect API key"),
        "rate-npm": (75, "429 Rate limit reached"),
        "usage-npm": (75, "429 The usage limit has been reached"),
        "quota-npm": (75, "429 You exceeded your current quota"),
        "overloaded-npm": (75, "503 Our servers are currently overloaded."),
        "server-npm": (1, "500 The server had an error"),
        "long-npm": (1, "400 Your input exceeds the context window"),
        "drop-npm": (1, "terminated"),
        "terminated-npm": (65, "it ended (exit 0) without a result"),
        "empty-npm": (0, None),
        "prose-npm": (0, None),
    },
    "aider": {
        # All of them say exit 0 but those that had to be ended since they went on trying.
        "ok": (0, None),
        "auth": (77, "Incorrect API key provided"),
        "rate": (75, "Rate limit reached for gpt-4o"),
        "quota": (75, "You exceeded your current quota"),
        "overloaded": (75, "Our servers are currently overloaded."),
        "server": (1, "The server had an error"),
        "long": (1, "Your input exceeds the context window"),
        "drop": (1, "Connection error."),
        "empty": (0, None),
        "prose": (0, None),
        # Version 0.80; the others are 0.86.
        "ok-old": (0, None),
        "auth-old": (77, "Incorrect API key provided"),
        "rate-old": (75, "Rate limit reached for gpt-4o"),
    },
}
CASES = [(tool, name) for tool, cases in EXPECTED.items() for name in cases]


def read(tool: str, stdout: Any, code: int = 0, stderr: str = "") -> Any:
    return jq.run(ADAPTERS / f"{tool}.jq", {"exit": code, "stdout": stdout, "stderr": stderr})


def recorded(tool: str, name: str) -> Any:
    said = json.loads((RECORDED / tool / f"{name}.json").read_text("utf-8"))
    return read(tool, said["stdout"], said["exit"], said["stderr"])


def test_every_recording_is_judged() -> None:
    found = {(path.parent.name, path.stem) for path in RECORDED.glob("*/*.json")}
    assert found == set(CASES)


@pytest.mark.parametrize(("tool", "name"), CASES)
def test_recorded_output(tool: str, name: str) -> None:
    code, error = EXPECTED[tool][name]
    found = recorded(tool, name)
    kind = {0: None, 1: "failed", 65: "failed", 75: "limited", 77: "login"}[code]
    assert (found["exit"], found["error_kind"]) == (code, kind)
    assert found["error"] is None if error is None else found["error"].startswith(error)
    assert all(type(value) is int for value in found["usage"].values())
    assert (found["ballot"] is not None) == ("ballot" in name)
    if name in ("ok", "ballot"):
        assert found["usage"]["input"] > 0 < found["usage"]["output"]


def test_a_good_run_has_its_session_and_model() -> None:
    for tool, model in (("opencode", "openai/gpt-5.3-codex"), ("qwen", "qwen3-coder-plus")):
        assert recorded(tool, "ok")["session"] and recorded(tool, "ok")["model"] == model
    found = recorded("codex", "ok")
    assert (found["text"], found["model"], found["cost_usd_micros"]) == (
        "All written.",
        "gpt-5.1-codex",
        None,
    )
    assert len(found["session"]) == 36


# --- Codex ----------------------------------------------------------------------------------------


def codex(*events: dict[str, Any], code: int = 0) -> Any:
    return read("codex", "".join(json.dumps(event) + "\n" for event in events), code)


def says(text: Any) -> dict[str, Any]:
    return {"type": "item.completed", "item": {"type": "agent_message", "text": text}}


DONE = {
    "type": "turn.completed",
    "usage": {"input_tokens": 100, "cached_input_tokens": 40, "output_tokens": 7},
}


def test_a_reconnect_did_no_harm() -> None:
    reconnect = {"type": "error", "message": "Reconnecting... 1/2 (rate limit exceeded)"}
    assert codex(reconnect, says("done"), DONE)["error"] is None
    assert codex(reconnect, {"type": "error", "message": "rate limit exceeded"}, code=1)["exit"] == 75


def test_what_came_from_a_cache_is_told_apart() -> None:
    usage = codex(DONE)["usage"]
    assert usage == {"input": 60, "output": 7, "cache_write": 0, "cache_read": 40}


def test_qwen_counts_a_session_and_we_count_the_attempt() -> None:
    found = json.loads((RECORDED / "qwen" / "ok.json").read_text("utf-8"))
    once = read("qwen", found["stdout"])["usage"]
    assert (once["input"], once["output"]) == (12854, 27)
    twice = found["stdout"].replace(
        '"input_tokens":12854,"output_tokens":27', '"input_tokens":25708,"output_tokens":54'
    )
    assert twice != found["stdout"] and read("qwen", twice)["usage"]["input"] == 25708
    assert read("qwen", twice + '\n{"type":"orkestra.resumed"}')["usage"] == once


def test_the_exit_code_is_asked_last() -> None:
    assert codex(says("All done"))["exit"] == 65
    assert codex(says("All done"), code=1)["exit"] == 1
    assert codex(says("All done"), DONE, code=1)["exit"] == 1
    assert codex({"type": "turn.failed", "error": {"message": "x"}})["exit"] == 1


# --- opencode -------------------------------------------------------------------------------------


def opencode(*events: dict[str, Any], code: int = 0, log: str = "") -> Any:
    return read("opencode", "".join(json.dumps(event) + "\n" for event in events), code, log)


def step(reason: str, cost: float = 0, **tokens: Any) -> dict[str, Any]:
    return {"type": "step_finish", "part": {"reason": reason, "cost": cost, "tokens": tokens}}


def test_opencode_has_ended_when_its_last_step_says_so() -> None:
    written = {"type": "text", "part": {"text": "done"}}
    assert opencode(step("tool-calls"), written, step("stop"))["exit"] == 0
    assert opencode(written, step("tool-calls"))["exit"] == 1
    assert opencode(written, step("stop"), code=1)["exit"] == 1
    assert opencode()["exit"] == 65
    failed = {"type": "error", "error": {"name": "APIError", "data": {"message": "x", "statusCode": 401}}}
    assert opencode(step("tool-calls"), failed)["exit"] == 77
    assert opencode(failed, written, step("stop"))["exit"] == 0


def test_opencode_says_what_it_cost_where_it_knows_a_price() -> None:
    spent = {"input": 10, "output": 2, "reasoning": 3, "cache": {"read": 7, "write": 1}}
    found = opencode(step("tool-calls", 0.5, **spent), step("stop", 0.25, **spent))
    assert found["usage"] == {"input": 20, "output": 10, "cache_write": 2, "cache_read": 14}
    assert found["cost_usd_micros"] == 750_000
    assert opencode(step("stop", 0, **spent))["cost_usd_micros"] is None


def test_opencodes_log_says_what_its_event_hides() -> None:
    hides = {"name": "UnknownError", "data": {"message": "Unexpected server error. Check server logs."}}
    log = r'timestamp=1 level=ERROR run=2 message=failed ref=3 error="ModelError: no model \"x\"" cause="y"'
    found = opencode({"type": "error", "error": hides}, code=1, log=log)
    assert (found["error"], found["exit"]) == (r'no model "x"', 1)


# --- Qwen Code ------------------------------------------------------------------------------------


def qwen(text: str, made: int = 5, errors: int | None = 0) -> Any:
    said = {"type": "assistant", "message": {"usage": {"output_tokens": made}}}
    log = [{"type": "orkestra.errors", "count": errors}] if errors is not None else []
    events = [said, {"type": "result", "subtype": "success", "result": text}, *log]
    return read("qwen", "".join(json.dumps(event) + "\n" for event in events), 0)


def test_qwens_errors_are_told_from_the_models_words() -> None:
    quoting = "I saw [API Error: 401 Incorrect API key]"
    assert qwen(quoting)["exit"] == 0
    assert qwen(quoting + ", and mended it.", errors=1)["exit"] == 0
    assert qwen(quoting, errors=1)["exit"] == 77
    assert qwen(quoting, made=0)["exit"] == 77
    assert qwen("[API Error: 401 Incorrect API key]")["exit"] == 77
    assert qwen(quoting, errors=None)["exit"] == 77


# --- Copilot, Grok, aider ------------------------------------------------------------------------------


def copilot(*events: dict[str, Any], code: int = 0) -> Any:
    return read("copilot", "".join(json.dumps(event) + "\n" for event in events), code)


@pytest.mark.parametrize(
    ("kind", "message", "exit_code"),
    [
        ("rate_limit", "You've hit your weekly limit. Please try again in 2 hours", 75),
        ("rate_limited", "Sorry, you have been rate-limited. Please try again in 2 hours", 75),
        ("quota_exceeded", "You have no quota", 75),
        ("authorization", "no Copilot seat", 77),
        ("query", "the rate limit of something else", 1),
    ],
)
def test_copilots_own_kinds_of_error(kind: str, message: str, exit_code: int) -> None:
    error = {"type": "session.error", "data": {"errorType": kind, "message": message}}
    assert copilot(error, {"type": "result", "exitCode": 1}, code=1)["exit"] == exit_code
    assert copilot(error, {"type": "result", "exitCode": 0})["exit"] == exit_code


def test_a_failed_call_that_was_tried_again_did_no_harm() -> None:
    failure = {"type": "model.call_failure", "data": {"statusCode": 429, "errorMessage": '{"message": "x"}'}}
    answer = {"type": "assistant.message", "data": {"content": "done"}}
    result = {"type": "result", "exitCode": 0}
    assert copilot(failure, answer, result)["text"] == "done"
    assert copilot(answer, failure, code=143)["exit"] == 75
    # It had to be ended before it could say more.
    assert copilot(answer, failure, {"type": "abort"}, result, code=143)["error"] == "x"


def test_what_groks_model_says_of_errors_is_no_error() -> None:
    said = "I fixed it. Sorry, I encountered an error: Grok API error: 429"
    for line in ({"role": "assistant", "content": said}, {"text": said, "stopReason": "EndTurn"}):
        assert read("grok", json.dumps(line) + "\n")["error"] is None


def test_a_retry_that_groks_log_tells_of_did_no_harm() -> None:
    retry = {"msg": "shell.turn.inference_retry", "ctx": {"reason": "API error (status 429 x): y: z"}}
    done = {"text": "done", "stopReason": "EndTurn"}
    assert read("grok", f"{json.dumps(done)}\n{json.dumps(retry)}\n")["error"] is None
    assert read("grok", f"{json.dumps(retry)}\n", 143)["exit"] == 75


def aider(*events: str, lines: str = "", code: int = 0) -> Any:
    properties = {"prompt_tokens": 7, "completion_tokens": 2, "total_cost": 0}
    told = [json.dumps({"event": event, "properties": properties}) for event in events]
    return read("aider", "\n".join([*told, lines]), code)


def test_aiders_last_question_needs_an_answer() -> None:
    asked, answered = "message_send_starting", "message_send"
    words = "litellm.RateLimitError: RateLimitError: OpenAIException - slow down"
    assert aider(asked, answered, lines=words)["error"] is None
    assert aider(asked, answered, asked, lines=words)["exit"] == 75
    assert aider(asked, answered, asked, lines=f"ASSISTANT {words}")["exit"] == 65


def test_a_cost_of_nothing_is_not_known() -> None:
    found = aider("message_send_starting", "message_send", lines="ASSISTANT a\nASSISTANT b")
    assert (found["text"], found["cost_usd_micros"], found["usage"]["input"]) == ("a\nb", None, 7)


# --- what they share ------------------------------------------------------------------------------

BALLOT = {"choice": "approve", "reason": 'a } b " {', "confidence": 90}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(BALLOT),
        f"\n{json.dumps(BALLOT, indent=2)}\n",
        f"```json\n{json.dumps(BALLOT)}\n```",
        f"I say {json.dumps(BALLOT)} {{be}} it, {json.dumps(BALLOT)}",
        "x" * 50_000 + json.dumps(BALLOT),
    ],
)
def test_a_ballot_in_prose_is_its_whole_object(text: str) -> None:
    assert codex(says(text), DONE)["ballot"] == BALLOT


def test_of_objects_that_differ_none_is_left_out() -> None:
    other = {"choice": "reject", "reason": "{x}"}
    text = f"I said {json.dumps(other)}, no: {json.dumps(BALLOT)} {{be}} it"
    assert codex(says(text), DONE)["ballot"] == [other, BALLOT]


@pytest.mark.parametrize(
    "text", ["I approve.", '{"choice": "approve"', "{}", "{choice: approve}", "[1]", "", 7]
)
def test_what_is_no_object_is_no_ballot(text: Any) -> None:
    assert codex(says(text), DONE)["ballot"] is None


@pytest.mark.parametrize("text", ['{"\\"', "{", '{"a":', '{"\\"{\\"', '{a{a"', "\\", '"'])
def test_no_text_takes_long(text: str) -> None:
    before = time.process_time()
    assert codex(says(text * 40_000), DONE)["ballot"] is None
    assert time.process_time() - before < 20


PROSE = "rate limit, usage limit, 401 Unauthorized, API Error: 429, error, You've hit your limit"
HOSTILE = [
    None,
    [],
    {},
    7,
    "null\n[]\n7\n",
    "{" * 500,
    '{"type": 5}',
    *(
        f'{{"type": "{kind}"}}'
        for kind in ("error", "turn.failed", "turn.completed", "item.completed", "result")
    ),
    '{"type": "turn.failed", "error": "x"}',
    '{"type": "turn.failed", "error": {"message": {"a": 1}}}',
    '{"type": "turn.completed", "usage": {"input_tokens": "many", "cached_input_tokens": -1}}',
    '{"type": "item.completed", "item": {"type": "agent_message", "text": {"a": 1}}}',
    '{"type": "error", "message": ["x"]}',
    '{"type": "result", "status": 5, "stats": 5, "error": 5}',
    '{"type": "result", "status": "error", "stats": {"models": [1]}, "error": {"message": 5}}',
    '{"type": "result", "status": "success", "stats": {"models": {"a": 5}, "total_tokens": "x"}}',
    '{"type": "session.error", "data": {"statusCode": "x", "errorType": 5, "message": {}}}',
    '{"type": "model.call_failure", "data": [1]}\n{"type": "abort"}',
    '{"type": "assistant.message", "data": {"content": 5, "model": {}}}\n{"type": "result", "exitCode": "x"}',
    '{"type": "orkestra.usage", "told": {"modelMetrics": {"a": 5, "b": {"usage": {"inputTokens": "x"}}}}}',
    '{"role": "assistant", "content": {"a": 1}}',
    '{"text": {}, "stopReason": 5, "usage": 5, "modelUsage": [1], "structuredOutput": [], "sessionId": 7}',
    '{"msg": "shell.turn.inference_retry", "ctx": 5}',
    '{"event": "message_send_starting"}\n{"event": "message_send", "properties": 5}',
    '{"event": "message_send", "properties": {"prompt_tokens": "x", "total_cost": "x"}}',
]


@pytest.mark.parametrize("tool", EXPECTED)
@pytest.mark.parametrize("stdout", HOSTILE)
def test_hostile_output_gives_a_verdict(tool: str, stdout: Any) -> None:
    for code in (0, 1, 143):
        found = read(tool, stdout, code)
        assert found["exit"] in (0, 1, 65, 75, 77)
        assert (found["error"] is None) == (found["exit"] == 0)
        assert all(type(value) is int for value in found["usage"].values())


@pytest.mark.parametrize("tool", EXPECTED)
def test_a_tool_that_says_nothing_has_failed(tool: str) -> None:
    assert (read(tool, "", 0)["exit"], read(tool, "", 1, PROSE)["exit"]) in ((65, 75), (65, 1))
    assert read(tool, "", 1, f"something broke: {PROSE}")["error_kind"] == "failed"
