# shellcheck shell=bash
# Summary: the parts of the workspace are still the folders they were

validator::workspace() {
  local part
  for part in git tree; do
    [[ -d $VALIDATE_WORKSPACE/$part && ! -L $VALIDATE_WORKSPACE/$part && -O $VALIDATE_WORKSPACE/$part ]] \
      || wrong "$VALIDATE_WORKSPACE/$part is no folder of ours any more"
  done
  for part in home exchange; do
    [[ ! -L $VALIDATE_WORKSPACE/$part ]] || wrong "$VALIDATE_WORKSPACE/$part has become a link"
  done
}
