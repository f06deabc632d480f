# ranked-pairs: lock the strongest defeats first, skipping those that close a cycle with what is locked.
#
# T. N. Tideman, Independence of clones as a criterion for voting rules, Social Choice and Welfare 4 (1987), 185-206.
# Strength is winning votes, then fewer losing votes. Equally strong defeats may be locked in any order: a winner is every
# option that stands on top after one of these orders. To say that of every profile is hard (Brill and Fischer, The price
# of neutrality for the ranked pairs method, AAAI 2012), so at most "effort" defeats are locked in all.
#
# Input: {"pairwise", "effort"}. Output: {"winners", "scores": null, "ranking", "locked": [[a, b]], "skipped": [[a, b]]};
# the last three are those of one order, in which of equal defeats the first named comes first. Beyond "effort" only
# {"problem": why}.

include "common";

# Who reaches whom by locked defeats: a matrix of 0 and 1, with 1 for oneself.
def lock($a; $b):
  . as $reach | length as $n | .[$b] as $below
  | reduce (range($n) | select($reach[.][$a] == 1 and $reach[.][$b] == 0)) as $x (.;
      .[$x] = [range($n) as $y | if $below[$y] == 1 then 1 else $reach[$x][$y] end]);

# Of those on which nobody stood, those on which nobody stands now: who is beaten is beaten by one of them.
def unbeaten($top): . as $reach | [$top[] as $x | select(all($top[]; . == $x or $reach[.][$x] == 0)) | $x];

. as {$pairwise, $effort}
| ($pairwise | length) as $n
| ($pairwise | defeats.rank) as $rank
| ([range($n) as $a | range($n) as $b | select($rank[$a][$b] > 0) | [$rank[$a][$b], $a, $b]]
   | group_by(.[0]) | reverse | map(map(.[1:]))) as $groups
| [range($n) as $a | [range($n) as $b | if $a == $b then 1 else 0 end]] as $nothing

# A search over the orders, with a stack of places: {reach, top: unbeaten before, group, left: defeats of that group not yet
# locked or skipped}.
| def step:
    .stack[-1] as $at | .stack |= .[:-1]
    | ($at.reach | unbeaten($at.top)) as $top
    | if ($top - .found | length) == 0 then .
      elif ($top | length) == 1 or $at.group == ($groups | length) then .found += ($top - .found)
      else
        ([($at.left // $groups[$at.group])[] | select(. as [$a, $b] | $at.reach[$b][$a] == 0 and $at.reach[$a][$b] == 0)]) as $left
        | .work += ($left | length)
        | (reduce $left[] as [$a, $b] ($at.reach; lock($a; $b))) as $all
        | [$left[] | select(. as [$a, $b] | $all[$b][$a] == 1)] as $cyclic
        | (if ($cyclic | length) == 0 then $all
           else reduce ($left - $cyclic)[] as [$a, $b] ($at.reach; lock($a; $b)) end) as $reach
        | if ($cyclic | length) == 0 then .stack += [{$reach, $top, group: ($at.group + 1), left: null}]
          else ({$reach, group: $at.group} | tojson) as $key
            | if .seen[$key] then .
              else .seen[$key] = true
                | .work += ($cyclic | length)
                | .stack += [$cyclic[] as [$a, $b] | {reach: ($reach | lock($a; $b)), $top, group: $at.group, left: $cyclic}]
              end
          end
      end;
  def search:
    if .work > $effort then null
    elif (.stack | length) == 0 then .found | sort
    else step | search end;
  ({stack: [{reach: $nothing, top: [range($n)], group: 0, left: null}], found: [], seen: {}, work: 0} | search) as $winners

| if $winners == null then
    {problem: "too many defeats are equally strong to follow every order in which they may be locked"}
  else
    (reduce $groups[][] as [$a, $b] ({reach: $nothing, locked: [], skipped: []};
       if .reach[$b][$a] == 1 then .skipped += [[$a, $b]]
       else .locked += [[$a, $b]] | if .reach[$a][$b] == 1 then . else .reach |= lock($a; $b) end end)) as $one
    | { $winners, scores: null,
        ranking: layers([range($n) as $a | [range($n) as $b | $a != $b and $one.reach[$a][$b] == 1]]),
        locked: $one.locked, skipped: $one.skipped }
  end
