# What Grok's output means: xAI's `grok --output-format json` (one object, and the last retry that its log tells of), or
# the npm package's messages (verdict.jq says what comes in and what goes out).
#
# xAI's marks an error. The npm package's does not, and always says exit 0: there an error is the last message in the words
# that it has for one.
include "verdict";

# "Internal error: "..."", "Internal error: {"message": "..."}": what is inside; and the API's name of the error before its words.
def inner:
  words | sub("^Internal error: "; "")
  | . as $text | (try fromjson catch $text) | if type == "object" then (.message // $text) else . end | words
  | sub("^API error \\(status [0-9]{3}[^)]*\\): "; "") | sub("^[a-z_]+: "; "");
def status: words | [capture("^(Internal error: *\\{? *(\\\\n|\\n)? *(\"message\": *)?\"?)?(API error \\(status |[A-Z][a-z]+ \\()(?<code>[0-9]{3})") | .code | tonumber] | first;
def kind: (status | kind_of_status) // (inner | kind_of_words);

# The npm package's own words.
def confessed: [words | capture("^(Sorry, I encountered an error: |Error: )(Grok API error: )?(?<what>(.|\\n)*)$") | .what] | first;

. as $in
| (.stderr | words) as $stderr
| ($in.exit // 1) as $exit
| events as $events
| ([$events[] | select(.type == "error") | .message | words] | last) as $told
| ([$events[] | select(.msg == "shell.turn.inference_retry") | .ctx | object | .reason | words] | last) as $retried
| ([$events[] | select(has("stopReason"))] | last) as $result
| ([$events[] | select(.role == "assistant")] | last) as $message
| (if $message == null then null else ($message.content | confessed) end) as $confessed
| (if $told != null then $told
   elif $result == null and $message == null then ($retried // no_result($exit; $stderr))
   elif $confessed != null then $confessed
   elif $exit != 0 then "it ended with exit \($exit) after a result"
   else null end) as $error
| ($result | object | .usage | object) as $usage
| verdict({
    error: (if $error == null then null else ($error | inner) end),
    kind: (if $error == null then null else ($error | kind) end),
    silent: ($result == null and $message == null and $told == null and $retried == null and $exit == 0),
    text: (if $result != null then $result.text else ($message | object | .content) end),
    session: ([($result | object | .sessionId), ($events[] | select(.type == "orkestra.session") | .session)
              | select(type == "string")] | first),
    model: (([$result | object | .modelUsage | object | keys[]] | first)
            // ([$events[] | select(.type == "orkestra.model") | .model | select(type == "string")] | last)),
    usage: {input: $usage.input_tokens, output: $usage.output_tokens, cache_read: $usage.cache_read_input_tokens},
    cost: ($result | object | .total_cost_usd),
    ballot: ($result | object | if (.structuredOutput | type) == "object" then .structuredOutput
             else (.text | if type == "string" then object_in_text else null end) end)})
