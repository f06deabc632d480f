# What Gemini CLI's output means: `gemini -o stream-json`, of which the adapter keeps the events that decide (verdict.jq
# says what comes in and what goes out).
#
# The exit code is the last thing asked: it is 0 after TERM. Without a result its stderr says how the last try failed. A
# cost is not told.
include "verdict";

# The API's own message where the error is its whole answer.
def message:
  (bare | sub("\\]?\\n+Please wait and try again later\\.(.|\\n)*$"; "") | sub("\\]$"; "")) as $text
  | (if $text | startswith("{") then ($text | (try fromjson catch null) | object | .error | object | .message) else null end)
  | if type == "string" then . else $text end;

# "Attempt 2 failed: WORDS. Retrying after 5000ms...", "Attempt 2 failed with status 503. Retrying with backoff... WORDS"
def last_attempt:
  (split("\nAttempt ") | last // "") as $close
  | ("\n" + . | contains("\nAttempt ")) as $any
  | ($close | sub("^Attempt "; "")) as $close
  | if $any | not then null
    else
      {status: ($close | [capture("^[0-9]+ failed with status (?<code>[0-9]{3})") | .code | tonumber] | first),
       words: ($close | sub("^[0-9]+ failed( with status [0-9]{3})?[:.]? ?"; "") | sub("^Retrying with backoff\\.* ?"; "")
               | split(" Retrying after ")[0] | sub("\\.? Max attempts reached(.|\\n)*$"; "") | message)}
    end;

def tokens: object | .total_tokens | whole;

. as $in
| (.stderr | words) as $stderr
| ($in.exit // 1) as $exit
| events as $events
| ([$events[] | select(.type == "result")] | last) as $result
| ([$events[] | select(.type == "error") | .message] | last) as $told
| (if $result == null then ($stderr | last_attempt) else null end) as $attempt
| (if $result == null then
     (if $attempt == null then no_result($exit; $stderr)
      else (["it gave up", $attempt.status, $attempt.words] | map(select(. != null and . != "") | tostring) | join(": ")) end)
   elif $result.status != "success" then
     ($result.error | object | .message // $told // "the result is an error" | words | message)
   elif $exit != 0 then "it ended with exit \($exit) after a result"
   else null end) as $error
| (if $error == null then null
   elif $attempt != null then
     (($attempt.status | kind_of_status) // ($attempt.words | kind_of_words))
   else ($error | kind_of_words) end) as $kind
| ($result.stats | object) as $stats
| (($stats.total_tokens | whole) - ($stats.input_tokens | whole)) as $made
| ([$events | to_entries[] | select(.value.type == "tool_result") | .key] | last // -1) as $from
| ([$events[$from + 1:][] | select(.type == "message" and .role == "assistant") | .content | words] | add // "") as $text
| verdict({
    error: $error,
    kind: $kind,
    silent: ($result == null and $attempt == null and $exit == 0),
    text: $text,
    session: ([$events[] | select(.type == "init") | .session_id | select(type == "string")] | first),
    model: ($stats.models | object | to_entries | max_by(.value | tokens) | .key?),
    usage: {input: ([($stats.input_tokens | whole) - ($stats.cached | whole), 0] | max),
            output: ([$made, ($stats.output_tokens | whole)] | max), cache_read: $stats.cached},
    ballot: ($text | object_in_text)})
