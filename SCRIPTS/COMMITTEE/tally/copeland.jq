# copeland: wins minus losses.
#
# Input: {"pairwise"}. Output: {"winners", "scores", "ranking"}.

include "common";

.pairwise as $v
| ($v | length) as $n
| [ range($n) as $a
  | [range($n) as $b | if $v[$a][$b] > $v[$b][$a] then 1 elif $v[$a][$b] < $v[$b][$a] then -1 else 0 end] | add ]
| { winners: highest, scores: ., ranking: tiers }
