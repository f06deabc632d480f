# shellcheck shell=bash
# What the scripts of a run need to be called alone, without the store: environment, a workspace, a change.

# core_environment: the ORKESTRA_* variables for $PROJECT (see make_project). Sets W, the workspace of worker 1.
core_environment() {
  export ORKESTRA_PROJECT=$PROJECT ORKESTRA_GIT_DIR=$PROJECT/.git ORKESTRA_BRANCH=main ORKESTRA_GRACE=5
  export ORKESTRA_RUNTIME=$PLACE/runtime ORKESTRA_WORKSPACES=$PLACE/workspaces ORKESTRA_PROJECT_NAME=a-project
  export ORKESTRA_LOGS=$PLACE/logs ORKESTRA_SECRETS_FILE=$PLACE/runtime/secrets
  export ORKESTRA_AUTHOR_NAME='A Person' ORKESTRA_AUTHOR_EMAIL=person@example.org
  W=$ORKESTRA_WORKSPACES/w1
  ATTEMPT=$PLACE/attempt
  mkdir -p -- "$ORKESTRA_RUNTIME" "$W" "$ATTEMPT" "$ORKESTRA_LOGS"
  : >"$ORKESTRA_SECRETS_FILE"
}

head_of_project() {
  git -C "$PROJECT" rev-parse refs/heads/main
}

# tree_with PATH TEXT: prints the tree of the branch with that file in it, without touching the checkout.
tree_with() {
  local blob index=$PLACE/tree-index
  rm -f -- "$index"
  blob=$(printf '%s\n' "$2" | git -C "$PROJECT" hash-object -w --stdin)
  GIT_INDEX_FILE=$index git -C "$PROJECT" read-tree main
  GIT_INDEX_FILE=$index git -C "$PROJECT" update-index --add --cacheinfo "100644,$blob,$1"
  GIT_INDEX_FILE=$index git -C "$PROJECT" write-tree
}

# a_change TREE: prints the change commit of TREE on the branch.
a_change() {
  printf 'A change\n\nOrkestra-Task: a\n' >"$PLACE/message"
  "$SCRIPTS/CORE/land.sh" commit "$(head_of_project)" "$1" "$PLACE/message"
}

# with_record CHANGE: prints the commit that adds a record to CHANGE.
with_record() {
  local blob index=$PLACE/record-index
  rm -f -- "$index"
  blob=$(printf '{"a": "record"}\n' | git -C "$PROJECT" hash-object -w --stdin)
  GIT_INDEX_FILE=$index git -C "$PROJECT" read-tree "$1"
  GIT_INDEX_FILE=$index git -C "$PROJECT" update-index --add --cacheinfo "100644,$blob,logs/outcomes/outcome-001.json"
  "$SCRIPTS/CORE/land.sh" commit "$1" "$(GIT_INDEX_FILE=$index git -C "$PROJECT" write-tree)" "$PLACE/message"
}
