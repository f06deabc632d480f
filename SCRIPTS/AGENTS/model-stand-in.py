#!/usr/bin/env python3
"""A scripted stand-in for the model APIs that coding-agent CLIs talk to.

It speaks Anthropic Messages, OpenAI Responses, OpenAI Chat Completions and
Gemini generateContent on one loopback port, so that real agent CLIs can be run
end to end without a network. What the "model" says comes from a scenario file.

    model-stand-in.py --port 0 --scenario scenario.json --log requests.jsonl

One file, and of the standard library alone, however long: whoever tries an agent (`orkestra agents test`), on
whatever machine, runs it as it stands.

The chosen port is printed as one line: "listening 127.0.0.1:PORT".

Scenario (JSON):

    {"rules":   [{"name": "hello",
                  "match": {"text": "create (\\S+)", "key": "...", "model": "...",
                            "dialect": "anthropic|responses|chat|gemini", "tools": true},
                  "turns": [TURN, TURN, ...]}],
     "default": [TURN, ...],
     "model":   "stub-model"}

Every "match" value is a regular expression and optional ("tools" is a boolean:
false is for side requests that offer no tools, such as a session's title); "text"
is searched in the user's messages, newest first. The turn to play is found from the
conversation itself (how many model replies follow the matched user message), so
parallel sessions do not disturb each other. A TURN is one of:

    {"text": "..."}                          a plain reply
    {"json": {...}}                          a reply that is this JSON
    {"big": 5000000}                         a reply of that many characters
    {"write": {"path": P, "content": C}}     the CLI's own tool for writing a file
    {"shell": "command"}                     the CLI's own shell tool
    {"tool": {"name": N, "arguments": {}}}   a named tool, verbatim
    {"do": [TURN, ...]}                      several tool calls in one reply
    {"error": "rate_limit|quota|usage_limit|overloaded|auth|server|too_long",
     "retry_after": 2, "in_stream": false, "status": 0, "headers": {}, "body": {}}
    {"hang": 60, "after": "request|headers"} silence, then the connection closes
    {"drop": "request|middle"}               the connection closes early

    {"text": "...", "raw": true}             a plain reply, also where the request asks for JSON by a schema

Any turn may add "say" (text before its tool calls), "delay" (seconds before the
reply), "meet": n (it waits until n of the rules that have a meeting were asked),
"usage" {"input": n, "output": n}, and, for error/hang/drop, "times": n
(after n plays for one conversation the next turn is used; without it the
failure repeats for ever). "${1}" in any string is the rule's first regex group.
"""

import argparse
import contextlib
import gzip
import hashlib
import json
import os
import re
import select
import shlex
import socket
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAILURES = ("error", "hang", "drop")
CHUNK = 4096


# ---------------------------------------------------------------- requests


@dataclass
class Message:
    role: str  # "user" or "assistant"
    text: str = ""
    tool_result: bool = False


@dataclass
class Tool:
    name: str
    schema: dict
    freeform: bool = False  # OpenAI "custom" tool: its input is plain text
    namespace: str = ""  # OpenAI "namespace" tool that holds it


@dataclass
class Ask:
    """One request, in a form common to all dialects."""

    dialect: str
    model: str
    key: str
    stream: bool
    system: str
    messages: list
    tools: list
    schema: dict = None  # the JSON schema that the reply must follow, if any
    extra: dict = field(default_factory=dict)


def text_of(content):
    """The text in a content value, whatever its dialect."""
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        content = [content]
    parts = []
    for part in content or []:
        if isinstance(part, str):
            parts.append(part)
        elif isinstance(part.get("text"), str):
            parts.append(part["text"])
    return "\n".join(parts)


def join_turns(messages):
    """Merge neighbouring assistant items: one model reply is one message."""
    merged = []
    for message in messages:
        if merged and message.role == "assistant" and merged[-1].role == "assistant":
            merged[-1].text += message.text
        else:
            merged.append(message)
    return merged


def read_anthropic(body, key, path):
    messages = []
    for item in body.get("messages", []):
        content = item.get("content")
        blocks = content if isinstance(content, list) else []
        result = any(b.get("type") == "tool_result" for b in blocks)
        messages.append(Message(item["role"], text_of(content), result))
    tools = [Tool(t["name"], t.get("input_schema") or {}) for t in body.get("tools", []) if "name" in t]
    schema = ((body.get("output_config") or {}).get("format") or body.get("output_format") or {}).get(
        "schema"
    )
    return Ask(
        "anthropic",
        body.get("model", ""),
        key,
        bool(body.get("stream")),
        text_of(body.get("system")),
        join_turns(messages),
        tools,
        schema,
    )


