# What opencode's output means: `opencode run --format json`, of which the adapter keeps the events that decide (verdict.jq
# says what comes in and what goes out).
#
# It has ended when its last step says "stop". What was ended since it would go on trying has no event: its own log, a
# line of which is in stderr, says why. A cost is told where it knows the model's prices, else it says 0.
include "verdict";

# What went wrong last, by the tool's own log: error.error="AI_APICallError: WORDS".
def last_error:
  [split("\n")[] | capture("^timestamp=\\S+ level=ERROR .*? error(\\.error)?=(?<words>\"(\\\\.|[^\"\\\\])*\")") | .words
   | (try fromjson catch null) | select(type == "string" and . != "")] | last
  | if . == null then null else sub("^[A-Za-z_]*Error: "; "") end;

. as $in
| (.stderr | words) as $stderr
| ($in.exit // 1) as $exit
| events as $events
| [$events[] | select(.type == "step_finish") | .part | object] as $steps
| ($steps | last | object | .reason | words) as $reason
| ([$events | to_entries[] | select(.value.type == "error")] | last) as $failure
| ([$events | to_entries[] | select(.value.type == "step_finish") | .key] | last // -1) as $close
| ($failure | object | .value.error | object) as $told
| ($told.data | object | .message // $told.name | words) as $words
| (if $failure != null and $failure.key > $close then
     (if $words == "" or ($words | test("^Unexpected server error")) then ($stderr | last_error) // $words else $words end)
   elif $reason == "stop" and $exit == 0 then null
   elif $reason == "stop" then "it ended with exit \($exit) after a result"
   else (($stderr | last_error)
         // (if $steps == [] then no_result($exit; $stderr) else "it ended in the middle (\($reason))" end)) end) as $error
| ([$events | to_entries[] | select(.value.type == "tool_use") | .key] | last // -1) as $from
| ([$events[$from + 1:][] | select(.type == "text") | .part | object | .text | words] | add // "") as $text
| (reduce $steps[] as $step ({input: 0, output: 0, cache_write: 0, cache_read: 0};
     ($step.tokens | object) as $tokens | ($tokens.cache | object) as $cache
     | .input += ($tokens.input | whole) | .output += ($tokens.output | whole) + ($tokens.reasoning | whole)
     | .cache_write += ($cache.write | whole) | .cache_read += ($cache.read | whole))) as $usage
| ([$steps[] | .cost | select(type == "number" and . > 0)] | add) as $cost
| verdict({
    error: $error,
    kind: ($error | if . == null then null else (($told.data | object | .statusCode | kind_of_status) // kind_of_words) end),
    silent: ($steps == [] and $failure == null and $exit == 0),
    text: $text,
    session: ([$events[] | .sessionID? | select(type == "string")] | first),
    model: ([$events[] | select(.type == "orkestra.model") | .model | select(type == "string")] | first),
    usage: $usage,
    cost: $cost,
    ballot: ($text | object_in_text)})
