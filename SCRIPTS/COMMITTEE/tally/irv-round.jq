# irv, one round: elected with a strict majority of the continuing ballots, else the one lowest is dropped.
#
# Of several lowest the one that was lower in the latest earlier round that tells them apart; then the one whose lot is
# drawn last. Without lots each of them may be the one, except where they have no vote at all: then it makes no difference.
#
# Input: {"continuing": [options], "counts": [n for every option], "earlier": [counts of the rounds before],
#         "lots": [place of each option in the draw] or null}
# Output: {"elected": [options], "drop": [options, one of which goes], "among": [options that were equally low, if several],
#         "by": null, "earlier rounds", "seed" or "no votes"}

. as {$continuing, $counts, $earlier, $lots}
| def lowest($of): (map($of[.]) | min) as $least | map(select($of[.] == $least));
  ([$continuing[] | $counts[.]] | add) as $votes
| [$continuing[] | select($counts[.] * 2 > $votes)] as $majority
| if ($majority | length) > 0 then {elected: $majority, drop: [], among: [], by: null}
  elif $votes == 0 or ($continuing | length) == 1 then {elected: $continuing, drop: [], among: [], by: null}
  else
    ($continuing | lowest($counts)) as $last
    | (reduce ($earlier | reverse[]) as $before ($last; lowest($before))) as $left
    | {elected: [], among: (if ($last | length) > 1 then $last else [] end)}
      + (if ($last | length) == 1 then {drop: $last, by: null}
         elif ($left | length) == 1 then {drop: $left, by: "earlier rounds"}
         elif $lots != null then {drop: [$left | max_by($lots[.])], by: "seed"}
         elif $counts[$left[0]] == 0 then {drop: $left[:1], by: "no votes"}
         else {drop: $left, by: null}
         end)
  end
