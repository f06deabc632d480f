# shellcheck shell=bash
# Git as the framework runs it: no hooks, no drivers, no filters of the user's or an agent's choosing, hostile names
# refused, everything on disk before a ref says so (core.fsync: see the README's section on reliability).

# Settings of a person or a machine never change what a landing or a hash is.
git::environment() {
  export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 \
    GIT_OPTIONAL_LOCKS=0 GIT_NO_REPLACE_OBJECTS=1 GIT_LITERAL_PATHSPECS=1 LC_ALL=C
  export GIT_AUTHOR_NAME="${ORKESTRA_AUTHOR_NAME:-Orkestra}" GIT_AUTHOR_EMAIL="${ORKESTRA_AUTHOR_EMAIL:-orkestra@localhost}"
  export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
  unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_NAMESPACE
}

readonly GIT_SETTINGS=(-c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.untrackedCache=false
  -c core.protectHFS=true -c core.protectNTFS=true -c gc.auto=0 -c maintenance.auto=false -c submodule.recurse=false
  -c core.fsync=all -c core.fsyncMethod=fsync -c safe.directory='*')

# git::project ARG...: in the project's own repository.
git::project() {
  git "${GIT_SETTINGS[@]}" --git-dir="$ORKESTRA_GIT_DIR" "$@"
}

# git::workspace W ARG...: with the workspace's Git directory, which no agent sees, and new objects going straight to
# the project. For commands that read and write objects only; what looks at the working tree runs in a sandbox.
git::workspace() {
  local workspace=$1
  shift
  GIT_OBJECT_DIRECTORY=$ORKESTRA_GIT_DIR/objects git "${GIT_SETTINGS[@]}" --git-dir="$workspace/git" "$@"
}

# git::head VAR: the commit that the project's branch is on.
git::head() {
  local _head
  _head=$(git::project rev-parse --verify --quiet "refs/heads/$ORKESTRA_BRANCH^{commit}") \
    || die "$EX_DATA" "the project has no branch '$ORKESTRA_BRANCH': $ORKESTRA_PROJECT" \
      "set \"branch\" in config/project.json to a branch that exists"
  printf -v "$1" '%s' "$_head"
}

is_commit() {
  [[ $1 =~ ^[0-9a-f]{40}([0-9a-f]{24})?$ ]]
}
