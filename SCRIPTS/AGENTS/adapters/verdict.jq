# What the readers of the tools' output share (`include "verdict";`).
#
# The input of a reader: {"exit": N, "stdout": the tool's events (JSON Lines as a string; or one parsed object; or a
# list), "stderr": string}. Its output is made by `verdict` below. An error is one that the tool itself marks; only then
# are its words read, from their start. What the model wrote ("I fixed the rate limit error") is never looked at. When a
# limit ends is read from the words of `error` elsewhere; `retry_at` is for a tool that says it as a number.

def events:
  .stdout as $out
  | if ($out | type) == "string" then
      [$out | split("\n")[] | select(startswith("{")) | (try fromjson catch null) | select(type == "object")]
    elif ($out | type) == "array" then [$out[] | select(type == "object")]
    elif ($out | type) == "object" then [$out]
    else [] end;

def whole: if type == "number" and . >= 0 then (. + 0.5 | floor) else 0 end;
def object: if type == "object" then . else {} end;
def words: if type == "string" then . elif . == null then "" else tojson end;
def cut: if length > 2000 then .[0:2000] + "..." else . end;
def last_line: split("\n") | map(select(test("\\S"))) | last // "";

# What a tool without a result has to say for itself.
def no_result($exit; $stderr):
  ($stderr | last_line) as $line
  | if $line != "" then $line else "it ended (exit \($exit)) without a result" end;

# What tools put in front of the words of the model's API.
def bare: sub("^(\\[?API Error: ?|Error: ?|error: ?)+"; "");

def says_limit: bare | test("^(You(['’]ve| have) (hit|reached|exhausted|exceeded) your|You exceeded your current quota|Usage limit|Rate limit|rate limit|Quota exceeded|Resource exhausted|Too Many Requests|(exceeded retry limit, last|unexpected) status:? (429|503|529)|(Error code: )?(429|503|529)\\b|Selected model is at capacity|The model is overloaded|Overloaded$|(Our|The) servers? (is|are) (currently )?overloaded|This request would exceed your|We['’]re currently experiencing high demand|(The )?usage limit)"; "i");
def says_login: bare | test("^(unexpected status (401|403)|(Error code: )?(401|403)\\b|Incorrect API key|Invalid API key|API key not valid|Not logged in|Unauthorized|Authentication|No key found|Your (access|refresh) token|Please (log|sign) in)"; "i");
def kind_of_words: if says_login then "login" elif says_limit then "limited" else "failed" end;
def kind_of_status:
  if . == 401 or . == 403 then "login" elif . == 429 or . == 503 or . == 529 then "limited" else null end;

# A ballot in a text: all of it, else the whole objects in its last 10,000 characters (three deep; no more is looked at, so
# that no text takes long): one, or a list of those that differ. null when there is none.
def _string: "\"(?>[^\"\\\\]+|\\\\.)*+\"";
def _object($inner): "\\{(?>[^{}\"]+|" + _string + $inner + ")*+\\}";
def object_in_text:
  (try fromjson catch null) as $all
  | if ($all | type) == "object" and $all != {} then $all
    else
      (if length > 10000 then .[length - 10000:] else . end) as $close
      | [try ($close | match(_object("|" + _object("|" + _object(""))); "g") | .string
              | (try fromjson catch null) | select(type == "object" and length > 0)) catch empty]
      | if (unique | length) > 1 then . else last end
    end;

# verdict({error, kind, silent: there was neither a result nor an error exit, text, session, model, usage, cost: in
# dollars or null, ballot, denials, limit_of, retry_at}): what every reader gives,
#   {"text", "session", "model", "usage": {"input": not from a cache, "output", "cache_write", "cache_read"},
#    "cost_usd_micros": null where the tool says none, "ballot": the object that was asked for (a list: of these), or null,
#    "denials": tool calls that were refused, "error": null or what went wrong,
#    "error_kind": null | "limited" | "login" | "failed", "retry_at": epoch or null,
#    "limit_of": "account" | "model", null where the words of the error are to tell,
#    "exit": the adapter contract's exit code that follows (0, 1, 65 no result, 75, 77)}
def verdict($found):
  (if $found.error == null then null else $found.kind // "failed" end) as $kind
  | ($found.usage | object) as $usage
  | {text: (if $kind == null then ($found.text | words) else "" end),
     session: $found.session,
     model: $found.model,
     usage: {input: ($usage.input | whole), output: ($usage.output | whole),
             cache_write: ($usage.cache_write | whole), cache_read: ($usage.cache_read | whole)},
     cost_usd_micros: (if ($found.cost | type) == "number" then ($found.cost * 1000000 | whole) else null end),
     ballot: (if $kind == null then $found.ballot else null end),
     denials: ($found.denials | whole),
     error: (if $kind == null then null else ($found.error | words | cut) end),
     error_kind: $kind,
     exit: ({"limited": 75, "login": 77, "failed": (if $found.silent == true then 65 else 1 end)}[$kind // ""] // 0),
     limit_of: (if $kind == "limited" then $found.limit_of else null end),
     retry_at: (if $kind == "limited" then $found.retry_at else null end)};
