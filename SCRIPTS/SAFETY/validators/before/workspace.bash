# shellcheck shell=bash
# Summary: the workspace is prepared for this task and no other, and its parts are plain folders

validator::workspace() {
  local part owner='' task='' try=''
  for part in git tree; do
    [[ -d $VALIDATE_WORKSPACE/$part && ! -L $VALIDATE_WORKSPACE/$part && -O $VALIDATE_WORKSPACE/$part ]] \
      || wrong "$VALIDATE_WORKSPACE/$part is no folder of ours"
  done
  [[ $VALIDATE_BASE =~ ^[0-9a-f]{40}([0-9a-f]{24})?$ ]] || wrong "no commit to start from: '$VALIDATE_BASE'"
  [[ ! -f $VALIDATE_WORKSPACE/owner ]] || IFS= read -r owner <"$VALIDATE_WORKSPACE/owner" || true # no newline at the end
  [[ ! -f $VALIDATE_TICKET/task ]] || IFS= read -r task <"$VALIDATE_TICKET/task" || true          # no newline at the end
  [[ ! -f $VALIDATE_TICKET/try ]] || IFS= read -r try <"$VALIDATE_TICKET/try" || true             # no newline at the end
  [[ $owner == "$task"$'\t'"$try"$'\t'"$VALIDATE_BASE" ]] || wrong "the workspace belongs to '$owner', not to $task"
  [[ -d $VALIDATE_ATTEMPT && ! -L $VALIDATE_ATTEMPT && -w $VALIDATE_ATTEMPT ]] \
    || wrong "$VALIDATE_ATTEMPT is no folder that can be written"
}
