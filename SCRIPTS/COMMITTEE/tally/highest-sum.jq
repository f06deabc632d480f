# plurality, approval, score: the highest count or sum.
#
# Input: {"sums": [n]}. Output: {"winners", "scores", "ranking"}.

include "common";

.sums | { winners: highest, scores: ., ranking: tiers }
