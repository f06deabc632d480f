# shellcheck shell=bash
# A HOME for one step of one attempt.

# home::fresh DIR: DIR is an empty folder of mode 700. What an earlier step left there is removed; where there is
# nothing to remove no process is started.
home::fresh() {
  local -a left
  if [[ ! -L $1 && -d $1 && -O $1 ]]; then
    shopt -s nullglob dotglob
    left=("$1"/*)
    shopt -u nullglob dotglob
    ((${#left[@]} > 0)) || return 0
  fi
  [[ ! -e $1 && ! -L $1 ]] || home::_remove "$1"
  mkdir -m 700 -- "$1"
}

# A folder may have been left without the permission to look into it.
home::_remove() {
  rm -rf -- "$1" 2>/dev/null || {
    chmod -R u+rwX -- "$1" 2>/dev/null || true
    rm -rf -- "$1"
  }
}
