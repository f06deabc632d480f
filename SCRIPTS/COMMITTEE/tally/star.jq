# star: of the two highest sums the one that more ballots prefer.
#
# Where sums are equal, several pairs may be the two highest: a winner is who wins one of these runoffs, or ties in it.
#
# Input: {"sums", "pairwise"}. Output: {"winners", "scores", "ranking": null, "runoffs": [{"between": [a, b], "prefer": [n, m]}]}.

include "common";

. as {$sums, $pairwise}
| ($sums | highest) as $top
| (if ($top | length) > 1 then [$top[] as $a | $top[] as $b | select($a < $b) | [$a, $b]]
   else [range($sums | length)] - $top
     | ([.[] | $sums[.]] | max) as $second
     | map(select($sums[.] == $second)) | map([$top[0], .])
   end) as $pairs
| [$pairs[] as [$a, $b] | {between: [$a, $b], prefer: [$pairwise[$a][$b], $pairwise[$b][$a]]}] as $runoffs
| { winners:
      (if ($runoffs | length) == 0 then $top
       else [$runoffs[] | .between as [$a, $b] | .prefer as [$m, $n]
             | if $m > $n then $a elif $m < $n then $b else $a, $b end] | unique
       end),
    scores: $sums, ranking: null, $runoffs }
