# What the methods share. Options are numbers 0 ... n-1; `pairwise[a][b]` is how many prefer a to b.

# The places of $value in an array.
def places($value): . as $all | [range(length) | select($all[.] == $value)];

# The places of the highest number in an array.
def highest: places(max);

# The places in order of their numbers, highest first; equal ones in one tier.
def tiers: . as $all | [unique | reverse[] | . as $value | $all | places($value)];

# The defeats of a pairwise matrix by winning votes, and where these are equal by fewer losing votes:
# {levels: [[winning, -losing]] from weak to strong, rank: matrix of the place in levels plus 1, 0 for no defeat}.
def defeats:
  . as $v | length as $n
  | ([range($n) as $a | range($n) as $b | select($v[$a][$b] > $v[$b][$a]) | [$v[$a][$b], -$v[$b][$a]]] | unique) as $levels
  | ($levels | to_entries | map({key: (.value | tojson), value: (.key + 1)}) | from_entries) as $ranks
  | { levels: $levels,
      rank: [ range($n) as $a
        | [ range($n) as $b
          | if $v[$a][$b] > $v[$b][$a] then $ranks[[$v[$a][$b], -$v[$b][$a]] | tojson] else 0 end ] ] };

# Tiers of a transitive relation: first those above which nobody stands, then without them, and so on.
def layers($above):
  def down($left):
    if ($left | length) == 0 then []
    else [$left[] as $x | select(all($left[]; $above[.][$x] | not)) | $x] as $top
      | if ($top | length) == 0 then error("a relation with a cycle has no layers") else [$top] + down($left - $top) end
    end;
  down([range($above | length)]);
