# What Claude Code's output means (verdict.jq says what comes in and what goes out).
#
# The exit code is the last thing asked; API errors say "subtype: success". When a subscription's limit ends is told by
# an event of its own.
include "verdict";

# The tool's own limit event. Seconds; some versions wrote milliseconds.
def reset: if type != "number" then null elif . > 100000000000 then (. / 1000 | floor) else floor end;
def rejection($events):
  [$events[] | select(.type == "rate_limit_event") | .rate_limit_info? | select(type == "object")
   | select(.status == "rejected" or .status == "denied")] | last;

# Of what the event's limit is; seven_day_overage_included is one model's ("You've hit your Fable limit").
def limit_of:
  if type != "string" then null
  elif test("_(opus|sonnet|haiku|overage_included)$") then "model"
  else "account" end;

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
    no_result($exit; $stderr)
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
| verdict({
    error: $error,
    kind: $kind,
    silent: ($result == null and $exit == 0),
    text: $result.result,
    session: ($result.session_id // ([$events[] | .session_id? | select(. != null)] | first)),
    model: ($result.modelUsage // {} | keys | .[0]),
    usage: {input: $usage.input_tokens, output: $usage.output_tokens,
            cache_write: $usage.cache_creation_input_tokens, cache_read: $usage.cache_read_input_tokens},
    cost: $result.total_cost_usd,
    ballot: $result.structured_output,
    denials: ($result.permission_denials // [] | length),
    limit_of: ($rejected.rateLimitType | limit_of),
    retry_at: (if $kind == "limited" then (($rejected.resetsAt | reset) // (try ($error | epoch_in) catch null)) else null end)})