def read_responses(body, key, path):
    items = body.get("input", [])
    if isinstance(items, str):
        items = [{"type": "message", "role": "user", "content": items}]
    messages, system, more = [], [body.get("instructions") or ""], []
    for item in items:
        kind = item.get("type", "message")
        if kind == "additional_tools":
            more += openai_tools(item.get("tools"))
            continue
        if kind == "configuration_update":
            continue
        if kind == "message":
            if item["role"] in ("system", "developer"):
                system.append(text_of(item.get("content")))
            else:
                messages.append(Message(item["role"], text_of(item.get("content"))))
        elif kind.endswith("_output"):
            messages.append(Message("user", "", True))
        else:
            messages.append(Message("assistant"))
    schema = ((body.get("text") or {}).get("format") or {}).get("schema")
    return Ask(
        "responses",
        body.get("model", ""),
        key,
        bool(body.get("stream")),
        "\n".join(system),
        join_turns(messages),
        openai_tools(body.get("tools")) + more,
        schema,
    )


def openai_tools(listed, namespace=""):
    tools = []
    for tool in listed or []:
        if tool.get("type") == "namespace":
            tools += openai_tools(tool.get("tools"), tool.get("name", ""))
            continue
        inner = tool.get("function", tool)
        name = inner.get("name") or tool.get("type", "")
        tools.append(Tool(name, inner.get("parameters") or {}, tool.get("type") == "custom", namespace))
    return tools


def read_chat(body, key, path):
    messages, system = [], []
    for item in body.get("messages", []):
        text = text_of(item.get("content"))
        if item["role"] in ("system", "developer"):
            system.append(text)
        elif item["role"] in ("tool", "function"):
            messages.append(Message("user", "", True))
        else:
            messages.append(Message(item["role"], text))
    schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    return Ask(
        "chat",
        body.get("model", ""),
        key,
        bool(body.get("stream")),
        "\n".join(system),
        join_turns(messages),
        openai_tools(body.get("tools")),
        schema,
        {"usage": bool((body.get("stream_options") or {}).get("include_usage"))},
    )


def read_gemini(body, key, path):
    messages = []
    for item in body.get("contents", []):
        parts = item.get("parts", [])
        role = "assistant" if item.get("role") == "model" else "user"
        messages.append(Message(role, text_of(parts), any("functionResponse" in p for p in parts)))
    tools = []
    for group in body.get("tools", []):
        for tool in group.get("functionDeclarations", []):
            tools.append(Tool(tool["name"], tool.get("parametersJsonSchema") or tool.get("parameters") or {}))
    config = body.get("generationConfig") or {}
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    model = re.search(r"models/([^:/]+)", path)
    return Ask(
        "gemini",
        model.group(1) if model else "",
        key,
        ":stream" in path,
        text_of((body.get("systemInstruction") or {}).get("parts")),
        join_turns(messages),
        tools,
        schema,
    )


# ---------------------------------------------------------------- scenario


@dataclass
class Reply:
    text: str = ""
    calls: list = field(default_factory=list)  # (Tool, arguments or freeform text)
    usage: dict = field(default_factory=dict)


class Scenario:
    def __init__(self, data):
        self.rules = data.get("rules", [])
        self.default = data.get("default", [{"text": "OK."}])
        self.model = data.get("model", "stub-model")
        self.played = {}
        self.lock = threading.Lock()

    def choose(self, ask):
        """The rule and turn for this request: (rule name, turn index, turn)."""
        for rule in self.rules:
            rule.setdefault("match", {})
        for index in range(len(ask.messages) - 1, -1, -1):
            message = ask.messages[index]
            if message.role != "user" or message.tool_result or not message.text:
                continue
            for rule in self.rules:
                groups = self.matches(rule["match"], ask, message.text)
                if groups is not None:
                    return self.turn(rule, ask, index, groups)
        first = next((i for i, m in enumerate(ask.messages) if m.text), 0)
        return self.turn({"name": "default", "turns": self.default}, ask, first, ())

    @staticmethod
    def matches(match, ask, text):
        for name, value in (("key", ask.key), ("model", ask.model), ("dialect", ask.dialect)):
            if name in match and not re.search(match[name], value):
                return None
        if "tools" in match and match["tools"] != bool(ask.tools):
            return None
        found = re.search(match.get("text", ""), text)
        return None if found is None else found.groups()

    def turn(self, rule, ask, index, groups):
        name, turns = rule.get("name", "?"), rule["turns"]
        replies = sum(1 for m in ask.messages[index:] if m.role == "assistant")
        talk = (
            hashlib.sha256((ask.key + ask.messages[index].text).encode()).hexdigest() if ask.messages else ""
        )
        for number, turn in enumerate(turns):
            if any(kind in turn for kind in FAILURES):
                with self.lock:
                    key = talk, name, number, bool(ask.tools)
                    count = self.played.get(key, 0)
                    if count < turn.get("times", float("inf")):
                        self.played[key] = count + 1
                        return name, number, fill(turn, groups)
            elif replies:
                replies -= 1
            else:
                return name, number, fill(turn, groups)
        return name, len(turns), {"text": "Done."}


