# What aider's output means: the events that it logs, and of its output what the adapter keeps (verdict.jq says what comes
# in and what goes out).
#
# Its exit code is 0 for every error: an answer is what it logs as sent and answered; where the last question got none, its
# error line says why. A cost of nothing is one that it does not know.
include "verdict";

def bare_error: sub("^litellm\\.[A-Za-z]+: "; "") | sub("^[A-Za-z]+Error: "; "") | sub("^[A-Za-z]+Exception - "; "");
def kind:
  if test("^litellm\\.(AuthenticationError|PermissionDeniedError): ") then "login"
  elif test("^litellm\\.(RateLimitError|ServiceUnavailableError): ") then "limited"
  else (bare_error | kind_of_words) end;

. as $in
| (.stderr | words) as $stderr
| ($in.exit // 1) as $exit
| events as $events
| (if (.stdout | type) == "string" then [.stdout | split("\n")[] | select(startswith("{") | not)] else [] end) as $lines
| ([$lines[] | select(startswith("litellm."))] | last) as $told
| ([$events[] | select(.event == "message_send_starting" or .event == "message_send")]) as $sent
| ([$sent[] | select(.event == "message_send") | .properties | object]) as $answers
| (($sent | last // {}).event == "message_send") as $answered
| (if $answered | not then ($told // no_result($exit; $stderr))
   elif $exit != 0 then "it ended with exit \($exit) after an answer"
   else null end) as $error
| ([$lines[] | select(startswith("ASSISTANT ")) | .[10:]] | join("\n")) as $text
| ($answers | last | object | .total_cost) as $cost
| verdict({
    error: (if $error == null then null else ($error | bare_error) end),
    kind: (if $error == null then null else ($error | kind) end),
    silent: (($answered | not) and $told == null and $exit == 0),
    text: $text,
    model: ([$lines[] | capture("^Main model: (?<name>[^ ]+) with ") | .name] | last),
    usage: {input: ([$answers[] | .prompt_tokens | whole] | add), output: ([$answers[] | .completion_tokens | whole] | add)},
    cost: (if ($cost | type) == "number" and $cost > 0 then $cost else null end)})
