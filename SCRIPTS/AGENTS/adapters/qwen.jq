# What Qwen Code's output means: `qwen -o stream-json`, of which the adapter keeps the events that decide (verdict.jq says
# what comes in and what goes out).
#
# An error of the API comes as what the model said last, "...[API Error: WORDS]", with exit 0, success and is_error false.
# A model may write that too: it is no error where it is the end of more, tokens were made for it, and the tool's own log
# has no error (orkestra.errors; some versions log none). A cost is not told.
include "verdict";

# The words of an error at the end of a text, or null. What may follow it is the tool's advice on limits.
def api_error:
  sub("\\n(Possible quota limitations in place|Please wait and try again later\\.)[^\\n]*$"; "")
  | if (contains("[API Error: ") and endswith("]")) then (split("[API Error: ") | last | .[:-1])
    else null end;

# What the last try came to, by the tool's own log: what was ended since it would go on trying has no result.
def last_try:
  [split("\n")[] | capture("^[0-9TZ:.-]+ \\[ERROR\\] \\[OPENAI_ERROR\\] (OpenAI API [A-Za-z ]*Error: )?(?<words>.+)$") | .words
   | select(. != "Request was aborted.")] | last;

. as $in
| (.stderr | words) as $stderr
| ($in.exit // 1) as $exit
| events as $events
| ([$events[] | select(.type == "result")] | last) as $result
| ([$events[] | select(.type == "orkestra.errors") | .count] | last) as $errors
| ($result.result | words) as $text
| ([$events[] | select(.type == "assistant") | .message | object | .usage | object | .output_tokens | whole] | last // 0) as $made
| (if $errors == 0 and $made > 0 and ($text | startswith("[API Error: ") | not) then null else ($text | api_error) end) as $said
| (if $result == null then (($stderr | last_try) // no_result($exit; $stderr))
   elif $result.is_error == true or ($result.subtype // "success") != "success" then
     ($result.error | object | .message // $result.subtype // "the result is an error" | words | api_error // .)
   elif $said != null then $said
   elif $exit != 0 then "it ended with exit \($exit) after a result"
   else null end) as $error
| [$events[] | select(.type == "assistant") | .message | object | .usage | object] as $calls
| (if any($events[]; .type == "orkestra.resumed") and any($calls[]; .input_tokens | whole > 0) then
     reduce ("input_tokens", "output_tokens", "cache_read_input_tokens") as $key ({}; .[$key] = ([$calls[] | .[$key] | whole] | add))
   else ($result.usage | object) end) as $usage
| ($usage.cache_read_input_tokens | whole) as $cached
| verdict({
    error: $error,
    kind: ($error | if . == null then null else kind_of_words end),
    silent: ($result == null and $exit == 0),
    text: $text,
    session: ([$events[] | .session_id? | select(type == "string")] | first),
    model: ([$events[] | select(.type == "system") | .model | select(type == "string")] | first),
    usage: {input: ([($usage.input_tokens | whole) - $cached, 0] | max), output: $usage.output_tokens,
            cache_read: $cached},
    ballot: ($result.structured_result | if type == "object" then . else null end),
    denials: ($result.permission_denials | if type == "array" then length else 0 end)})
