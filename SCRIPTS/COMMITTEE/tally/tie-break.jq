# A tie, broken by the better evidence where there is any, then by the person where one was asked, then by lot.
#
# Input: {"winners": [options], "evidence": [number or null] or null, "person": option or null,
#         "lots": [place of each option in the draw] or null}
# Output: null without a tie, else {"among": [options], "by": "evidence", "person", "seed" or null, "elected": option or null}

. as {$winners, $evidence, $person, $lots}
| if ($winners | length) < 2 then null
  else
    (if $evidence == null then $winners
     else ([$winners[] | $evidence[.]] | max) as $best | [$winners[] | select($evidence[.] == $best)] end) as $left
    | { among: $winners }
      + (if ($left | length) == 1 then {by: "evidence", elected: $left[0]}
         elif $person != null and ($left | index([$person])) != null then {by: "person", elected: $person}
         elif $lots != null then {by: "seed", elected: ($left | min_by($lots[.]))}
         else {by: null, elected: null} end)
  end