def fill(value, groups):
    if isinstance(value, str):
        return re.sub(r"\$\{(\d+)\}", lambda m: groups[int(m.group(1)) - 1] or "", value) if groups else value
    if isinstance(value, dict):
        return {k: fill(v, groups) for k, v in value.items()}
    if isinstance(value, list):
        return [fill(v, groups) for v in value]
    return value


# ---------------------------------------------------------------- tools

SHELL_NAMES = (
    "bash",
    "exec_command",
    "shell_command",
    "shell",
    "run_shell_command",
    "run_command",
    "run_terminal_cmd",
    "run_terminal_command",
    "execute_bash",
    "execute_command",
    "terminal",
    "local_shell",
)
WRITE_NAMES = ("write", "write_file", "create_file", "create", "write_to_file", "apply_patch")
PATH_KEYS = ("file_path", "filePath", "absolute_path", "path", "filename", "file")
TEXT_KEYS = ("content", "file_text", "contents", "text")
COMMAND_KEYS = ("command", "cmd", "commands", "script", "input")
CWD_PATTERNS = (
    r"(?:[Pp]rimary|Current) working directory: *(/[^\n]+)",
    r"<cwd>\s*(/[^<\n]*?)\s*</cwd>",
    r"[Ww]orking directory(?: is)?:? *`?(/[^\s`<]+)",
    r"working in the directory:? *`?(/[^\n`<]+)",
    r"Workspace Directories:\**\s*-\s*(/[^\n]+)",
    r"[Cc]urrent directory:? *`?(/[^\s`<]+)",
)


def find_tool(ask, names):
    by_name = {t.name.lower(): t for t in ask.tools}
    return next((by_name[n] for n in names if n in by_name), None)


def working_directory(ask):
    everything = ask.system + "\n" + "\n".join(m.text for m in ask.messages if m.role == "user")
    for pattern in CWD_PATTERNS:
        found = re.search(pattern, everything)
        if found:
            return found.group(1).rstrip(".,")
    return ""


def argument(tool, names):
    properties = tool.schema.get("properties", {})
    return next((n for n in names if n in properties), names[0])


def with_required(tool, arguments):
    for name in tool.schema.get("required", []):
        if name not in arguments:
            arguments[name] = sample(tool.schema.get("properties", {}).get(name, {}))
    return arguments


def sample(schema):
    """A small value that fits a JSON schema."""
    if "enum" in schema:
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for key in ("anyOf", "oneOf"):
        if schema.get(key):
            return sample(schema[key][0])
    kind = schema.get("type", "string")
    kind = (kind[0] if isinstance(kind, list) else kind).lower()
    if kind == "object":
        return {k: sample(v) for k, v in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample(schema.get("items", {}))] if schema.get("minItems") else []
    return {"boolean": False, "integer": 1, "number": 1, "null": None}.get(kind, "stub")


def shell_call(ask, command):
    tool = find_tool(ask, SHELL_NAMES)
    script = find_tool(ask, ("exec",))
    if tool is None and script is not None and script.freeform:
        # Codex' tool that runs JavaScript, in which the others are called.
        return script, f"text(await tools.exec_command({json.dumps({'cmd': command})}))"
    if tool is None:
        return None
    if tool.freeform:
        return tool, command
    name = argument(tool, COMMAND_KEYS)
    kind = tool.schema.get("properties", {}).get(name, {}).get("type")
    value = ["bash", "-lc", command] if kind == "array" else command
    return tool, with_required(tool, {name: value})


