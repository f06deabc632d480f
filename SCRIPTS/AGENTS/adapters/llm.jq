# What llm's output means: `llm --json`, on one line (verdict.jq says what comes in and what goes out).
#
# Its exit code is 1 for every error; stderr says which. A cost is not told.
include "verdict";

. as $in
| (.stderr | words) as $stderr
| ($in.exit // 1) as $exit
| (events | map(select(.response | type == "string")) | last // null) as $result
| ([$stderr | split("\n")[] | select(startswith("Error: "))] | last) as $told
| (if $exit != 0 then ($told // no_result($exit; $stderr) | sub("^Error: "; ""))
   elif $result == null then no_result($exit; $stderr)
   elif $result.response == "" then "it gave no answer"
   else null end) as $error
| verdict({
    error: $error,
    kind: (if $error == null then null else ($error | kind_of_words) end),
    silent: ($exit == 0 and $result == null),
    text: $result.response,
    model: ($result.resolved_model // $result.model | if type == "string" then . else null end),
    usage: {input: $result.input_tokens, output: $result.output_tokens},
    ballot: (if $result == null then null else ($result.response | object_in_text) end)})
