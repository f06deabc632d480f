# shellcheck shell=bash
# What the adapters of real tools share: finding the tool, saying what it needs to see, running it so that it can be
# told to stop, and keeping its output.

use process

# tool::find VAR NAME [PLACE...]: the tool's real path: on PATH, at PLACE, or where package managers put it (cron's
# PATH knows none of them). Empty when it is not there.
tool::find() {
  local _name=$2 _path
  if ! _path=$(type -P "$_name"); then
    _path=''
    tool::_well_known _path "$_name" "${@:3}"
  fi
  [[ -z $_path ]] || _path=$(readlink -e -- "$_path") || _path=''
  printf -v "$1" '%s' "$_path"
}

# The first that is there; of several Node versions the last by name.
tool::_well_known() {
  local -n _found=$1
  local _at _name=$2 _home=${ORKESTRA_USER_HOME:-${HOME:-~}}
  for _at in "${@:3}" "$_home"/{.local,.npm-global,.volta,.bun}/bin/"$_name" /usr/local/bin/"$_name" \
    /opt/homebrew/bin/"$_name"; do
    if [[ -f $_at && -x $_at ]]; then
      _found=$_at
      return
    fi
  done
  for _at in "$_home"/.nvm/versions/node/*/bin/"$_name"; do
    if [[ -f $_at && -x $_at ]]; then _found=$_at; fi
  done
}

# tool::needs BINARY: what `probe` prints: the binary and the paths that it must see, one a line. What lies below
# /usr or /opt is seen anyway.
tool::needs() {
  local binary=$1 prefix
  printf 'binary\t%s\n' "$binary"
  case $binary in
    /usr/* | /opt/*) ;;
    */lib/node_modules/*)
      prefix=${binary%%/lib/node_modules/*}
      printf 'read\t%s\n' "$prefix/lib/node_modules"
      [[ ! -x $prefix/bin/node ]] || printf 'read\t%s\n' "$prefix/bin/node"
      ;;
    */node_modules/*) printf 'read\t%s\n' "${binary%%/node_modules/*}/node_modules" ;;
    *)
      printf 'read\t%s\n' "$binary"
      tool::_python "$binary"
      ;;
  esac
}

# tool::_python SCRIPT: of one that belongs to a Python environment (venv, pipx) the environment, and the Python that it
# was made with.
tool::_python() {
  local first environment python
  IFS= read -r first <"$1" 2>/dev/null || return 0
  [[ $first == '#!'/*/bin/python* ]] || return 0
  python=${first#??} environment=${first#??}
  environment=${environment%/bin/python*}
  [[ -f $environment/pyvenv.cfg ]] || return 0
  printf 'read\t%s\n' "$environment"
  python=$(readlink -e -- "$python") || return 0
  case $python in
    /usr/* | /opt/* | "$environment"/*) ;;
    */bin/*) printf 'read\t%s\n' "${python%/bin/*}" ;;
  esac
}

# tool::missing CODE WHAT HINT: the reason that a person can act on.
tool::missing() {
  printf '%s\n' "$2" "$3" >&2
  exit "$1"
}

# tool::family VAR OWN: whose the model is that ORKESTRA_MODEL names, for tools that work with any; else OWN.
tool::family() {
  local _model=${ORKESTRA_MODEL:-} _family=$2
  case ${_model##*/} in
    claude* | sonnet* | opus* | haiku*) _family=anthropic ;;
    gpt-* | o[1-9]* | codex*) _family=openai ;;
    gemini* | gemma*) _family=google ;;
    grok*) _family=xai ;;
    deepseek*) _family=deepseek ;;
    qwen*) _family=alibaba ;;
    kimi*) _family=moonshot ;;
    mistral* | codestral* | devstral*) _family=mistral ;;
  esac
  printf -v "$1" '%s' "$_family"
}

# tool::litter PATTERN...: what the tool leaves in the current folder. It goes when the adapter ends, however that is; what
# Git tracks there is the project's and stays.
tool::litter() {
  TOOL_LITTER=("$@")
  trap 'tool::_sweep' EXIT
}

