# shellcheck shell=bash disable=SC2312  # pipefail tells of every part of a pipeline here
# The workspace of one worker: what workspace.sh offers as a command, for the worker without a program start.
#
# A workspace W holds git/ (our Git directory, which no agent sees), tree/ (the agent's), quarantine/ (objects that were
# taken from the tree and not yet checked). See the head of workspace.sh for what each function takes. None of them is a
# process of its own: WORKSPACE_STATUS is how it ended, WORKSPACE_RESULT what it has to give, WORKSPACE_WHY why it failed.

use log process git fresh keeper text
# allow dependency-direction: what holds a key does not get into the project; what a key looks like stays in SAFETY
use SAFETY/quarantine SAFETY/redact

# shellcheck disable=SC2034  # the caller reads them
WORKSPACE_STATUS=0 WORKSPACE_RESULT='' WORKSPACE_WHY=''

# What Git says (LC_ALL=C) where the disk is to blame and not what is written to it.
readonly WORKSPACE_DISK='No space left on device|Disk quota exceeded|Read-only file system|Input/output error'

# workspace::_ends STATUS [RESULT [WHY]]
# shellcheck disable=SC2034  # the caller reads them
workspace::_ends() {
  WORKSPACE_STATUS=$1 WORKSPACE_RESULT=${2:-} WORKSPACE_WHY=${3:-}
}

