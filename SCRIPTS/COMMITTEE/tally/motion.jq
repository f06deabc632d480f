# A motion: does it pass, and was there a quorum? Integers only; weights apply to the tally and never to the quorum.
#
# Input: {"rule": "majority", "supermajority P/Q" or "unanimity", "of": "cast", "present" or "members",
#         "yes", "no", "abstain": weights, "all": weight of all members, "present": heads, "quorum": heads}
# Output: {"base", "quorum_met", "adopted"}: adopted by the rule, whether or not there was a quorum.
#
# Nothing passes on a tie, and no votes at all are one.

def motion:
  . as $m
  | (if $m.of == "members" then $m.all
     elif $m.of == "present" then $m.yes + $m.no + $m.abstain
     else $m.yes + $m.no end) as $base
  | { $base,
      quorum_met: ($m.present >= $m.quorum),
      adopted: ($m.yes != $m.no and
        if $m.rule == "majority" then $m.yes * 2 > $base
        elif $m.rule == "unanimity" then (if $m.of == "members" then $m.yes == $base else $m.no == 0 end)
        elif ($m.rule | startswith("supermajority ")) then
          ($m.rule | ltrimstr("supermajority ") | split("/") | map(tonumber)) as [$p, $q]
          | $m.yes * $q >= $p * $base
        else error("unknown rule \($m.rule)") end) };