tool::_sweep() {
  local pattern path tracked
  for pattern in "${TOOL_LITTER[@]}"; do
    # shellcheck disable=SC2231  # a pattern
    for path in $pattern; do
      [[ -e $path || -L $path ]] || continue
      tracked=$(git ls-files -- "$path" 2>/dev/null) || tracked=''
      [[ -n $tracked ]] || rm -rf -- "$path"
      [[ $path != */* ]] || rmdir --ignore-fail-on-non-empty -- "${path%/*}"
    done
  done
}

# tool::path: the interpreter that came with the tool (nvm) is found by its `#!/usr/bin/env node`.
tool::path() {
  case ${ORKESTRA_BINARY:-} in
    */lib/node_modules/*) PATH=${ORKESTRA_BINARY%%/lib/node_modules/*}/bin:$PATH ;;
  esac
}

# tool::there NAME: ends with 69 where the tool has gone since it was found.
tool::there() {
  error::need_variables ORKESTRA_ATTEMPT_DIR
  [[ -x ${ORKESTRA_BINARY:-} ]] || tool::missing "$EX_UNAVAILABLE" "$1 is not where it was found" \
    "see what works: orkestra agents probe"
}

# tool::question FILE [file] [schema]: stdin, what a ballot is about, into FILE. Of a long change the prompt shows the
# beginning: with `file` the rest is pointed to. With `schema` the answer's form is told in words.
tool::question() {
  local whole=$ORKESTRA_ATTEMPT_DIR/diff.patch
  {
    cat
    [[ " ${*:2} " != *" file "* || ! -f $whole ]] || printf '\nThe whole change as a file: %s\n' "$whole"
    if [[ " ${*:2} " == *" schema "* ]]; then
      printf '\nEnd with the answer as one JSON object that follows this JSON Schema, and nothing behind it:\n'
      cat -- "$ORKESTRA_ATTEMPT_DIR/schema.json"
      printf '\n'
    fi
  } >"$1"
}

# tool::beside FILE [file] [schema]: the same, and the tool starts in an empty folder: in the one that is judged it might
# take something for its instructions.
tool::beside() {
  local view=$PWD
  {
    printf 'The files that this is about are in %s.\n\n' "$view"
    tool::question /dev/stdout "${@:2}"
  } >"$1"
  mkdir -p -- "$HOME/reviewer"
  cd -- "$HOME/reviewer" || die "$EX_CANNOT_WRITE" "no folder to start the reviewer in"
}

tool::_stopped() {
  exit 143
}

# tool::run VAR COMMAND...: runs the tool with our stdin. Its stdout goes to the file $ORKESTRA_ATTEMPT_DIR/stream, and
# from there to ours as it comes: into a pipe some tools do not write to the end (claude loses the last part of 5 MB).
# Its stderr is kept in output.stderr and shown when it has ended. VAR gets its exit status. TERM is passed on to it, and
# what it has said so far is kept as well: its session may be gone on with.
# A tool that would go on trying for minutes is ended by what it says in TOOL_LOG (its stderr): after a line that matches
# TOOL_GIVES_UP, unless one that matches TOOL_GOES_ON comes within TOOL_PATIENCE seconds (0).
tool::run() {
  local _var=$1 _stream=$ORKESTRA_ATTEMPT_DIR/stream _tail _code
  shift
  process::on_stop tool::_stopped
  : >"$_stream"
  : >"$ORKESTRA_ATTEMPT_DIR/output.stderr"
  process::start "$@" >>"$_stream" 2>>"$ORKESTRA_ATTEMPT_DIR/output.stderr"
  [[ -z ${TOOL_GIVES_UP:-} ]] || tool::_ends_it "$PROCESS_PID" &
  tail -n +1 -f -s 0.1 --pid="$PROCESS_PID" -- "$_stream" &
  _tail=$!
  process::wait _code
  wait "$_tail" || : # the tool's own status is what counts
  cat -- "$ORKESTRA_ATTEMPT_DIR/output.stderr" >&2
  printf '%s\n' "$_code" >"$ORKESTRA_ATTEMPT_DIR/output.exit"
  printf -v "$_var" '%s' "$_code"
}

# tool::_ends_it PID: waits for that or for the tool's own end. After TERM some take their time, or none.
tool::_ends_it() {
  local line said code=0 bound=()
  trap - TERM INT HUP
  # shellcheck disable=SC2312  # what grep finds counts
  exec {said}< <(tail -n +1 -F -s 1 --pid="$1" -- "${TOOL_LOG:-$ORKESTRA_ATTEMPT_DIR/output.stderr}" 2>/dev/null \
    | grep --line-buffered -aE -- "$TOOL_GIVES_UP${TOOL_GOES_ON:+|$TOOL_GOES_ON}")
  while IFS= read -r -u "$said" "${bound[@]}" line || code=$? && ((code == 0)); do
    bound=()
    [[ $line =~ $TOOL_GIVES_UP ]] || continue
    [[ -v TOOL_PATIENCE ]] || break
    bound=(-t "$TOOL_PATIENCE")
  done
  ((code == 0 || code > 128)) || return 0 # it has ended by itself
  kill -TERM -- "-$1" 2>/dev/null || return 0
  timeout 5 tail -f -s 0.2 --pid="$1" /dev/null || kill -KILL -- "-$1" 2>/dev/null || return 0
}

# tool::says PATTERN: the last lines of TOOL_LOG that match are added to the tool's stderr.
tool::says() {
  [[ -f $TOOL_LOG ]] || return 0
  # shellcheck disable=SC2312  # pipefail is set
  { grep -aE -- "$1" "$TOOL_LOG" || (($? == 1)); } | tail -n 3 | cut -c1-2000 | tee -a "$ORKESTRA_ATTEMPT_DIR/output.stderr" >&2
}

# tool::keep PATTERN: of the whole stream, which is in the log, the lines that decide become output.json.
tool::keep() {
  # 1: nothing to decide on, which tool::leave and the reader see.
  grep -aE -- "$1" "$ORKESTRA_ATTEMPT_DIR/stream" >"$ORKESTRA_ATTEMPT_DIR/output.json" || (($? == 1))
  rm -f -- "$ORKESTRA_ATTEMPT_DIR/stream"
}

# tool::leave CODE PATTERN: ends the adapter after the tool ended with CODE; a result is a kept line that matches.
tool::leave() {
  [[ -z $PROCESS_STOPPING ]] || exit 143
  (($1 == 0)) || exit "$EX_FAILED"
  grep -qaE -- "$2" "$ORKESTRA_ATTEMPT_DIR/output.json" || exit "$EX_DATA"
}