# The Git directory of a workspace: empty but for our settings and the project's objects as an alternate.
workspace::_create() {
  local workspace=$1 commit=$2 format=sha1
  ((${#commit} == 40)) || format=sha256
  mkdir -p -- "$workspace/tree" "$workspace/quarantine/info"
  git "${GIT_SETTINGS[@]}" init --quiet --bare --template= --object-format="$format" -- "$workspace/git.new"
  mkdir -p -- "$workspace/git.new/info" "$workspace/git.new/objects/info"
  printf '%s\n' "$ORKESTRA_GIT_DIR/objects" >"$workspace/git.new/objects/info/alternates"
  mv -T -- "$workspace/git.new" "$workspace/git"
}

workspace::prepare() {
  local workspace=$1 commit=$2 mode=cold
  is_commit "$commit" || die "$EX_USAGE" "not a commit: $commit"
  workspace::_pin "$workspace" "$commit"
  [[ -d $workspace/git && ! -e $workspace/git.new ]] || workspace::_forget "$workspace"
  [[ -d $workspace/git ]] || workspace::_create "$workspace" "$commit"
  if [[ -s $workspace/warm ]]; then
    mode=warm
    : >"$workspace/warm"
  elif [[ -s $workspace/furnished ]]; then
    : >"$workspace/furnished" # what a setup had made goes with the other ignored files
  fi
  keeper::ask "$workspace" reset "$commit" "$mode"
  if ((KEEPER_STATUS != 0)) && [[ -z $PROCESS_STOPPING ]]; then
    log::write warn "workspace $workspace could not be brought to $commit and is made anew: $KEEPER_WHY"
    workspace::_forget "$workspace"
    : >"$workspace/furnished"
    workspace::_create "$workspace" "$commit"
    keeper::ask "$workspace" reset "$commit" cold
  fi
  # A new project's src/ is empty, which Git does not carry; whoever begins to work expects it.
  if [[ $KEEPER_STATUS == 0 && -d ${ORKESTRA_PROJECT:-}/src && ! -e $workspace/tree/src && ! -L $workspace/tree/src ]]; then
    mkdir -- "$workspace/tree/src"
  fi
  workspace::_ends "$KEEPER_STATUS" '' "$KEEPER_WHY"
}

# The base is pinned: a person's `git gc --prune=now` must not take it from under the workspace.
workspace::_pin() {
  local name=refs/orkestra/workspaces/${1##*/} now=''
  [[ ! -f $ORKESTRA_GIT_DIR/$name ]] || IFS= read -r now <"$ORKESTRA_GIT_DIR/$name" || now=''
  [[ $now == "$2" ]] || git::own_ref "$name" "$2"
}

workspace::_forget() {
  keeper::end
  fresh::remove "$1/tree" "$1/git" "$1/git.new" "$1/quarantine"
}

# Something was written, or every object is the project's already.
workspace::_is_new() {
  local new=("$1"/quarantine/[0-9a-f][0-9a-f] "$1"/quarantine/pack/*.pack)
  [[ -e ${new[0]} || -e ${new[-1]} ]]
}

# workspace::_pack WORKSPACE BASE OBJECT...: the objects of OBJECT that BASE does not have.
workspace::_pack() {
  printf '%s\n' "${@:3}" "^$2" | git::quarantine "$1" pack-objects --quiet --revs --stdout --no-reuse-delta
}

# workspace::apart W: a tree that a job on another machine may still write to is not used again (SAFETY/lib/launcher.bash).
workspace::apart() {
  [[ -e $1/unclean ]] || return 0
  local apart=$ORKESTRA_WORKSPACES/apart/$EPOCHSECONDS-$SRANDOM
  keeper::end
  mkdir -p -- "$apart"
  [[ ! -d $1/tree ]] || mv -T -- "$1/tree" "$apart/tree"
  workspace::_forget "$1"
  rm -f -- "$1/unclean" "$1/warm" "$1/furnished"
  rm -rf --one-file-system -- "$apart" 2>/dev/null || : # somebody may be writing there: the next run does the rest
}

# workspace::_promote WORKSPACE BASE OBJECT...: the objects of OBJECT that the project does not have yet go there, each
# checked on the way. Its exit status says whether they could.
workspace::_promote() {
  workspace::_pack "$@" | git::project unpack-objects --strict -q
}

# workspace::withhold W ATTEMPT: what take refused for a key in it is kept outside of Git, for the user alone.
workspace::withhold() {
  local attempt=$2 look=$1/look evidence
  [[ -d $attempt ]] || mkdir -p -- "$attempt"
  mv -f -- "$look/withheld.pack" "$look/withheld.txt" "$attempt/"
  text::escape evidence "$QUARANTINE_EVIDENCE"
  printf 'secrets\trefuse\t%s\n' "$evidence" >"$attempt/gates.tsv"
  # The next try gets to see what is left of it without the key, if that can be told from the rest.
  if [[ -f $look/diff.patch ]]; then
    redact::files "$look/diff.patch"
    has_pieces "$look/diff.patch" || mv -f -- "$look/diff.patch" "$attempt/diff.patch"
  fi
  fresh::remove "$look"
}

workspace::_set_aside() {
  local workspace=$1 base=$2 tree=$3 commit=$4 objects=() look=$1/look
  [[ $tree == '=' ]] || objects+=("$tree")
  [[ $commit == - ]] || objects+=("$commit")
  (
    umask 077
    workspace::_pack "$workspace" "$base" "${objects[@]}" >"$look/withheld.pack"
    printf '%s\n' "The work of this attempt holds a key, so that Git does not have it. withheld.pack has all of it:" \
      "tree $tree, the agent's own last commit $commit (- is none), made on $base." \
      "To look at it: git clone --mirror PROJECT COPY; git -C COPY unpack-objects <withheld.pack; git -C COPY ls-tree -r TREE" \
      >"$look/withheld.txt"
  )
}

# workspace::take W BASE: WORKSPACE_RESULT is `TREE AGENT-COMMIT`; TREE is `=` where nothing has changed since BASE.
# WORKSPACE_STATUS is EX_WITHHELD where a known key is in it: workspace::withhold then says where it is kept.
workspace::take() {
  workspace::_take "$@"
  # A Git that was killed looks like a tree that is not as it should be; a tree like that is so a second time.
  if ((WORKSPACE_STATUS == EX_DATA && KEEPER_STATUS != EX_TIMEOUT)) && [[ -z $PROCESS_STOPPING ]]; then
    keeper::end
    workspace::_take "$@"
  fi
}

workspace::_take() {
  local workspace=$1 base=$2 tree commit objects=() why
  keeper::ask "$workspace" take "$base"
  if [[ $KEEPER_STATUS != 0 && $KEEPER_WHY =~ $WORKSPACE_DISK ]]; then
    workspace::_ends "$EX_CANNOT_WRITE" '' "what the agent left cannot be written into $workspace: ${BASH_REMATCH[0]}"
    return
  elif ((KEEPER_STATUS != 0)); then
    workspace::_ends "$EX_DATA" '' "the workspace cannot be taken: $KEEPER_WHY"
    return
  fi
  read -r tree commit <<<"$KEEPER_RESULT"
  workspace::_ends "$EX_DATA" '' 'what the agent left gave no tree'
  if [[ $tree != '=' ]]; then
    is_commit "$tree" || return 0
    objects+=("$tree")
  fi
  if [[ $commit != - ]]; then
    is_commit "$commit" || return 0
    objects+=("$commit")
  fi
  # shellcheck disable=SC2310  # predicates, and one whose status is what is asked for
  if ((${#objects[@]} == 0)) || ! workspace::_is_new "$workspace"; then
    workspace::_ends 0 "$tree $commit"
    return
  elif has_key "$workspace" "$base" "$tree" "$commit"; then
    workspace::_set_aside "$workspace" "$base" "$tree" "$commit"
    workspace::_ends "$EX_WITHHELD" '' "a gate refused it: secrets: $QUARANTINE_EVIDENCE"
    return
  elif ! workspace::_promote "$workspace" "$base" "${objects[@]}" 2>"$workspace/promoted"; then
    why=$(<"$workspace/promoted")
    if [[ $why =~ $WORKSPACE_DISK ]]; then
      workspace::_ends "$EX_CANNOT_WRITE" '' "what the agent left cannot be written into $ORKESTRA_GIT_DIR/objects: ${BASH_REMATCH[0]}"
    else
      workspace::_ends "$EX_DATA" '' "what the agent left does not pass Git's own checks"
    fi
    return
  fi
  workspace::_ends 0 "$tree $commit"
}

# workspace::measure W ATTEMPT BASE TREE: WORKSPACE_RESULT is `FILES PATCH-ID`. ATTEMPT gets changes.raw and changes.count
# (what git diff-tree says with -z --raw and --numstat), and diff.patch.
workspace::measure() {
  local workspace=$1 attempt=$2 base=$3 tree=$4 patch_id all=$1/changes
  git::workspace "$workspace" diff-tree -r -z --raw --numstat -p --full-index --no-renames --no-ext-diff --no-textconv \
    "$base" "$tree" >"$all"
  workspace::_split "$attempt" <"$all"
  # In no repository: the id is the same in one whose objects have longer names.
  patch_id=$(GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 git -C / patch-id --stable <"$attempt/diff.patch")
  patch_id=${patch_id%% *}
  workspace::_ends 0 "$WORKSPACE_FILES ${patch_id:--}"
}

# One look gave all three, one after the other: a pair for each path, a line of counts for each path, nothing, the patch.
WORKSPACE_FILES=0
workspace::_split() {
  local attempt=$1 meta path raw=() counts=()
  WORKSPACE_FILES=0
  while IFS= read -r -d '' meta && [[ $meta == :* ]] && IFS= read -r -d '' path; do
    raw+=("$meta" "$path")
    ((++WORKSPACE_FILES))
  done
  while [[ -n $meta ]]; do
    counts+=("$meta")
    IFS= read -r -d '' meta || meta=''
  done
  if ((WORKSPACE_FILES == 0)); then
    : >"$attempt/changes.raw"
    : >"$attempt/changes.count"
    : >"$attempt/diff.patch"
    return
  fi
  printf '%s\0' "${raw[@]}" >"$attempt/changes.raw"
  printf '%s\0' "${counts[@]}" >"$attempt/changes.count"
  cat >"$attempt/diff.patch"
}

# workspace::merge W BASE TREE HEAD: the change from BASE to TREE brought onto HEAD, in the workspace too. WORKSPACE_RESULT
# is the tree; WORKSPACE_STATUS 1 means a conflict, and WORKSPACE_RESULT tells its files.
workspace::merge() {
  local workspace=$1 base=$2 tree=$3 head=$4 change status=0 lines shown
  change=$(git::project commit-tree -p "$base" -m 'a change on its way' "$tree")
  git::workspace "$workspace" merge-tree --write-tree --no-messages --name-only -z "$head" "$change" \
    >"$workspace/merge" || status=$?
  mapfile -d '' -t lines <"$workspace/merge"
  case $status in
    0) ;;
    1)
      printf -v shown '%s\n' "${lines[@]:1}"
      workspace::_ends 1 "${shown%$'\n'}"
      return
      ;;
    *)
      workspace::_ends "$EX_INTERNAL" '' "git merge-tree ended with $status"
      return
      ;;
  esac
  keeper::ask "$workspace" reset "${lines[0]}" switch
  workspace::_ends "$KEEPER_STATUS" "${lines[0]}" "$KEEPER_WHY"
}

# What reviewers look at is the tree they vote on, not what a check has made of it since.
workspace::show() {
  keeper::ask "$1" reset "$2" exact
  workspace::_ends "$KEEPER_STATUS" '' "$KEEPER_WHY"
}

# Unlanded work stays reachable under refs/orkestra/attempts/TASK/TRY, on top of what the agent itself committed.
workspace::keep() {
  local task=$2 try=$3 base=$4 tree=$5 own=${6:--} parent commit
  parent=$base
  [[ $own == - ]] || parent=$own
  commit=$(git::project commit-tree -p "$parent" -m "orkestra: attempt $try at $task" "$tree")
  git::own_ref "refs/orkestra/attempts/$task/$try" "$commit"
  workspace::_ends 0 "$commit"
}
