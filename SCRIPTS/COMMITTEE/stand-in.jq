# Who is called into a vote that goes on: in place of a reviewer that gave no ballot (limited, late, broken), or as a
# second one after a reject.
#
# Input:  {"author": {"member", "family"}, "agents": as in electorate.jq, "asked": [names of all who were asked],
#          "families": [families of those who sit], "instead_of": {"member", "family"}, or null for a second one}
# Output: {"member", "kind", "family"}, or null: nobody is left.
#
# Of another family than the author's, unless it stands in for one of the author's own; better of one that does not sit
# yet.

. as $in
| [ $in.agents[]
    | select(.kind == "ai" and .limited != true and .member != $in.author.member)
    | select(.member as $name | $in.asked | any(. == $name) | not)
    | select(.family != $in.author.family or $in.instead_of.family == $in.author.family) ]
| sort_by(.family as $family | $in.families | any(. == $family))
| if length > 0 then .[0] | del(.limited) else null end
