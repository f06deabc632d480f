# What Claude Code's output means.
#
# in:  {"exit": N, "stdout": its events (JSON Lines as a string; or one parsed object; or a list), "stderr": string}
# out: {"text", "session", "model", "usage": {"input", "output", "cache_write", "cache_read"}, "cost_usd_micros",
#       "ballot": the object that a schema asked for, or null, "denials": tool calls that were refused,
#       "error": null or what went wrong, "error_kind": null | "limited" | "login" | "failed", "retry_at": epoch or null,
#       "exit": the adapter contract's exit code that follows (0, 1, 65 no result, 75, 77)}
#
# The exit code is the last thing asked. An error is one that the tool itself marks; only then are its words read, from
# their start. What the model wrote ("I fixed the rate limit error") is never looked at.

def events:
  .stdout as $out
  | if ($out | type) == "string" then
      [$out | split("\n")[] | select(startswith("{")) | (try fromjson catch null) | select(type == "object")]
    elif ($out | type) == "array" then [$out[] | select(type == "object")]
    elif ($out | type) == "object" then [$out]
    else [] end;

def whole: if type == "number" and . >= 0 then (. + 0.5 | floor) else 0 end;
def cut: if length > 2000 then .[0:2000] + "..." else . end;
def words: if type == "string" then . elif . == null then "" else tojson end;

# The tool's own limit event. Seconds; some versions wrote milliseconds.
def reset: if type != "number" then null elif . > 100000000000 then (. / 1000 | floor) else floor end;
def rejection($events):
  [$events[] | select(.type == "rate_limit_event") | .rate_limit_info? | select(type == "object")
   | select(.status == "rejected" or .status == "denied")] | last;

def says_limit: test("^(You've hit your|You have hit your|You've reached your|Claude (AI )?usage limit|Credit balance is too low|API Error: Request rejected \\(429\\)|API Error: (429|529)[^0-9])");
def says_login: test("^(Invalid API key|Invalid auth|Not logged in|Please run /login|OAuth (token|session)|Your (account|organization) (does not have|has been)|API Error: 401[^0-9]|Failed to authenticate)");
def epoch_in: (capture("^Claude (AI )?usage limit reached\\|(?<at>[0-9]{10})") | .at | tonumber) // null;

# A rejection in the middle may have been bridged; it counts where there is no result to say more.
def kind($result; $said; $rejected):
  ($result.api_error_status // 0) as $status |
  if $status == 401 or $status == 403 then "login"
  elif $status == 429 or $status == 529 or ($result == null and $rejected != null) then "limited"
  elif ($said | says_login) then "login"
  elif ($said | says_limit) then "limited"
  else "failed" end;

# What went wrong by the tool's own account, or null.
def trouble($result; $exit; $stderr):
  if $result == null then
    ($stderr | split("\n") | map(select(test("\\S"))) | last // "") as $line
    | if $line != "" then $line else "it ended (exit \($exit)) without a result" end
  elif $result.is_error == true or $result.api_error_status != null or ($result.subtype // "success") != "success" then
    ($result.result | words) as $text
    | if $text != "" then $text
      else ([$result.subtype, ($result.errors // [] | .[]? | words)] | map(select(. != null and . != "")) | join(": ")) end
  elif $exit != 0 then "it ended with exit \($exit) after a result: \($result.terminal_reason // "no reason given")"
  else null end;

. as $in
| (.stderr | words) as $stderr
| events as $events
| ([$events[] | select(.type == "result")] | last) as $result
| ($in.exit // 1) as $exit
| trouble($result; $exit; $stderr) as $error
| (if $error == null then null else rejection($events) end) as $rejected
| (if $error == null then null
   else kind($result; $error; $rejected) end) as $kind
| ($result.usage // {}) as $usage
| {text: (if $error == null then ($result.result | words) else "" end),
   session: ($result.session_id // ([$events[] | .session_id? | select(. != null)] | first) // null),
   model: ($result.modelUsage // {} | keys | .[0]),
   usage: {input: ($usage.input_tokens | whole), output: ($usage.output_tokens | whole),
           cache_write: ($usage.cache_creation_input_tokens | whole), cache_read: ($usage.cache_read_input_tokens | whole)},
   cost_usd_micros: (($result.total_cost_usd // 0) * 1000000 | whole),
   ballot: (if $error == null then $result.structured_output else null end),
   denials: ($result.permission_denials // [] | length),
   error: (if $error == null then null else ($error | cut) end),
   error_kind: $kind,
   exit: (if $kind == null then 0 elif $kind == "limited" then 75 elif $kind == "login" then 77
          elif $result == null and $exit == 0 then 65 else 1 end),
   retry_at: (if $kind == "limited" then (($rejected.resetsAt | reset) // (try ($error | epoch_in) catch null)) else null end)}
