# Decision of a calibration: was the planted defect found?
#
# Input:  the vote record (electorate: one member; ballots).
# Output: {"tally": {"caught", "missed", "present", "members"}, "decision": "caught" | "missed" | "abstained" | "absent",
#          "why": one line, "reviewed_by": "none"}
#
# Who asks for a revision or rejects has found it. Nothing lands by it, whatever is decided.

.electorate[0].member as $member
| [.ballots[] | select(.member == $member)] as $ballots
| ($ballots[0].choice // null) as $choice
| (if $choice == "approve" then ["missed", "\($member) approved the change with the planted defect"]
   elif $choice == "revise" or $choice == "reject" then ["caught", "\($member) did not approve the change with the planted defect"]
   elif $choice == "abstain" then ["abstained", "\($member) abstained"]
   else ["absent", "\($member) gave no ballot"] end) as $result
| { tally: { caught: (if $result[0] == "caught" then 1 else 0 end), missed: (if $result[0] == "missed" then 1 else 0 end),
             present: ($ballots | length), members: (.electorate | length) },
    decision: $result[0], why: $result[1], reviewed_by: "none" }
