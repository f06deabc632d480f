# schulze: the strongest beatpath, by winning votes and, where these are equal, by fewer losing votes.
#
# M. Schulze, A new monotonic, clone-independent, reversal symmetric, and Condorcet-consistent single-winner election
# method, Social Choice and Welfare 36 (2011), 267-303.
#
# Input: {"pairwise"}. Output: {"winners", "scores": null, "ranking", "beatpaths": winning votes of the weakest defeat of
# the strongest path from a to b, 0 without a path}.

include "common";

(.pairwise | defeats) as {$levels, $rank}
| ($rank | length) as $n
| reduce range($n) as $via ($rank;
    .[$via] as $on
    | reduce range($n) as $a (.;
        .[$a][$via] as $to
        | if $a == $via or $to == 0 then .
          else .[$a] as $row
            | .[$a] = [ range($n) as $b
              | (if $on[$b] < $to then $on[$b] else $to end) as $weakest
              | if $weakest > $row[$b] then $weakest else $row[$b] end ]
          end))
| . as $path
| [range($n) as $a | [range($n) as $b | $path[$a][$b] > $path[$b][$a]]] as $above
| { winners: [range($n) as $a | select(all(range($n); $above[.][$a] | not)) | $a],
    scores: null,
    ranking: layers($above),
    beatpaths: [ range($n) as $a
      | [ range($n) as $b
        | if $a == $b or $path[$a][$b] == 0 then 0 else $levels[$path[$a][$b] - 1][0] end ] ] }
