# What GitHub Copilot CLI's output means: `copilot --output-format json`, of which the adapter keeps the events that decide
# (verdict.jq says what comes in and what goes out).
#
# The exit code is the last thing asked: after TERM its result says 0. A call that failed is told each time it is tried;
# it counts where nothing came after it. A cost in dollars is not told.
include "verdict";

def data: .data | object;
def code: if type == "number" then . else null end;

# The API's own message where the error is its answer.
def message:
  words | . as $text | (try fromjson catch null)
  | if type == "object" then .message else . end | if type == "string" then . else $text end;

def told: words | sub("^Failed to get response from the AI model; retried [0-9]+ times? \\(total retry wait time: [^)]*\\) *Last error: "; "");

def kind:
  (.statusCode | code | kind_of_status) as $by_status
  | if $by_status != null then $by_status
    elif (.errorType | words | test("^auth")) then "login"
    elif (.errorType | words | test("^(rate_limit|quota|usage_limit)")) then "limited"
    else (.message | told | kind_of_words) end;

. as $in
| (.stderr | words) as $stderr
| ($in.exit // 1) as $exit
| events as $events
| ([$events[] | select(.type == "result")] | last) as $result
| ([$events | to_entries[] | select(.value.type == "assistant.message") | .key] | last // -1) as $answered
| $events[$answered + 1:] as $since
| ([$since[] | select(.type == "session.error") | data] | last) as $told
| ([$since[] | select(.type == "model.call_failure") | data | {statusCode, errorType, message: (.errorMessage | message)}]
   | last) as $failure
| any($events[]; .type == "abort") as $aborted
| (if $told != null then $told
   elif $result == null or $aborted or $exit != 0 or ($result.exitCode // 0) != 0 then
     ($failure // {message: (if $aborted then "it was interrupted" else no_result($exit; $stderr) end)})
   else null end) as $trouble
| ([$events[] | select(.type == "orkestra.usage") | .told | object] | last | object) as $spent
| ([$spent.modelMetrics | object | .[] | object | .usage | object]) as $usage
| ([$events[] | select(.type == "assistant.message") | data]) as $answers
| verdict({
    error: (if $trouble == null then null else ($trouble.message | told | if . == "" then "it reports an error" else . end) end),
    kind: (if $trouble == null then null else ($trouble | kind) end),
    silent: ($result == null and $told == null and $failure == null and $exit == 0),
    text: ([$answers[] | .content | select(type == "string" and . != "")] | last),
    session: ($result | object | .sessionId | if type == "string" then . else null end),
    model: ([$answers[] | .model | select(type == "string")] | last),
    usage: {input: ([$usage[] | [(.inputTokens | whole) - (.cacheReadTokens | whole), 0] | max] | add),
            output: ([$usage[] | .outputTokens | whole] | add),
            cache_write: ([$usage[] | .cacheWriteTokens | whole] | add),
            cache_read: ([$usage[] | .cacheReadTokens | whole] | add)},
    ballot: ([$answers[] | .content | select(type == "string" and . != "")] | last
             | if . == null then null else object_in_text end)})