def write_call(ask, path, content):
    tool = find_tool(ask, WRITE_NAMES)
    folder = os.path.dirname(path) or "."
    # Copilot's "create" wants the folder to exist, so a nested path goes by shell.
    by_shell = (
        tool is None
        or (tool.name == "apply_patch" and not tool.freeform)
        or (tool.name == "create" and folder != ".")
    )
    if by_shell:
        lines = content if content.endswith("\n") else content + "\n"
        return shell_call(
            ask, f"mkdir -p {shlex.quote(folder)} && cat > {shlex.quote(path)} <<'STUB_EOF'\n{lines}STUB_EOF"
        )
    if tool.freeform:
        added = "".join(f"+{line}\n" for line in content.splitlines())
        return tool, f"*** Begin Patch\n*** Add File: {path}\n{added}*** End Patch\n"
    full = os.path.join(working_directory(ask), path)
    return tool, with_required(tool, {argument(tool, PATH_KEYS): full, argument(tool, TEXT_KEYS): content})


def calls_for(ask, turn):
    if "do" in turn:
        return [call for step in turn["do"] for call in calls_for(ask, step)]
    if "write" in turn:
        call = write_call(ask, turn["write"]["path"], turn["write"]["content"])
    elif "shell" in turn:
        call = shell_call(ask, turn["shell"])
    elif "tool" in turn:
        tool = find_tool(ask, (turn["tool"]["name"].lower(),))
        call = tool and (tool, turn["tool"].get("arguments", {}))
    else:
        return []
    return [call] if call else []


def text_edit(ask, turn):
    """For clients without tools: the same act, in the text form they parse."""
    if "write" in turn:
        path, content = turn["write"]["path"], turn["write"]["content"]
        if "SEARCH/REPLACE" in ask.system:
            return f"{path}\n```\n<<<<<<< SEARCH\n=======\n{content}>>>>>>> REPLACE\n```\n"
        return f"{path}\n```\n{content}```\n"
    if "shell" in turn:
        return f"```bash\n{turn['shell']}\n```\n"
    return "OK."


def long_text(size):
    """Text that does not repeat itself: some CLIs stop on repeated output."""
    lines, length, number = [], 0, 0
    while length < size:
        number += 1
        lines.append(f"{number} {hashlib.md5(str(number).encode()).hexdigest()}\n")
        length += len(lines[-1])
    return "".join(lines)[:size]


