# shellcheck shell=bash
# The framework's own logs (LOGS/orchestrator.log, LOGS/monitor.log) and the lines that a person sees.

use list text

readonly LOG_KEPT=3 # old files of each log: NAME.log.1 is the youngest

# log::write LEVEL MESSAGE [LOG]: one line, time in UTC, with project and process, in LOGS/LOG.log (orchestrator).
# Appending is one write(2), so that several processes do not mix their lines. Without ORKESTRA_LOGS (a script run
# alone) nothing is written.
log::write() {
  [[ -n ${ORKESTRA_LOGS:-} && -d $ORKESTRA_LOGS ]] || return 0
  local message=$2 time
  error::hide message
  text::plain message "$message"
  TZ=UTC printf -v time '%(%Y-%m-%dT%H:%M:%SZ)T' -1
  printf '%s %-5s %s[%s] %s\n' "$time" "$1" "${ORKESTRA_PROJECT_NAME:-orkestra}" "$$" "$message" \
    >>"$ORKESTRA_LOGS/${3:-orchestrator}.log"
}

# log::rotate BYTES: every log that is larger is set aside. Whoever appends opens, writes a line and closes: what was
# opened just before goes into the file under its new name, so no line is lost. Only the renaming takes turns.
log::rotate() {
  local bytes=$1 lock file number large=()
  log::_larger "$bytes" large
  ((${#large[@]} > 0)) || return 0
  exec {lock}>>"$ORKESTRA_LOGS/.rotate.lock"
  flock "$lock"
  # Another process may have done it meanwhile.
  log::_larger "$bytes" large
  for file in "${large[@]}"; do
    for ((number = LOG_KEPT; number > 1; --number)); do
      [[ ! -e $file.$((number - 1)) ]] || mv -fT -- "$file.$((number - 1))" "$file.$number"
    done
    mv -fT -- "$file" "$file.1"
  done
  exec {lock}>&-
}

log::_larger() {
  # One may be set aside by somebody else while find looks.
  list::read "$2" find "$ORKESTRA_LOGS" -ignore_readdir_race -maxdepth 1 -type f -name '*.log' -size "+$1c" -print0
}

# say MESSAGE: a line for people, on stdout, without control characters. A reader who has gone (`start | head`, a closed
# terminal) is no reason to stop a night's work: the log has it all.
say() {
  local message=$1
  error::hide message
  text::plain message "$message"
  printf '%s\n' "$message" 2>/dev/null || : # as above
}

# warn MESSAGE: a line for people on stderr, and in the log.
warn() {
  local message=$1
  error::hide message
  text::plain message "$message"
  printf 'orkestra: %s\n' "$message" >&2 || : # as above
  log::write warn "$1"
}

# say_lines TEXT: the same for several lines.
say_lines() {
  local lines line
  mapfile -t lines <<<"$1"
  for line in "${lines[@]}"; do say "$line"; done
}
