# borda: n-1 ... 0 points, symmetric for ties and truncation: one for each option that a ballot puts below, and half a
# one for each that it puts beside. Scores are counted in halves.
#
# Input: {"pairwise", "total": what all ballots weigh}. Output: {"winners", "scores", "parts": 2, "ranking"}.

include "common";

. as {$pairwise, $total}
| ($pairwise | length) as $n
| [range($n) as $a | [range($n) as $b | select($a != $b) | $total + $pairwise[$a][$b] - $pairwise[$b][$a]] | add // 0]
| { winners: highest, scores: ., parts: 2, ranking: tiers }