def reply_for(ask, turn):
    schema_tool = find_tool(ask, ("structuredoutput", "structured_output"))
    calls = calls_for(ask, turn)
    if calls:
        text = turn.get("say", "")
    elif "json" in turn and schema_tool:
        calls, text = [(schema_tool, turn["json"])], ""
    elif "json" in turn:
        text = json.dumps(turn["json"])
    elif ask.schema and not turn.get("raw"):
        text = json.dumps(sample(ask.schema))
    elif "big" in turn:
        text = long_text(turn["big"])
    elif "text" in turn:
        text = turn["text"]
    else:
        text = text_edit(ask, turn)
    spent = sum(len(m.text) for m in ask.messages) + len(ask.system)
    usage = {"input": spent // 4 + 1, "output": (len(text) + sum(len(str(c[1])) for c in calls)) // 4 + 1}
    usage.update(turn.get("usage", {}))
    return Reply(text, calls, usage)


# ---------------------------------------------------------------- errors


def error_for(dialect, turn, model):
    """(status, headers, body) as the provider itself words that error."""
    kind, wait = turn["error"], turn.get("retry_after")
    status, headers, body = {"anthropic": anthropic_error, "gemini": gemini_error}.get(dialect, openai_error)(
        kind, wait, model
    )
    if wait is not None and dialect != "gemini":
        headers["retry-after"] = str(wait)
    headers.update(turn.get("headers", {}))
    return turn.get("status") or status, headers, turn.get("body") or body


def anthropic_error(kind, wait, model):
    status, name, text = {
        "rate_limit": (
            429,
            "rate_limit_error",
            "This request would exceed your organization's rate limit of 50 requests "
            "per minute. For details, refer to: https://docs.claude.com/en/api/rate-limits.",
        ),
        "usage_limit": (
            429,
            "rate_limit_error",
            "This request would exceed your account's rate limit. Please try again later.",
        ),
        "quota": (
            400,
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. "
            "Please go to Plans & Billing to upgrade or purchase credits.",
        ),
        "overloaded": (529, "overloaded_error", "Overloaded"),
        "auth": (401, "authentication_error", "invalid x-api-key"),
        "too_long": (400, "invalid_request_error", "prompt is too long: 212345 tokens > 200000 maximum"),
        "server": (500, "api_error", "Internal server error"),
    }[kind]
    headers = {"request-id": "req_stub", "x-should-retry": "false" if status in (400, 401) else "true"}
    if kind == "usage_limit":
        reset = str(int(time.time()) + (wait or 3600))
        headers.update(
            {
                "anthropic-ratelimit-unified-status": "rejected",
                "anthropic-ratelimit-unified-reset": reset,
                "anthropic-ratelimit-unified-representative-claim": "five_hour",
            }
        )
    return (
        status,
        headers,
        {"type": "error", "error": {"type": name, "message": text}, "request_id": "req_stub"},
    )


def openai_error(kind, wait, model):
    status, name, code, text = {
        "rate_limit": (
            429,
            "tokens",
            "rate_limit_exceeded",
            f"Rate limit reached for {model} in organization org-stub on tokens per min (TPM): Limit 30000, "
            f"Used 29500, Requested 1500. Please try again in {wait or 2}s. "
            "Visit https://platform.openai.com/account/rate-limits to learn more.",
        ),
        "usage_limit": (429, "usage_limit_reached", None, "The usage limit has been reached"),
        "quota": (
            429,
            "insufficient_quota",
            "insufficient_quota",
            "You exceeded your current quota, please check your "
            "plan and billing details. For more information on this error, read the docs: "
            "https://platform.openai.com/docs/guides/error-codes/api-errors.",
        ),
        "overloaded": (
            503,
            "service_unavailable_error",
            "server_is_overloaded",
            "Our servers are currently overloaded. Please try again later.",
        ),
        "auth": (
            401,
            "invalid_request_error",
            "invalid_api_key",
            "Incorrect API key provided: test-key. You can find "
            "your API key at https://platform.openai.com/account/api-keys.",
        ),
        "too_long": (
            400,
            "invalid_request_error",
            "context_length_exceeded",
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
        ),
        "server": (
            500,
            "server_error",
            None,
            "The server had an error while processing your request. Sorry about that!",
        ),
    }[kind]
    error = {"message": text, "type": name, "param": None, "code": code}
    if kind == "usage_limit":
        seconds = wait or 3600
        error.update(plan_type="plus", resets_in_seconds=seconds, resets_at=int(time.time()) + seconds)
    return status, {"x-request-id": "req_stub"}, {"error": error}


def gemini_error(kind, wait, model):
    google = "type.googleapis.com/google.rpc."
    details = []
    if kind in ("rate_limit", "quota", "usage_limit"):
        per = "PerMinute" if kind == "rate_limit" else "PerDay"
        status, name = 429, "RESOURCE_EXHAUSTED"
        text = (
            "You exceeded your current quota, please check your plan and billing details. "
            "For more information on this error, head to: "
            "https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for metric: "
            f"generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 2\n"
            f"Please retry in {wait or 2}s."
        )
        details = [
            {
                "@type": google + "QuotaFailure",
                "violations": [
                    {
                        "quotaMetric": "generativelanguage.googleapis.com/"
                        "generate_content_free_tier_requests",
                        "quotaId": f"GenerateRequests{per}PerProjectPerModel-FreeTier",
                        "quotaDimensions": {"location": "global", "model": model},
                        "quotaValue": "2",
                    }
                ],
            },
            {"@type": google + "RetryInfo", "retryDelay": f"{wait or 2}s"},
        ]
    elif kind == "auth":
        status, name, text = 400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."
        details = [
            {
                "@type": google + "ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            }
        ]
    elif kind == "too_long":
        status, name, text = (
            400,
            "INVALID_ARGUMENT",
            ("The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."),
        )
    elif kind == "overloaded":
        status, name, text = 503, "UNAVAILABLE", "The model is overloaded. Please try again later."
    else:
        status, name, text = 500, "INTERNAL", "An internal error has occurred. Please retry or report."
    error = {"code": status, "message": text, "status": name}
    if details:
        error["details"] = details
    return status, {}, {"error": error}


# ---------------------------------------------------------------- replies
# Each dialect gives a whole body (not streamed) and a list of SSE events
# (event name or None, data). "error" is an error body to send inside a stream.


def ident(prefix):
    return prefix + uuid.uuid4().hex[:24]


def pieces(text):
    return [text[i : i + CHUNK] for i in range(0, len(text), CHUNK)]


def anthropic_body(ask, reply):
    content = [{"type": "text", "text": reply.text}] if reply.text or not reply.calls else []
    content += [
        {"type": "tool_use", "id": ident("toolu_"), "name": t.name, "input": a} for t, a in reply.calls
    ]
    return {
        "id": ident("msg_"),
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": content,
        "stop_reason": "tool_use" if reply.calls else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": reply.usage["input"],
            "output_tokens": reply.usage["output"],
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def anthropic_events(ask, reply):
    body = anthropic_body(ask, reply)
    blocks, body["content"] = body["content"], []
    stop, body["stop_reason"] = body["stop_reason"], None
    events = [{"type": "message_start", "message": body}]
    for index, block in enumerate(blocks):
        if block["type"] == "text":
            start, deltas = (
                dict(block, text=""),
                [{"type": "text_delta", "text": p} for p in pieces(block["text"])],
            )
        else:
            start = dict(block, input={})
            deltas = [
                {"type": "input_json_delta", "partial_json": p} for p in pieces(json.dumps(block["input"]))
            ]
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        events.append({"type": "content_block_stop", "index": index})
    events.append(
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": reply.usage["output"]},
        }
    )
    events.append({"type": "message_stop"})
    return [(e["type"], e) for e in events]


def responses_body(ask, reply):
    output = []
    if reply.text or not reply.calls:
        output.append(
            {
                "type": "message",
                "id": ident("msg_"),
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": reply.text, "annotations": []}],
            }
        )
    for tool, arguments in reply.calls:
        item = {"status": "completed", "call_id": ident("call_"), "name": tool.name}
        if tool.namespace:
            item["namespace"] = tool.namespace
        if tool.freeform:
            item.update(type="custom_tool_call", id=ident("ctc_"), input=arguments)
        else:
            item.update(type="function_call", id=ident("fc_"), arguments=json.dumps(arguments))
        output.append(item)
    spent, made = reply.usage["input"], reply.usage["output"]
    return {
        "id": ident("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "model": ask.model,
        "output": output,
        "error": None,
        "parallel_tool_calls": True,
        "usage": {
            "input_tokens": spent,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": made,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": spent + made,
        },
    }


def responses_events(ask, reply):
    body = responses_body(ask, reply)
    begun = dict(body, status="in_progress", output=[], usage=None)
    events = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for index, item in enumerate(body["output"]):
        where = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            text, part = item["content"][0]["text"], {"type": "output_text", "text": "", "annotations": []}
            place = dict(where, content_index=0)
            events.append(
                {
                    "type": "response.output_item.added",
                    "output_index": index,
                    "item": dict(item, status="in_progress", content=[]),
                }
            )
            events.append(dict(place, type="response.content_part.added", part=part))
            events += [dict(place, type="response.output_text.delta", delta=p) for p in pieces(text)]
            events.append(dict(place, type="response.output_text.done", text=text))
            events.append(dict(place, type="response.content_part.done", part=item["content"][0]))
        else:
            name = "input" if item["type"] == "custom_tool_call" else "arguments"
            kind = "custom_tool_call_input" if name == "input" else "function_call_arguments"
            events.append(
                {
                    "type": "response.output_item.added",
                    "output_index": index,
                    "item": dict(item, status="in_progress", **{name: ""}),
                }
            )
            events.append(dict(where, type=f"response.{kind}.delta", delta=item[name]))
            events.append(dict(where, type=f"response.{kind}.done", **{name: item[name]}))
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": body})
    return [(e["type"], dict(e, sequence_number=n)) for n, e in enumerate(events)]


def chat_calls(reply):
    return [
        {
            "index": i,
            "id": ident("call_"),
            "type": "function",
            "function": {"name": t.name, "arguments": a if t.freeform else json.dumps(a)},
        }
        for i, (t, a) in enumerate(reply.calls)
    ]


def chat_usage(reply):
    spent, made = reply.usage["input"], reply.usage["output"]
    return {"prompt_tokens": spent, "completion_tokens": made, "total_tokens": spent + made}


def chat_body(ask, reply):
    message = {"role": "assistant", "content": reply.text or None}
    if reply.calls:
        message["tool_calls"] = [{k: v for k, v in c.items() if k != "index"} for c in chat_calls(reply)]
    return {
        "id": ident("chatcmpl-"),
        "object": "chat.completion",
        "created": int(time.time()),
        "model": ask.model,
        "choices": [
            {"index": 0, "message": message, "finish_reason": "tool_calls" if reply.calls else "stop"}
        ],
        "usage": chat_usage(reply),
    }


def chat_events(ask, reply):
    base = {
        "id": ident("chatcmpl-"),
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": ask.model,
    }

    def chunk(delta, finish=None):
        return None, dict(base, choices=[{"index": 0, "delta": delta, "finish_reason": finish}])

    events = [chunk({"role": "assistant", "content": ""})]
    events += [chunk({"content": p}) for p in pieces(reply.text)]
    events += [chunk({"tool_calls": [call]}) for call in chat_calls(reply)]
    events.append(chunk({}, "tool_calls" if reply.calls else "stop"))
    if ask.extra.get("usage"):
        events.append((None, dict(base, choices=[], usage=chat_usage(reply))))
    return [*events, (None, "[DONE]")]


def gemini_chunk(ask, parts, reply=None):
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
    chunk = {"candidates": [candidate], "modelVersion": ask.model, "responseId": ident("")}
    if reply:
        candidate["finishReason"] = "STOP"
        spent, made = reply.usage["input"], reply.usage["output"]
        chunk["usageMetadata"] = {
            "promptTokenCount": spent,
            "candidatesTokenCount": made,
            "totalTokenCount": spent + made,
        }
    return chunk


def gemini_calls(reply):
    return [{"functionCall": {"name": t.name, "args": a}} for t, a in reply.calls]


def gemini_body(ask, reply):
    parts = [{"text": reply.text}] if reply.text or not reply.calls else []
    return gemini_chunk(ask, parts + gemini_calls(reply), reply)


def gemini_events(ask, reply):
    texts = [{"text": p} for p in pieces(reply.text)]
    last = gemini_calls(reply) or texts[-1:] or [{"text": ""}]
    before = texts if reply.calls else texts[:-1]
    return [(None, gemini_chunk(ask, [t])) for t in before] + [(None, gemini_chunk(ask, last, reply))]


def stream_error(dialect, body):
    if dialect == "anthropic":
        return "error", body
    if dialect == "responses":
        error = {"code": body["error"]["code"] or body["error"]["type"], "message": body["error"]["message"]}
        return "response.failed", {
            "type": "response.failed",
            "sequence_number": 2,
            "response": {
                "id": ident("resp_"),
                "object": "response",
                "status": "failed",
                "error": error,
                "output": [],
            },
        }
    return None, body


DIALECTS = {
    "anthropic": (read_anthropic, anthropic_body, anthropic_events),
    "responses": (read_responses, responses_body, responses_events),
    "chat": (read_chat, chat_body, chat_events),
    "gemini": (read_gemini, gemini_body, gemini_events),
}


def dialect_of(path):
    path = path.split("?")[0]
    if path.endswith("/messages"):
        return "anthropic"
    if path.endswith("/responses"):
        return "responses"
    if path.endswith("/chat/completions"):
        return "chat"
    if re.search(r":(stream)?[gG]enerateContent$", path):
        return "gemini"
    return None


# ---------------------------------------------------------------- server


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "stub"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.note(status=200)
        self.send_json(200, {})

    def do_GET(self):
        path = self.path.split("?")[0]
        if path.endswith("/models") and "upgrade" not in self.headers.get("connection", "").lower():
            name = self.server.scenario.model
            self.note(status=200)
            self.send_json(
                200,
                {
                    "object": "list",
                    "models": [],
                    "has_more": False,
                    "data": [
                        {
                            "id": name,
                            "object": "model",
                            "type": "model",
                            "created": 0,
                            "display_name": name,
                            "owned_by": "stub",
                        }
                    ],
                },
            )
        else:
            self.note(status=404)
            self.send_json(404, {"error": {"message": "not found", "type": "not_found_error", "code": 404}})

    def do_POST(self):
        raw = self.read_body()
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            self.note(status=400, bytes=len(raw), encoding=self.headers.get("content-encoding"))
            return self.send_json(
                400, {"error": {"message": "body is not JSON", "type": "invalid_request_error"}}
            )
        if self.server.dump:
            with open(os.path.join(self.server.dump, f"{time.time():.4f}.json"), "w") as out:
                json.dump({"path": self.path, "headers": dict(self.headers), "body": body}, out, indent=1)
        path = self.path.split("?")[0]
        if path.endswith(("count_tokens", ":countTokens")):
            count = len(raw) // 4
            self.note(status=200, bytes=len(raw))
            return self.send_json(200, {"input_tokens": count, "totalTokens": count})
        dialect = dialect_of(path)
        if dialect is None:
            self.note(status=404, bytes=len(raw))
            return self.send_json(
                404, {"error": {"message": "not found", "type": "not_found_error", "code": 404}}
            )
        ask = DIALECTS[dialect][0](body, self.api_key(), self.path)
        rule, number, turn = self.server.scenario.choose(ask)
        users = [m.text for m in ask.messages if m.role == "user" and m.text]
        self.note(
            dialect=dialect,
            key=ask.key,
            model=ask.model,
            stream=ask.stream,
            messages=len(ask.messages),
            bytes=len(raw),
            tools=[t.name for t in ask.tools],
            schema=bool(ask.schema),
            rule=rule,
            turn=number,
            plays=next((k for k in turn if k not in ("say", "delay", "usage", "raw")), "?"),
            last_user=users[-1][-200:] if users else "",
        )
        try:
            served = self.play(ask, turn, rule)
            if served:
                self.note(served=served, by=rule)
        except (BrokenPipeError, ConnectionResetError):
            self.note(dialect=dialect, key=ask.key, rule=rule, turn=number, client="gone")
            self.close_connection = True

    def play(self, ask, turn, rule):
        """Answers as the turn says; the tokens of a whole answer, else None."""
        if self.wait(turn.get("delay", 0)):
            return None
        if "meet" in turn:
            self.note(met=self.server.meeting.with_others(rule, turn["meet"]), by=rule)
        if "error" in turn:
            return self.play_error(ask, turn)
        if "hang" in turn or turn.get("drop") == "request":
            if turn.get("after") == "headers":
                self.begin_stream()
                self.send_events(
                    DIALECTS[ask.dialect][2](ask, Reply("...", [], {"input": 1, "output": 1}))[:2]
                )
            self.wait(turn.get("hang", 0))
            return self.hang_up()
        _, whole, events = DIALECTS[ask.dialect]
        reply = reply_for(
            ask, turn if "drop" not in turn else {"text": turn.get("say") or long_text(4 * CHUNK)}
        )
        if "drop" in turn:
            self.begin_stream()
            listed = events(ask, reply)
            self.send_events(listed[: max(1, len(listed) // 2)])
            return self.hang_up()
        if ask.stream:
            self.begin_stream()
            self.send_events(events(ask, reply))
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_json(200, whole(ask, reply))
        return reply.usage

    def play_error(self, ask, turn):
        status, headers, body = error_for(ask.dialect, turn, ask.model)
        if turn.get("in_stream") and ask.stream:
            self.begin_stream()
            self.send_events([stream_error(ask.dialect, body)])
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.send_json(status, body, headers)

    def wait(self, seconds):
        """Sleep; true if the client went away meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self.connection], [], [], min(left, 1))
            if ready and not self.connection.recv(1, socket.MSG_PEEK):
                raise ConnectionResetError
            if ready:
                time.sleep(min(left, 1))
        return False

    def api_key(self):
        bearer = self.headers.get("authorization", "")
        query = re.search(r"[?&]key=([^&]+)", self.path)
        return (
            self.headers.get("x-api-key")
            or self.headers.get("x-goog-api-key")
            or bearer.removeprefix("Bearer ").strip()
            or (query.group(1) if query else "")
        )

    def read_body(self):
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            raw = b""
            while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        return gzip.decompress(raw) if self.headers.get("content-encoding") == "gzip" else raw

    def begin_stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("cache-control", "no-cache")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def send_events(self, events):
        for name, data in events:
            line = data if isinstance(data, str) else json.dumps(data)
            frame = ((f"event: {name}\n" if name else "") + f"data: {line}\n\n").encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(frame), frame))
        self.wfile.flush()

    def send_json(self, status, body, headers=None):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def hang_up(self):
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def note(self, **fields):
        entry = {
            "time": round(time.time(), 3),
            "method": self.command,
            "path": self.path.split("?")[0],
            **fields,
        }
        with self.server.log_lock:
            self.server.log.write(json.dumps(entry) + "\n")
            self.server.log.flush()


class Meeting:
    """Conversations that wait until so many of them are there at the same time."""

    PATIENCE = 120  # seconds

    def __init__(self):
        self.come = set()
        self.changed = threading.Condition()

    def with_others(self, name, count):
        """Whether the others came."""
        with self.changed:
            self.come.add(name)
            self.changed.notify_all()
            return self.changed.wait_for(lambda: len(self.come) >= count, self.PATIENCE)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, address)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--scenario", required=True, help="scenario file (JSON), see this file's docstring")
    parser.add_argument("--log", default="-", help="request log, JSON lines (default: stderr)")
    parser.add_argument("--dump", help="folder for a copy of every request body")
    options = parser.parse_args()
    server = Server(("127.0.0.1", options.port), Handler)
    with open(options.scenario) as source:
        server.scenario = Scenario(json.load(source))
    server.log = sys.stderr if options.log == "-" else open(options.log, "a")  # noqa: SIM115
    server.meeting = Meeting()
    server.log_lock = threading.Lock()
    server.dump = options.dump
    print(f"listening 127.0.0.1:{server.server_address[1]}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
