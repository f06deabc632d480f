# shellcheck shell=bash
# What every .bats file starts with:
#
#   bats_require_minimum_version 1.5.0
#   load ../helpers/common        # from tests/bats/AREA/; tests/e2e loads ../bats/helpers/common
#   setup() { setup_place; }
#
# After setup_place: PLACE is this test's folder, below a path with spaces, quotes and non-ASCII letters; HOME in it is
# empty; no Git settings but ours apply; ORKESTRA_HOME is the test's own. The working folder is PLACE.
# Everything made below PLACE goes with the test.

# The checkout, found from this file, so that tests at any depth have it.
FRAMEWORK=$(cd -- "${BASH_SOURCE[0]%/*}/../../.." && pwd -P)
# shellcheck disable=SC2034  # for the tests
SCRIPTS=$FRAMEWORK/SCRIPTS

# A wait that ends after this many seconds is a failure: a bound, never a pace.
readonly PATIENCE=${PATIENCE:-60}

# shellcheck source=tests/bats/helpers/assert.bash
source "${BASH_SOURCE[0]%/*}/assert.bash"
# shellcheck source=tests/bats/helpers/latch.bash
source "${BASH_SOURCE[0]%/*}/latch.bash"

setup_place() {
  PLACE=$BATS_TEST_TMPDIR/"it's a plâce \$HOME 日本"
  mkdir -p -- "$PLACE/home" "$PLACE/orkestra hôme"
  local name
  for name in "${!ORKESTRA_@}" "${!GIT_@}" "${!XDG_@}"; do
    case $name in
      ORKESTRA_VENV | GIT_SSL_* | GIT_EXEC_PATH) ;;
      *) unset "$name" ;;
    esac
  done
  export HOME=$PLACE/home ORKESTRA_HOME=$PLACE/'orkestra hôme'
  export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
  export LC_ALL=C.UTF-8 TZ=UTC PYTHONDONTWRITEBYTECODE=1
  cd -- "$PLACE" || return
}

# framework_python: prints the Python that has the framework's requirements.
framework_python() {
  printf '%s\n' "${ORKESTRA_VENV:-$FRAMEWORK/.venv}/bin/python"
}

# know VALUE...: these are a run's known keys, in ORKESTRA_SECRETS_FILE and beside it.
know() {
  (umask 077 && printf '%s\n' "$@" >"$ORKESTRA_SECRETS_FILE")
  (cd -- "$FRAMEWORK" && "$(framework_python)" -m orkestra_shim.keys write "$ORKESTRA_SECRETS_FILE")
}

# run_orkestra ARGS...: bats' `run` on the framework's command, without a terminal.
run_orkestra() {
  run "$FRAMEWORK/bin/orkestra" "$@" </dev/null
}

# make_repository PATH: an ordinary repository on branch main with one commit and a person's name.
make_repository() {
  git init --quiet --initial-branch=main -- "$1"
  git -C "$1" config user.name 'A Person'
  git -C "$1" config user.email person@example.org
  printf 'first line\n' >"$1/README.md"
  git -C "$1" add --all
  git -C "$1" commit --quiet --message 'First commit'
}

# make_project [NAME [TASKS-JSON]]: sets PROJECT to a repository with the layout of a project, made without the
# framework, so that a script can be tested alone. TASKS-JSON is the content of the queue's "tasks" list.
make_project() {
  local name=${1:-a-project} tasks=${2:-}
  PROJECT=$PLACE/projects/$name
  make_repository "$PROJECT"
  mkdir -p -- "$PROJECT/config" "$PROJECT/src" "$PROJECT/logs/execution"
  printf '{"format": "orkestra.project/1", "id": "0123456789ab", "name": "%s", "branch": "main", "check": "", "retry_delay": 0}\n' \
    "$name" >"$PROJECT/config/project.json"
  printf '{"version": 1, "tasks": [%s]}\n' "$tasks" >"$PROJECT/config/task-queue.json"
  printf 'logs/execution/\n' >"$PROJECT/.gitignore"
  git -C "$PROJECT" add --all
  git -C "$PROJECT" commit --quiet --message 'Project layout'
}

# need_sandbox: skips the test where bubblewrap cannot work, with its own reason.
need_sandbox() {
  local why
  why=$("$SCRIPTS/SAFETY/sandbox.sh" --probe 2>&1) || skip "no sandbox here: ${why//$'\n'/ }"
}

# need_command NAME...: skips the test where a program is missing.
need_command() {
  local name
  for name in "$@"; do
    command -v "$name" >/dev/null || skip "$name is not installed"
  done
}

# need_root: skips the test for an ordinary user.
need_root() {
  ((EUID == 0)) || skip 'needs root'
}
