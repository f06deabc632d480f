# Who reviews a change, by the table of the committee's rules.
#
# Input:  {"author": {"member", "family", "model"}, "reviewers": "auto" or [names],
#          "agents": [{"member", "family", "kind", "model", "limited": true while it rests or is paused}]   those that can give a ballot,
#          "programs": [names of the built-in program reviewers],
#          "changed_lines": n, "marked": bool, "seats": so many in any case, where it is given}
# Output: {"electorate": [{"member", "kind", "family"}], "recused": [names], "quorum": n, "weights": {name: 1000},
#          "waiting": null, or {"for": [names], "missing": n}: no vote before so many of these are limited no more}
#
# The author is recused, except where its vendor is the only one: then the same tool reviews in a fresh session, with
# another model where there is one, and the record says that the review is of the author's own family.
#
# A limit lowers no bar: a seat of another family is taken by one of another family, or waits. Where a project names its
# reviewers nobody else is asked; those of them that rest are absent, unless there were no quorum without them, or none
# of another family though some were named.

def free: map(select(.limited != true));
def rest: map(select(.limited == true) | .member);
def quorum: [((. * 6 + 9) / 10 | floor), 1] | max;

# Benches: {"from": whom a seat may go to, best first, "seats": n}
def bench($from; $seats): {from: $from, seats: ([$seats, ($from | length)] | min | [., 0] | max)};
def fill: map(. + {taken: (.seats as $seats | .from | free | .[:$seats])});
def short: map(select((.taken | length) < .seats));

. as $in
| ($in.agents | map(select(.kind == "ai"))) as $ai
| ($ai | map(select(.member != $in.author.member))) as $others
| ($others | map(select(.family != $in.author.family))) as $foreign
| ($others | map(select(.family == $in.author.family)) | sort_by((.model // "") == ($in.author.model // ""))) as $same
| ($in.programs | map({member: ., kind: "program", family: "program"})) as $programs
| ($in.seats // (if $in.changed_lines > 400 or $in.marked then 2 else 1 end)) as $wanted
| (if $in.reviewers != "auto" then
     [ $in.reviewers[] as $name
       | ($ai + $programs)[] | select(.member == $name and .member != $in.author.member) ] as $named
     | ($named | map(select(.kind != "program"))) as $heads
     | ($heads | map(select(.family != $in.author.family))) as $strangers
     | (($strangers | length) > 0 and ($strangers | free | length) == 0) as $estranged
     | ([(if ($heads | length) > 0 then ($heads | length | quorum) - ($heads | free | length) else 0 end),
         (if $estranged then 1 else 0 end)] | max) as $missing
     | {electorate: $named,
        waiting: (if $missing > 0 then {for: (if $estranged then $strangers else $heads end | rest), $missing} else null end)}
   elif ($ai | length) == 0 then {electorate: $programs, waiting: null}
   else
     (if ($foreign | length) > 0 then [bench($foreign; $wanted), bench($same; $wanted - ($foreign | length))]
      elif ($same | length) > 0 then [bench($same; 1)]
      else [bench($ai; 1)] end | fill) as $benches
     | ($benches | short) as $short
     | {electorate: ($benches | map(.taken) | add),
        waiting: (if ($short | length) == 0 then null
                  else {for: ($short | map(.from | rest) | add),
                        missing: ($short | map(.seats - (.taken | length)) | add)} end)}
   end) as $found
| ($found.electorate | map(del(.limited))) as $electorate
| ($electorate | map(select(.kind != "program"))) as $heads
| { electorate: $electorate,
    waiting: $found.waiting,
    recused: ($ai | map(.member) | map(select(. == $in.author.member))
              - ($electorate | map(.member))),
    quorum: (if ($heads | length) > 0 then $heads else $electorate end | length | quorum),
    weights: ($electorate | map({key: .member, value: 1000}) | from_entries) }
