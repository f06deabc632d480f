# shellcheck shell=bash
# Git as the framework runs it: no hooks, no drivers, no filters of an agent's choosing, hostile names refused, and
# everything on disk before a ref says so (core.fsync: see docs/reliability.md).

use log

# Command lines and environments, set once; what git::project and its sisters put before their arguments. A file above
# bigFileThreshold is binary to a diff (plumbing.py has the same): line by line it takes forty times its size in memory.
readonly GIT_SETTINGS=(-c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.protectHFS=true
  -c core.protectNTFS=true -c gc.auto=0 -c maintenance.auto=false -c submodule.recurse=false -c core.fsync=all
  -c core.fsyncMethod=batch -c core.bigFileThreshold=16m -c safe.directory='*')

readonly GIT_LOCK_TRIES=30 # of a tenth of a second: how long a living Git may take to move a ref

# A person's or a machine's settings never change what a hash or a landing is.
readonly GIT_ENVIRONMENT=(GIT_TERMINAL_PROMPT=0 GIT_OPTIONAL_LOCKS=0 GIT_NO_REPLACE_OBJECTS=1
  GIT_LITERAL_PATHSPECS=1 LC_ALL=C)

unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE
export "${GIT_ENVIRONMENT[@]}"

# git::carry_identity: commits are the user's from here on. The context has found out who that is, from the same
# variables too, which therefore are not set before.
git::carry_identity() {
  export GIT_AUTHOR_NAME=$ORKESTRA_AUTHOR_NAME GIT_AUTHOR_EMAIL=$ORKESTRA_AUTHOR_EMAIL
  export GIT_COMMITTER_NAME=$ORKESTRA_AUTHOR_NAME GIT_COMMITTER_EMAIL=$ORKESTRA_AUTHOR_EMAIL
}
# allow library-form: the parts of a run have the context from their first line on
[[ -z ${ORKESTRA_AUTHOR_NAME:-} ]] || git::carry_identity

# git::project ARG...: objects and refs of the project's own repository.
git::project() {
  GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 \
    git "${GIT_SETTINGS[@]}" --git-dir="$ORKESTRA_GIT_DIR" "$@"
}

# git::workspace W ARG...: with the workspace's Git directory, which no agent sees and whose settings are ours alone;
# new objects go straight to the project. Reads and writes objects only: whatever looks at the working tree runs in a
# sandbox (tree-keeper.sh).
git::workspace() {
  local workspace=$1
  shift
  GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 \
    GIT_OBJECT_DIRECTORY=$ORKESTRA_GIT_DIR/objects git "${GIT_SETTINGS[@]}" --git-dir="$workspace/git" "$@"
}

# git::quarantine W ARG...: the same, with the objects that were taken from the tree and are not the project's yet.
git::quarantine() {
  local workspace=$1
  shift
  GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 \
    GIT_OBJECT_DIRECTORY=$workspace/quarantine git "${GIT_SETTINGS[@]}" --git-dir="$workspace/git" "$@"
}

# git::checkout GIT_DIR WORK_TREE ARG...: in a person's checkout, with that person's own settings (line ends, LFS),
# but still without hooks.
git::checkout() {
  local git_dir=$1 work_tree=$2
  shift 2
  git "${GIT_SETTINGS[@]}" --git-dir="$git_dir" --work-tree="$work_tree" "$@"
}

# git::own_ref REF [NEW]: one of our own refs, which one process at a time writes; without NEW it is removed.
git::own_ref() {
  local why words=("$@")
  (($# > 1)) || words=(-d "$1")
  git::project update-ref "${words[@]}" 2>/dev/null && return
  git::clear_locks "$1"
  why=$(git::project update-ref "${words[@]}" 2>&1) || die "$EX_CANNOT_WRITE" "cannot write $1: ${why%%$'\n'*}" \
    "see the space left and the rights of $ORKESTRA_GIT_DIR, then start again: nothing that landed is lost"
}

# git::clear_locks REF: the locks that a Git takes to move a ref last a moment. One that stands for seconds is that of a
# Git that was killed, ours maybe, and nobody could move that ref any more.
git::clear_locks() {
  local lock tries
  for lock in "$ORKESTRA_GIT_DIR/$1.lock" "$ORKESTRA_GIT_DIR/HEAD.lock"; do
    for ((tries = 0; tries < GIT_LOCK_TRIES; ++tries)); do
      [[ -e $lock ]] || continue 2
      sleep 0.1
    done
    log::write warn "removed $lock, which a Git that was killed has left"
    rm -f -- "$lock"
  done
}

# git::head VAR: the commit that the project's branch is on.
git::head() {
  local _head='' _loose=$ORKESTRA_GIT_DIR/refs/heads/$ORKESTRA_BRANCH
  # Most often it stands in a file of its own; else Git knows.
  [[ ! -f $_loose ]] || IFS= read -r _head 2>/dev/null <"$_loose" || _head=''
  # shellcheck disable=SC2310  # a predicate
  is_commit "$_head" || _head=$(git::project rev-parse --verify --quiet "refs/heads/$ORKESTRA_BRANCH^{commit}") \
    || die "$EX_DATA" "the project has no branch '$ORKESTRA_BRANCH': $ORKESTRA_PROJECT" \
      "set \"branch\" in config/project.json to a branch that exists"
  printf -v "$1" '%s' "$_head"
}

is_commit() {
  [[ $1 =~ ^[0-9a-f]{40}([0-9a-f]{24})?$ ]]
}
