# Tally and decision of a review: shall this change be accepted?
#
# Input:  the vote record (electorate, ballots, weights, rule, of, quorum, round, gates, author; tie: "person" where a
#         second reviewer was asked after a reject).
# Output: {"tally": {...}, "decision": "approve" | "revise" | "reject" | "no-quorum" | "needs-person",
#          "why": one line, "reviewed_by": "other family" | "same family" | "person" | "programs" | "none"}
#
# Integers only. revise and reject are a no. In round 1 any revise sends the reasons back. Once an AI or a person is in
# the electorate programs do not count toward the quorum and do not outvote the others: it has to pass by the ballots of
# those alone, too. Where another family than the author's is in it, one of its members must be among the yes votes. A
# change that a gate marked needs the yes of an AI of another family, or of a person. A tie fails. Where
# the two disagree who were asked after a reject, whatever each weighs, it is a deadlock, over which a person decides.

include "tally/motion";

def entry($v; $name): [$v.electorate[] | select(.member == $name)][0];
def weight($v): if $v.weights[.member] == null then 1000 else $v.weights[.member] end;
def sum_weights($v): map(weight($v)) | add // 0;
def motion($v; $ballots; $members; $present):
  { rule: $v.rule, of: $v.of, $present, quorum: $v.quorum,
    yes: ($ballots | map(select(.choice == "approve")) | sum_weights($v)),
    no: ($ballots | map(select(.choice == "revise" or .choice == "reject")) | sum_weights($v)),
    abstain: ($ballots | map(select(.choice == "abstain")) | sum_weights($v)),
    all: ($members | sum_weights($v)) } | . + motion;
def is_foreign($v): .kind == "person" or (.kind != "program" and .family != $v.author.family);

. as $v
| [$v.electorate[] | select(.kind != "program")] as $people
| (if ($people | length) > 0 then $people else $v.electorate end | map(.member)) as $heads
| [$v.electorate[].member] as $members
| [$v.ballots[] | select(.member as $m | $members | index([$m]) != null)] as $ballots
| [$ballots[] | select(.choice == "approve")] as $approve
| [$ballots[] | select(.choice == "revise")] as $revise
| [$ballots[] | select(.choice == "reject")] as $reject
| [$ballots[] | select(.member as $m | $heads | index([$m]) != null)] as $heard
| ($heard | length) as $present
| motion($v; $ballots; $v.electorate; $present) as $motion
| motion($v; $heard; [$v.electorate[] | select(.member as $m | $heads | index([$m]) != null)]; $present) as $theirs
| $motion.yes as $yes
| $motion.no as $no
| ([$v.electorate[] | select(is_foreign($v))] | length > 0) as $has_foreign
| ([$approve[] | .member as $m | entry($v; $m) | select(is_foreign($v))] | length > 0) as $foreign_yes
| ([$v.gates[]? | select(.marked == true)] | length > 0) as $marked
| (if $motion.quorum_met | not then
     ["no-quorum", "no quorum: \($present) of \($heads | length) reviewers voted, \($v.quorum) are needed"]
   elif $v.round == 1 and ($revise | length) > 0 then ["revise", "a reviewer asks for a revision"]
   elif $v.tie == "person" and ($approve | length) > 0 and ($revise + $reject | length) > 0 then
     ["needs-person", "a deadlock: one reviewer accepts it, another one does not"]
   elif $motion.adopted | not then ["reject", "the reviewers did not accept it (\($approve | length) yes, \($revise + $reject | length) no)"]
   elif $theirs.adopted | not then
     ["reject", "the programs accepted it, the other reviewers did not (\([$heard[] | select(.choice == "approve")] | length) yes, \([$heard[] | select(.choice == "revise" or .choice == "reject")] | length) no)"]
   elif $has_foreign and ($foreign_yes | not) then ["reject", "no reviewer of another family than the author's accepted it"]
   elif $marked and ($foreign_yes | not) then
     ["needs-person", "it changes what judges it, and no reviewer of another family or person accepted it"]
   else ["approve", "accepted (\($approve | length) yes, \($revise + $reject | length) no)"] end) as $result
| [$ballots[] | .member as $m | entry($v; $m)] as $voters
| (if [$voters[] | select(.kind == "person")] | length > 0 then "person"
   elif [$voters[] | select(.kind != "program" and .family != $v.author.family)] | length > 0 then "other family"
   elif [$voters[] | select(.kind != "program")] | length > 0 then "same family"
   elif ($voters | length) > 0 then "programs"
   else "none" end) as $reviewed_by
| { tally: { rule: $v.rule, of: $v.of, base: $motion.base, yes: $yes, no: $no, abstain: $motion.abstain,
             approve: ($approve | length), revise: ($revise | length), reject: ($reject | length),
             present: $present, members: ($heads | length), quorum: $v.quorum,
             quorum_met: $motion.quorum_met, round: $v.round, adopted: $motion.adopted },
    decision: $result[0], why: $result[1], reviewed_by: $reviewed_by }
