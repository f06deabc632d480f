# shellcheck shell=bash disable=SC2312  # pipefail tells of every part of a pipeline here
# The workspace of one worker: what workspace.sh offers as a command, for the worker without a program start.
#
# A workspace W holds git/ (our Git directory, which no agent sees), tree/ (the agent's), quarantine/ (objects that were
# taken from the tree and not yet checked). See the head of workspace.sh for what each function takes and prints.

use log process git fresh

readonly TREE_SECONDS=${ORKESTRA_TREE_SECONDS:-300} # bound on Git's own work in a hostile tree

# Runs one of the tree-*.sh commands in the sandbox: no network, the project's objects read-only.
workspace::_inside() {
  local workspace=$1 command=$2
  shift 2
  local line binds=()
  [[ -d $workspace/home ]] || mkdir -p -- "$workspace/home"
  # A project that is a shared clone itself has objects elsewhere.
  if [[ -f $ORKESTRA_GIT_DIR/objects/info/alternates ]]; then
    while IFS= read -r line; do
      [[ $line != /* ]] || binds+=(--ro "$line")
    done <"$ORKESTRA_GIT_DIR/objects/info/alternates"
  fi
  # allow dependency-direction: it only names the commands that the sandbox starts
  (process::sandboxed "$TREE_SECONDS" --rw "$workspace/tree" --rw "$workspace/git" --rw "$workspace/quarantine" \
    --ro "$ORKESTRA_GIT_DIR/objects" --ro "$ORKESTRA_SCRIPTS/CORE" "${binds[@]}" \
    --home "$workspace/home" --chdir "$workspace/tree" -- "$ORKESTRA_SCRIPTS/CORE/$command" "$@")
}

# The Git directory of a workspace: empty but for our settings and the project's objects as an alternate.
workspace::_create() {
  local workspace=$1 commit=$2 format=sha1
  ((${#commit} == 40)) || format=sha256
  mkdir -p -- "$workspace/quarantine"
  git "${GIT_SETTINGS[@]}" init --quiet --bare --template= --object-format="$format" -- "$workspace/git.new"
  mkdir -p -- "$workspace/git.new/info" "$workspace/git.new/objects/info"
  printf '%s\n' "$ORKESTRA_GIT_DIR/objects" >"$workspace/git.new/objects/info/alternates"
  mv -T -- "$workspace/git.new" "$workspace/git"
}

workspace::prepare() {
  workspace::_reset "$@"
  # A new project's src/ is empty, which Git does not carry; whoever begins to work expects it.
  if [[ -d ${ORKESTRA_PROJECT:-}/src && ! -e $1/tree/src && ! -L $1/tree/src ]]; then mkdir -- "$1/tree/src"; fi
}

workspace::_reset() {
  local workspace=$1 commit=$2 mode=cold pin status=0
  is_commit "$commit" || die "$EX_USAGE" "not a commit: $commit"
  [[ -d $workspace/git && ! -e $workspace/git.new ]] || workspace::_forget "$workspace"
  [[ -d $workspace/git ]] || workspace::_create "$workspace" "$commit"
  [[ ! -e $workspace/warm ]] || mode=warm
  [[ ! -e $workspace/warm && ! -e $workspace/git/index.lock ]] || rm -f -- "$workspace/warm" "$workspace/git/index.lock"
  # The base is pinned: a person's `git gc --prune=now` must not take it from under the workspace.
  pin=refs/orkestra/workspaces/${workspace##*/}
  git::project update-ref "$pin" "$commit"
  [[ -d $workspace/tree && -d $workspace/quarantine ]] || mkdir -p -- "$workspace/tree" "$workspace/quarantine"
  local reset=("$workspace/git" "$workspace/tree" "$commit" "$mode" "$ORKESTRA_BRANCH" "$ORKESTRA_GIT_DIR/objects")
  # shellcheck disable=SC2310  # the status of what ran in the sandbox is what is asked for
  workspace::_inside "$workspace" tree-reset.sh "${reset[@]}" 2>"$workspace/reset.log" || status=$?
  ((status != 0)) || return 0
  log::write warn "workspace $workspace could not be brought to $commit and is made anew"
  workspace::_forget "$workspace"
  workspace::_create "$workspace" "$commit"
  mkdir -- "$workspace/tree"
  workspace::_inside "$workspace" tree-reset.sh "${reset[@]}"
}

workspace::_forget() {
  fresh::remove "$1/tree" "$1/git" "$1/git.new" "$1/quarantine"
}

# The objects of OBJECT that the project does not have yet go there, each checked on the way.
workspace::_promote() {
  local workspace=$1 base=$2 new
  shift 2
  # Nothing was written: every object is the project's already.
  new=$(compgen -G "$workspace/quarantine/??" || compgen -G "$workspace/quarantine/pack/*.pack" || printf '')
  [[ -n $new ]] || return 0
  printf '%s\n' "$@" "^$base" \
    | GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_OBJECT_DIRECTORY=$workspace/quarantine \
      git "${GIT_SETTINGS[@]}" --git-dir="$workspace/git" pack-objects --quiet --revs --stdout --no-reuse-delta \
    | git::project unpack-objects --strict -q \
    || die "$EX_DATA" "what the agent left does not pass Git's own checks"
}

workspace::take() {
  local workspace=$1 attempt=$2 base=$3 line tree commit
  rm -rf -- "$workspace/quarantine"
  mkdir -p -- "$workspace/quarantine/info"
  printf '%s\n' "$ORKESTRA_GIT_DIR/objects" >"$workspace/quarantine/info/alternates"
  # shellcheck disable=SC2310  # as above
  line=$(workspace::_inside "$workspace" tree-take.sh "$workspace/git" "$workspace/tree" "$workspace/quarantine" \
    "$base" "$ORKESTRA_BRANCH" 2>"$workspace/take.log") || workspace::_refuse "$workspace"
  read -r tree commit <<<"$line"
  is_commit "$tree" || die "$EX_DATA" "what the agent left gave no tree"
  if [[ $commit != - ]]; then
    is_commit "$commit" || die "$EX_DATA" "what the agent left gave no commit"
    workspace::_promote "$workspace" "$base" "$tree" "$commit"
  else
    workspace::_promote "$workspace" "$base" "$tree"
  fi
  workspace::measure "$workspace" "$attempt" "$base" "$tree" "$commit"
}

workspace::_refuse() {
  local why=''
  IFS= read -r why <"$1/take.log" || why=${why:-"it took longer than $TREE_SECONDS seconds"}
  die "$EX_DATA" "the workspace cannot be taken: ${why#orkestra: }"
}

workspace::measure() {
  local workspace=$1 attempt=$2 base=$3 tree=$4 commit=${5:--} patch_id='' paths
  git::workspace "$workspace" diff-tree -r -z --raw --no-renames "$base" "$tree" >"$attempt/changes.raw"
  git::workspace "$workspace" diff-tree -p --full-index --no-renames --no-ext-diff --no-textconv "$base" "$tree" \
    >"$attempt/diff.patch"
  patch_id=$(git::workspace "$workspace" patch-id --stable <"$attempt/diff.patch")
  patch_id=${patch_id%% *}
  mapfile -d '' paths <"$attempt/changes.raw"
  printf '%s %s %s %s\n' "$tree" "$((${#paths[@]} / 2))" "${patch_id:--}" "$commit"
}

# The change from BASE to TREE brought onto HEAD, in the workspace too. A conflict is told by its files.
workspace::merge() {
  local workspace=$1 base=$2 tree=$3 head=$4 change status=0 lines
  change=$(git::project commit-tree -p "$base" -m 'a change on its way' "$tree")
  git::workspace "$workspace" merge-tree --write-tree --no-messages --name-only -z "$head" "$change" \
    >"$workspace/merge" || status=$?
  mapfile -d '' -t lines <"$workspace/merge"
  if ((status == 1)); then
    printf '%s\n' "${lines[@]:1}"
    exit 1
  fi
  ((status == 0)) || die "$EX_INTERNAL" "git merge-tree ended with $status"
  workspace::_inside "$workspace" tree-reset.sh "$workspace/git" "$workspace/tree" "${lines[0]}" switch \
    "$ORKESTRA_BRANCH" "$ORKESTRA_GIT_DIR/objects"
  printf '%s\n' "${lines[0]}"
}

# What reviewers look at is the tree they vote on, not what a check has made of it since.
workspace::show() {
  workspace::_inside "$1" tree-reset.sh "$1/git" "$1/tree" "$2" exact "$ORKESTRA_BRANCH" "$ORKESTRA_GIT_DIR/objects"
}

# Unlanded work stays reachable under refs/orkestra/attempts/TASK/TRY, on top of what the agent itself committed.
workspace::keep() {
  local task=$2 try=$3 base=$4 tree=$5 own=${6:--} parent commit
  parent=$base
  [[ $own == - ]] || parent=$own
  commit=$(git::project commit-tree -p "$parent" -m "orkestra: attempt $try at $task" "$tree")
  git::project update-ref "refs/orkestra/attempts/$task/$try" "$commit"
  printf '%s\n' "$commit"
}
