# minimax: the smallest worst defeat, by winning votes. A score is an option's worst defeat, 0 without one.
#
# Input: {"pairwise"}. Output: {"winners", "scores", "ranking"}.

include "common";

.pairwise as $v
| ($v | length) as $n
| [range($n) as $a | [0, (range($n) as $b | select($v[$b][$a] > $v[$a][$b]) | $v[$b][$a])] | max]
| { winners: places(min), scores: ., ranking: (tiers | reverse) }
