# What Codex's output means: `codex exec --json`, of which the adapter keeps the events that decide (verdict.jq says what
# comes in and what goes out).
#
# The exit code is the last thing asked. `error` events include reconnects that did no harm: what counts is how the turn
# ended. A cost is not told.
include "verdict";

. as $in
| (.stderr | words) as $stderr
| ($in.exit // 1) as $exit
| events as $events
| ([$events[] | select(.type == "turn.completed" or .type == "turn.failed")] | last) as $close
| ([$events[] | select(.type == "error") | .message] | last) as $told
| ([$events[] | select(.type == "item.completed") | .item | object | select(.type == "agent_message") | .text] | last) as $text
| (if $close == null then
     (if $told == null then no_result($exit; $stderr) else ($told | words) end)
   elif $close.type == "turn.failed" then ($close.error | object | .message // $told // "the turn failed" | words)
   elif $exit != 0 then "it ended with exit \($exit) after its turn was completed"
   else null end) as $error
| ($close.usage | object) as $usage
| ([$events[] | select(.type == "orkestra.before") | .usage | object] | last // {}) as $before
| ($usage | with_entries(.key as $key | .value |= ([whole - ($before[$key] | whole), 0] | max))) as $usage
| ($usage.input_tokens | whole) as $input
| (($usage.cached_input_tokens | whole) + ($usage.cache_write_input_tokens | whole)) as $cached
| verdict({
    error: $error,
    kind: ($error | if . == null then null else kind_of_words end),
    silent: ($close == null and $told == null and $exit == 0),
    text: $text,
    session: ([$events[] | .thread_id? | select(type == "string")] | first),
    model: ([$events[] | select(.type == "orkestra.model") | .model | select(type == "string")] | first),
    usage: {input: ([$input - $cached, 0] | max), output: $usage.output_tokens,
            cache_write: $usage.cache_write_input_tokens, cache_read: $usage.cached_input_tokens},
    ballot: ($text | if type == "string" then object_in_text else null end)})
