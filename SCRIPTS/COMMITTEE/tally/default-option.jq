# The default option, by the Debian constitution (A.5, formerly A.6, steps 2 and 3): an option that fewer than R voters
# prefer to the default is dropped, then one that does not beat the default by its required majority.
#
# Input: {"pairwise", "default": option, "quorum": R, "above": [voters, not weights, that prefer it to the default],
#         "majority": [[p, q] for each option]}
# Output: {"kept": [options], "dropped": [{"option", "why": "quorum" or "majority", "for": n, "against": m}]}

. as {$pairwise, $default, $quorum, $above, $majority}
| [ range($pairwise | length) as $x
  | select($x != $default)
  | {option: $x, for: $pairwise[$x][$default], against: $pairwise[$default][$x]}
  | if $above[$x] < $quorum then . + {why: "quorum", for: $above[$x], against: $quorum}
    elif .for > .against and .for * $majority[$x][1] >= .against * $majority[$x][0] then empty
    else . + {why: "majority"} end ] as $dropped
| { kept: ([range($pairwise | length)] - [$dropped[].option]), $dropped }
