# shellcheck shell=bash
# The suites of bin/test. Each leaves its results in $RESULTS/SUITE.*.tap or .xml, which totals.py counts.

# suite::skip SUITE REASON: the whole suite is left out; totals.py counts and shows it.
suite::skip() {
  printf '1..1\nok 1 %s # skip %s\n' "$1" "$2" >"$RESULTS/$1.skipped.tap"
  printf 'SKIPPED: %s\n' "$2"
}

# lint::files: sets SHELL_FILES (all), BASH_FILES (without .bats): what Git tracks or would take, by suffix or #! line.
lint::files() {
  local file first
  SHELL_FILES=() BASH_FILES=()
  git ls-files -z --cached --others --exclude-standard >"$RESULTS/files"
  while IFS= read -r -d '' file; do
    [[ -f $file && ! -L $file && $file != tests/fixtures/* ]] || continue
    first=''
    case $file in
      *.bats) SHELL_FILES+=("$file") ;;
      *.sh | *.bash) SHELL_FILES+=("$file") BASH_FILES+=("$file") ;;
      *.py | *.json | *.md | *.txt | *.j2) ;;
      *)
        IFS= read -r first <"$file" 2>/dev/null || [[ -n $first ]] || continue
        [[ ! $first =~ ^'#!'.*[/\ ](ba)?sh( |$) ]] || { SHELL_FILES+=("$file") && BASH_FILES+=("$file"); }
        ;;
    esac
  done <"$RESULTS/files"
}

# lint::step NAME COMMAND...: runs it, one line with the result; what it printed only when it failed.
lint::step() {
  local name=$1 started=$SECONDS
  shift
  if "$@" >"$RESULTS/lint.out" 2>&1; then
    printf 'ok      %s (%s s)\n' "$name" "$((SECONDS - started))"
  else
    cat -- "$RESULTS/lint.out"
    printf 'FAILED  %s (%s s)\n' "$name" "$((SECONDS - started))"
    LINT_FAILED+=("$name")
  fi
}

lint::parse() {
  local file status=0
  for file in "${BASH_FILES[@]}"; do
    bash -n -- "$file" || status=1
  done
  return "$status"
}

suite::lint() {
  LINT_FAILED=()
  lint::files
  printf '%s shell files\n' "${#SHELL_FILES[@]}"
  lint::step 'bash -n' lint::parse
  lint::step shellcheck shellcheck -- "${SHELL_FILES[@]}"
  lint::step shfmt shfmt -i 2 -ci -bn -d "${SHELL_FILES[@]}"
  lint::step 'ruff check' ruff check --no-fix .
  lint::step 'ruff format' ruff format --check --diff .
  lint::step mypy mypy --strict orkestra_shim
  ((${#LINT_FAILED[@]} == 0)) || return 1
}

# suite::_pytest RESULT DEFAULT-PATH ARGS...
suite::_pytest() {
  local result=$1 path=$2 argument
  shift 2
  for argument in "$@"; do
    [[ ! -e ${argument%%::*} ]] || path=''
  done
  python -m pytest -o cache_dir="$PYTEST_CACHE" -o junit_family=xunit2 --junit-xml="$RESULTS/$result.xml" \
    -q -rs --durations=5 ${path:+"$path"} "$@"
}

# suite::_bats RESULT PATH... : TAP on the screen and in a file.
suite::_bats() {
  local result=$1
  shift
  local -a jobs=()
  # Files beside each other, never tests of one file: they may share what setup_file made.
  ! command -v parallel >/dev/null || jobs=(--jobs "$(nproc)" --no-parallelize-within-files)
  # No BATS_TEST_TIMEOUT: its timer is a child of the test, for which a bare `wait` in the test would wait. What waits
  # in a test is bounded by the helpers, and the suite by bin/test.
  # shellcheck disable=SC2312  # pipefail is set where this runs (bin/test)
  bats --timing --formatter tap "${jobs[@]}" "$@" | tee -- "$RESULTS/$result.tap"
}

suite::pytest() {
  suite::_pytest pytest tests/pytest "$@"
}

suite::bats() {
  if ! command -v bats >/dev/null; then
    suite::skip bats 'bats is not installed (Debian package bats)'
    return 0
  fi
  local argument path=tests/bats
  for argument in "$@"; do
    [[ ! -e $argument ]] || path=''
  done
  suite::_bats bats ${path:+--recursive "$path"} "$@"
}

# What a user does, through the installed command only: the .bats and the test_*.py of tests/e2e.
suite::e2e() {
  local status=0 file
  local -a files=()
  for file in tests/e2e/*.bats; do
    [[ $file == */bare-debian.bats || ! -e $file ]] || files+=("$file")
  done
  if ! command -v bats >/dev/null; then
    suite::skip e2e 'bats is not installed (Debian package bats)'
  elif ((${#files[@]})); then
    suite::_bats e2e "${files[@]}" || status=1
  fi
  file=$(compgen -G 'tests/e2e/test_*.py' || printf '')
  [[ -z $file ]] || suite::_e2e_pytest "$@" || status=1
  return "$status"
}

# Most of these tests wait for something most of the time: two files at once. The crash harness, which wants the machine
# for itself and shows what it hit, comes last.
suite::_e2e_pytest() {
  local status=0
  if (($#)); then
    suite::_pytest e2e-pytest tests/e2e "$@"
    return
  fi
  suite::_pytest e2e-pytest tests/e2e --numprocesses 2 --dist loadfile --ignore=tests/e2e/test_crash.py || suite::_again || status=1
  suite::_pytest e2e-crash tests/e2e/test_crash.py || status=1
  return "$status"
}

# What failed beside another test is run once more, alone: totals.py names it, and says how many of which may pass so.
suite::_again() {
  printf '\n-- what failed, once more and alone\n'
  suite::_pytest e2e-again tests/e2e --ignore=tests/e2e/test_crash.py --last-failed --last-failed-no-failures none
}

suite::bare() {
  if ! command -v bats >/dev/null; then
    suite::skip bare 'bats is not installed (Debian package bats)'
    return 0
  fi
  suite::_bats bare tests/e2e/bare-debian.bats
}
