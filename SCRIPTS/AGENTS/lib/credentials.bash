# shellcheck shell=bash
# Credentials of a tool: copied into the agent's HOME before, and back out only when the tool refreshed them.
#
# What comes back was in an agent's hands. It is taken only when it is a regular file of reasonable size on a path
# without links, when it has the shape of what went in (JSON stays JSON with the same keys), and when nobody else has
# changed the original meanwhile. Nothing else ever leaves HOME.
#
# Tools that refresh one login side by side log each other out. Where the token would end while the agent works
# (TICKET_STALE) only one at a time works with that login, until its tool has refreshed it, which is seen within a second
# and kept at once; then the others go on with the new one. That one is given a copy whose token is said to have ended
# already (freshness.py), so that its tool begins with that.

use log process AGENTS/fresh

readonly CREDENTIALS_LIMIT=262144
declare -gA CREDENTIALS_TURN=() # which of TICKET_CREDENTIALS (by index) this process alone may refresh: its lock
CREDENTIALS_WATCH=''            # the child that waits for a refresh

# credentials::bring_in HOME KEEP: copies TICKET_CREDENTIALS into HOME. KEEP gets, by index, the original (N) and what was
# given in its place (N.given).
credentials::bring_in() {
  local home=$1 keep=$2 index source target
  ((${#TICKET_CREDENTIALS[@]})) || return 0
  fresh::folder "$keep"
  for ((index = 0; index < ${#TICKET_CREDENTIALS[@]}; index += 2)); do
    source=${TICKET_CREDENTIALS[index]} target=${TICKET_CREDENTIALS[index + 1]}
    is_plain_path "$home" "$target" || die "$EX_DATA" "a credential's place is not inside HOME: $target"
    [[ -f $source ]] || continue
    credentials::_take_turn "$index" "$source"
    # The user's own file may be a link (dotfiles); what comes in is its content.
    install -m 600 -- "$source" "$keep/$index"
    is_small_file "$keep/$index" "$CREDENTIALS_LIMIT" || die "$EX_DATA" "too large for a credential: $source"
    if [[ -v CREDENTIALS_TURN[$index] ]]; then
      # allow hot-path: only where a token is about to end
      "$ORKESTRA_PYTHON" -m orkestra_shim.freshness age "$keep/$index" "$keep/$index.given"
    else
      cp -p -- "$keep/$index" "$keep/$index.given"
    fi
    install -D -m 600 -- "$keep/$index.given" "$home/$target"
  done
}

# credentials::_take_turn INDEX SOURCE: waits until nobody else may refresh a stale login. Whoever comes next finds it
# refreshed, and keeps no turn.
credentials::_take_turn() {
  local index=$1 source=$2 one code=1 lock real
  for one in "${TICKET_STALE[@]}"; do
    [[ $one != "$source" ]] || code=0
  done
  ((code == 0)) || return 0
  real=$(readlink -e -- "$source")
  real=$(cksum <<<"$real")
  mkdir -p -- "$ORKESTRA_CONFIG/RUNTIME/logins"
  exec {lock}>>"$ORKESTRA_CONFIG/RUNTIME/logins/${real%% *}.lock"
  if ! flock -n "$lock"; then
    log::write info "waits until another agent has refreshed the login: $source"
    process::run code flock "$lock"
    [[ -z $PROCESS_STOPPING ]] || exit 143
    ((code == 0)) || die "$EX_FAILED" "cannot take turns with the login $source" "see the owner and rights of its folder"
  fi
  # allow hot-path: only where a token is about to end
  "$ORKESTRA_PYTHON" -m orkestra_shim.freshness stale "$source" "${TICKET[timeout]}" || code=$?
  case $code in
    0) CREDENTIALS_TURN[$index]=$lock ;;
    1) exec {lock}>&- ;;
    *) die "$EX_DATA" "cannot see when the login ends: $source" ;;
  esac
}

# credentials::watch HOME KEEP: while the agent works, keeps what its tool refreshed as soon as it has, and gives up the
# turn. In a child, since this process waits for the agent.
credentials::watch() {
  ((${#CREDENTIALS_TURN[@]})) || return 0
  credentials::_watch "$1" "$2" "$$" &
  CREDENTIALS_WATCH=$!
}

credentials::_watch() {
  local home=$1 keep=$2 parent=$3 index never
  # Between commands: what was begun is done to its end.
  trap 'exit 0' TERM
  # shellcheck disable=SC2312  # it says nothing, ever
  exec {never}<> <(:)
  while ((${#CREDENTIALS_TURN[@]})) && kill -0 "$parent" 2>/dev/null; do
    read -r -t 1 -u "$never" _ || : # a second has passed
    for index in "${!CREDENTIALS_TURN[@]}"; do
      credentials::_is_new "$home" "$keep" "$index" seen || continue
      mv -T -- "$keep/$index.new" "$keep/$index.seen"
      credentials::_keep "$keep" "$index" "$keep/$index.seen" || continue # half written; it will be looked at again
      cp -- "$keep/$index.seen" "$keep/$index.given"
      cp -- "$keep/$index.seen" "$keep/$index"
      flock -u "${CREDENTIALS_TURN[$index]}"
      unset "CREDENTIALS_TURN[$index]"
    done
  done
}

# credentials::unwatch: before what is given and kept is removed.
credentials::unwatch() {
  [[ -n $CREDENTIALS_WATCH ]] || return 0
  kill -TERM "$CREDENTIALS_WATCH" 2>/dev/null || : # it may have nothing left to wait for
  process::await CREDENTIALS_WATCH "$CREDENTIALS_WATCH"
  CREDENTIALS_WATCH=''
}

# credentials::_is_new HOME KEEP INDEX [seen]: the agent has something else there than it was given (or was seen last). It
# is in KEEP/INDEX.new then.
credentials::_is_new() {
  local target=${TICKET_CREDENTIALS[$3 + 1]} last=$2/$3.given
  [[ ! -f $2/$3.${4:-given} ]] || last=$2/$3.${4:-given}
  is_plain_path "$1" "$target" && is_small_file "$1/$target" "$CREDENTIALS_LIMIT" || return 1
  credentials::_copy "$1" "$target" "$2/$3.new" && ! cmp -s -- "$2/$3.new" "$last"
}

# credentials::_copy HOME TARGET FILE: what is there, whatever an agent that still works puts in its place meanwhile: no link
# is followed, no pipe waited for. Where we are the kernel says: what Bash knows of it is what the path said before.
credentials::_copy() (
  local top at folder=${2%"${2##*/}"}
  cd -P -- "$1" || return
  top=$(env pwd -P)
  cd -P -- "./$folder" || return
  at=$(env pwd -P)
  [[ $at/ == "$top/$folder" ]] || return
  dd if="./${2##*/}" of="$3" iflag=nofollow,nonblock,count_bytes count="$((CREDENTIALS_LIMIT + 1))" status=none 2>/dev/null \
    && [[ -s $3 ]] && is_small_file "$3" "$CREDENTIALS_LIMIT"
)

# credentials::take_back HOME KEEP: what the tool refreshed replaces the original, under a lock that all runs share.
credentials::take_back() {
  local home=$1 keep=$2 index
  credentials::unwatch
  for ((index = 0; index < ${#TICKET_CREDENTIALS[@]}; index += 2)); do
    [[ -f $keep/$index ]] || continue
    if credentials::_is_new "$home" "$keep" "$index"; then
      credentials::_keep "$keep" "$index" "$keep/$index.new" || : # it has said why; the old one stays
    fi
  done
  for index in "${!CREDENTIALS_TURN[@]}"; do
    flock -u "${CREDENTIALS_TURN[$index]}"
  done
  [[ ! -d $keep ]] || fresh::remove "$keep"
}

# credentials::_keep KEEP INDEX NOW: whatever becomes of it, a new token is a key like the old one.
credentials::_keep() {
  # allow hot-path: only where a tool refreshed its login
  [[ -z ${ORKESTRA_SECRETS_FILE:-} ]] || "$ORKESTRA_PYTHON" -m orkestra_shim.keys learn "$ORKESTRA_SECRETS_FILE" "$3"
  "$ORKESTRA_SCRIPTS/AGENTS/keep-credential.sh" "${TICKET_CREDENTIALS[$2]}" "$1/$2" "$3"
}
