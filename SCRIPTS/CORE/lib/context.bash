# shellcheck shell=bash disable=SC2034  # commands read what is set here
# Which framework, home and project a command is about, and who the user is to Git. One Python start answers it all.

use list git

# context::python: finds the framework's interpreter, or says the one command that makes it. Sets ORKESTRA_ROOT.
context::python() {
  export ORKESTRA_ROOT=${ORKESTRA_SCRIPTS%/*} PYTHONDONTWRITEBYTECODE=1
  # Our package is imported, and nothing from the folder where a Python happens to be started (a project, say).
  export PYTHONSAFEPATH=1 PYTHONNOUSERSITE=1
  unset PYTHONPATH
  if [[ ! -d $ORKESTRA_ROOT/orkestra_shim ]]; then
    context::_installed_python
    return
  fi
  export PYTHONPATH=$ORKESTRA_ROOT
  [[ -z ${ORKESTRA_PYTHON:-} ]] || return 0
  ORKESTRA_PYTHON=${ORKESTRA_VENV:-$ORKESTRA_ROOT/.venv}/bin/python
  [[ -x $ORKESTRA_PYTHON ]] \
    || die "$EX_UNAVAILABLE" "the environment of this checkout has not been set up: $ORKESTRA_ROOT" \
      "do this once: $ORKESTRA_ROOT/bin/orkestra doctor"
  export ORKESTRA_PYTHON
}

# Installed with pip ORKESTRA_ROOT is the package itself, PREFIX/lib/pythonX.Y/site-packages/orkestra_shim: on the path its
# queue.py would stand for Python's own. By `pip install --user` PREFIX is the user's, and Python is somewhere else.
context::_installed_python() {
  local prefix=${ORKESTRA_ROOT%/lib/python*} version candidate
  [[ ! $prefix -ef ${PYTHONUSERBASE:-${HOME:-}/.local} ]] || unset PYTHONNOUSERSITE
  [[ -z ${ORKESTRA_PYTHON:-} ]] || return 0
  version=${ORKESTRA_ROOT#"$prefix/lib/"}
  for candidate in "$prefix/bin/python" "$(type -P -- "${version%%/*}")"; do
    [[ -x $candidate ]] || continue
    export ORKESTRA_PYTHON=$candidate
    return
  done
  die "$EX_UNAVAILABLE" "the Python that Orkestra was installed with is neither in $prefix/bin nor on the PATH" \
    "call the command: orkestra; or install it anew"
}

# context::run MODULE ARG...: a module of orkestra_shim.
context::run() {
  local module=$1
  shift
  "$ORKESTRA_PYTHON" -m "orkestra_shim$module" "$@"
}

# context::load [PROJECT]: resolves home, settings and project and exports them (ORKESTRA_*). Ends with the module's
# own words and exit code when something is wrong.
context::load() {
  local pair pairs=() status=0 arguments=()
  context::python
  [[ -z ${1:-} ]] || arguments=(--project "$1")
  # What is wrong has been said in the module's own words: no ERR trap on top of them.
  # shellcheck disable=SC2310  # as wanted here
  list::read pairs context::run .context "${arguments[@]}" || status=$?
  ((status == 0)) || exit "$status"
  for pair in "${pairs[@]}"; do
    [[ $pair =~ ^ORKESTRA_[A-Z_]+= ]] || die "$EX_INTERNAL" "the context has an unexpected line"
    export "${pair?}"
  done
  git::carry_identity
}

# context::each COMMAND...: exports the home's variables and runs the command for one project after the other, with that
# project's variables in its environment. CONTEXT_FAILED is the last exit status that was not 0, CONTEXT_NAMES has the name
# of each project by its id.
CONTEXT_FAILED=0
declare -gA CONTEXT_NAMES=()
context::each() {
  local pair pairs=() status=0 block=() first=1 id=''
  context::python
  # shellcheck disable=SC2310  # what is wrong has been said in the module's own words
  list::read pairs context::run .context --all || status=$?
  ((status == 0)) || exit "$status"
  for pair in "${pairs[@]}"; do
    if [[ -n $pair ]]; then
      [[ $pair =~ ^ORKESTRA_[A-Z_]+= ]] || die "$EX_INTERNAL" "the context has an unexpected line"
      block+=("$pair")
      case $pair in
        ORKESTRA_PROJECT_ID=*) id=${pair#*=} ;;
        ORKESTRA_PROJECT_NAME=*) CONTEXT_NAMES[$id]=${pair#*=} ;;
      esac
    elif [[ -n $first ]]; then
      export "${block[@]}"
      block=() first=''
    else
      env -- "${block[@]}" "$@" || CONTEXT_FAILED=$?
      block=()
    fi
  done
}
