# Who reviews a change, by the table of the committee's rules.
#
# Input:  {"author": {"member", "family"}, "reviewers": "auto" or [names],
#          "agents": [{"member", "family", "kind", "model"}]   enabled agents that can give a ballot,
#          "programs": [names of the built-in program reviewers],
#          "changed_lines": n, "marked": bool}
# Output: {"electorate": [{"member", "kind", "family"}], "recused": [names], "quorum": n, "weights": {name: 1000}}
#
# The author is recused, except where its vendor is the only one: then the same tool reviews in a
# fresh session, and the record says that the review is of the author's own family.

. as $in
| ($in.agents | map(select(.kind == "ai"))) as $ai
| ($ai | map(select(.member != $in.author.member))) as $others
| ($others | map(select(.family != $in.author.family))) as $foreign
| ($in.programs | map({member: ., kind: "program", family: "program"})) as $programs
| (if $in.reviewers != "auto" then
     [ $in.reviewers[] as $name
       | ($ai + $programs)[] | select(.member == $name and .member != $in.author.member) ]
   elif ($ai | length) == 0 then $programs
   elif ($foreign | length) > 0 then
     (if $in.changed_lines > 400 or $in.marked then 2 else 1 end) as $wanted
     | ($foreign + ($others | map(select(.family == $in.author.family))))[:$wanted]
   elif ($others | length) > 0 then $others[:1]
   else $ai[:1]
   end) as $electorate
| ($electorate | map(select(.kind != "program"))) as $heads
| (if ($heads | length) > 0 then $heads else $electorate end | length) as $counted
| { electorate: $electorate,
    recused: ($ai | map(.member) | map(select(. == $in.author.member))
              - ($electorate | map(.member))),
    quorum: ([(($counted * 6 + 9 - ($counted * 6 + 9) % 10) / 10), 1] | max),
    weights: ($electorate | map({key: .member, value: 1000}) | from_entries) }
