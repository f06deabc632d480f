# shellcheck shell=bash
# The tool's own session of a task: its files are taken out of the agent's HOME when it ends, and put into that of the
# attempt that goes on with it. In between they are in the project's Git folder, where no agent sees them:
#
#   ORKESTRA_GIT_DIR/orkestra/sessions/TASK/   of mode 700
#     home/      the files, each where it was in HOME
#     try agent  which attempt left them, and whose it was
#     stamp      what must be the same for one that goes on (orkestra_shim/resuming.py)
#     settled    `TRY kept` or `TRY nothing`: what has become of the tree that goes with it (CORE/worker.sh)
#
# They were in an agent's hands: only plain files of the places that the adapter names (`sessions` of its describe), none
# that could be a setting, bounded in number and size, and none where a known key is found.

use log list AGENTS/fresh SAFETY/secrets

readonly SESSIONS_SIZE=$((64 * 1024 * 1024)) SESSIONS_FILES=2000

SESSIONS_FOUND=() # paths in HOME

# sessions::place VAR: the folder of this ticket's task.
sessions::place() {
  printf -v "$1" '%s' "$ORKESTRA_GIT_DIR/orkestra/sessions/${TICKET[task]}"
}

# sessions::bring_in HOME: what is kept comes into HOME. Without it TICKET[session] is empty, and the tool begins afresh.
sessions::bring_in() {
  local place
  [[ -n ${TICKET[session]:-} ]] || return 0
  sessions::place place
  if [[ ! -d $place/home ]] || ! cp -R --no-dereference -- "$place/home/." "$1/"; then
    log::write warn "${TICKET[task]}: its session is gone: it begins afresh"
    TICKET['session']=''
  fi
}

# sessions::keep HOME PRIVATE: what the tool left replaces what was kept. PRIVATE is a folder that nobody else sees.
# Whatever goes wrong here costs a session and no attempt.
sessions::keep() {
  local home=$1 private=$2/session place new
  ((${#TICKET_SESSIONS[@]} > 0)) || return 0
  sessions::place place
  sessions::forget
  sessions::_find "$home"
  ((${#SESSIONS_FOUND[@]} > 0)) || return 0
  new=${place%/*}/.new-${TICKET[task]}
  # shellcheck disable=SC2310  # asked for their status
  if ! sessions::_copy "$home" "$private"; then
    log::write warn "${TICKET[task]}: its session cannot be kept"
  elif sessions::_has_key "$private/home"; then
    log::write warn "${TICKET[task]}: its session is not kept: a key is in it"
  elif ! (umask 077 && mkdir -p -- "${place%/*}" && fresh::remove "$new" && cp -R -- "$private" "$new" \
    && mv -T -- "$new" "$place"); then
    log::write warn "${TICKET[task]}: its session cannot be kept: $place cannot be written"
    rm -rf -- "$new"
  fi
}

# sessions::forget: nothing is kept of this task any more.
sessions::forget() {
  local place
  ((${#TICKET_SESSIONS[@]} > 0)) || return 0
  sessions::place place
  fresh::remove "$place"
}

# SESSIONS_FOUND, empty where they are too many or too large.
sessions::_find() {
  local home=$1 pattern path size=0 one
  local matches=() inside=() sizes=()
  SESSIONS_FOUND=()
  for pattern in "${TICKET_SESSIONS[@]}"; do
    list::read matches sessions::_match "$home" "$pattern"
    for path in "${matches[@]}"; do
      # shellcheck disable=SC2310  # a predicate
      is_plain_path "$home" "$path" && [[ ! -L $home/$path ]] || continue
      inside=()
      if [[ -d $home/$path ]]; then
        # shellcheck disable=SC2312  # what it cannot look into is not kept
        mapfile -d '' -t inside < <(cd -- "$home" && find "./$path" -xdev -type f -print0 2>/dev/null | head -z -n "$((SESSIONS_FILES + 1))")
      elif [[ -f $home/$path ]]; then
        inside=("./$path")
      fi
      ((${#inside[@]} <= SESSIONS_FILES)) || size=$((SESSIONS_SIZE + 1))
      for one in "${inside[@]}"; do
        # shellcheck disable=SC2310  # a predicate
        ! sessions::_is_data "${one#./}" || SESSIONS_FOUND+=("${one#./}")
      done
    done
  done
  ((${#SESSIONS_FOUND[@]} > 0)) || return 0
  if ((size == 0 && ${#SESSIONS_FOUND[@]} <= SESSIONS_FILES)); then
    list::read sizes stat --printf '%s\0' -- "${SESSIONS_FOUND[@]/#/$home/}"
    for one in "${sizes[@]}"; do ((size += one)) || :; done # a sum of none is no failure
  else
    size=$((SESSIONS_SIZE + 1))
  fi
  ((size > SESSIONS_SIZE)) || return 0
  log::write warn "${TICKET[task]}: its session is too large to be kept"
  SESSIONS_FOUND=()
}

# sessions::_match HOME PATTERN: what there is, NUL-ended; `*` in PATTERN stands for any name.
sessions::_match() {
  shopt -s nullglob dotglob
  local IFS='' found
  cd -- "$1" || return 0
  # shellcheck disable=SC2206  # to be expanded
  found=($2)
  ((${#found[@]} == 0)) || printf '%s\0' "${found[@]}"
}

# What a tool takes for a setting, an instruction or a program does not outlive the HOME that it was written in.
sessions::_is_data() {
  local name=${1##*/} path=/${1,,}
  name=${name,,}
  case $path in
    */hooks/* | */plugins/* | */extensions/* | */agents/* | */commands/* | */skills/* | */memory/* | */node_modules/*) return 1 ;;
  esac
  case $name in
    *setting* | *config* | *mcp* | *hook* | *auth* | *credential* | *token* | *trust* | *plugin* | *policy*) return 1 ;;
    *.jsonl | *.json | *.db | *.db-wal | *.db-shm | *.sqlite | *.sqlite-wal | *.sqlite-shm) return 0 ;;
  esac
  return 1
}

sessions::_copy() {
  fresh::folder "$2" "$2/home" || return
  # Not a link that was put there since: nobody is left who could.
  (umask 077 && cd -- "$1" && cp --parents --no-dereference --no-preserve=mode -t "$2/home" -- "${SESSIONS_FOUND[@]}") || return
  printf '%s\n' "${TICKET[try]}" >"$2/try" || return
  printf '%s\n' "${TICKET[agent]}" >"$2/agent" || return
  printf '%s' "${TICKET['session-stamp']:-}" >"$2/stamp" || return
}

sessions::_has_key() {
  local file
  # shellcheck disable=SC2310  # predicates that die of what is no answer
  is_keyed || return 1
  for file in "${SESSIONS_FOUND[@]}"; do
    # shellcheck disable=SC2310  # as above
    if has_form "$1/$file" || has_pieces "$1/$file"; then return 0; fi
  done
  return 1
}
