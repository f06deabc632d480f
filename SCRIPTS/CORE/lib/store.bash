# shellcheck shell=bash
# The client of the store: one line there, one line back, over a pair of pipes of this process's own.
#
# A request is SEQ TAB VERB TAB FIELD..., the answer SEQ TAB ok|no|err TAB FIELD...; fields are escaped as in
# text.bash. The store may take its time to answer `claim`: that is how a worker waits without polling. A store that
# died ends the run: its client exits 70.

use text

STORE_OUT='' STORE_IN='' STORE_SEQ=0
STORE_REPLY=() # what the last answer held, unescaped, without number and status
STORE_WORD=''  # ok, no or err

# store::open VAR FIFO r|w: VAR becomes a descriptor on the FIFO. Bash waits there for somebody at the other end, for ever
# where the store has just died: so we are that somebody until it is open, and what follows finds the end of the pipe.
store::open() {
  local -n _descriptor=$1
  local spare
  [[ -p $2 ]] || store::_lost
  exec {spare}<>"$2"
  if [[ $3 == w ]]; then exec {_descriptor}>"$2"; else exec {_descriptor}<"$2"; fi
  exec {spare}>&-
}

# store::connect NAME: opens $ORKESTRA_RUN/NAME.req and .rep and says hello, and which process it is
# that asks.
store::connect() {
  trap '' PIPE
  store::open STORE_OUT "$ORKESTRA_RUN/$1.req" w
  STORE_SEQ=1
  { printf '1\thello\t%s\n' "$$" >&"$STORE_OUT"; } 2>/dev/null || store::_lost
  store::open STORE_IN "$ORKESTRA_RUN/$1.rep" r
  store::_read 1
}

# store::ask VERB FIELD...: asks and waits for the answer. Returns 0; STORE_WORD and STORE_REPLY hold it. An `err`
# answer ends this process with the store's own code and words.
store::ask() {
  local line=$((++STORE_SEQ)) field escaped
  for field in "$@"; do
    text::escape escaped "$field"
    line+=$'\t'$escaped
  done
  { printf '%s\n' "$line" >&"$STORE_OUT"; } 2>/dev/null || store::_lost
  store::_read "$STORE_SEQ"
}

store::_read() {
  local line='' part fields field plain status
  # An interrupted read gives half a line: what came is kept and the rest is read on.
  while :; do
    part='' status=0
    IFS= read -r part <&"$STORE_IN" || status=$?
    line+=$part
    ((status != 0)) || break
    ((status > 128)) || store::_lost
  done
  mapfile -t -d $'\t' fields <<<"$line"
  fields[-1]=${fields[-1]%$'\n'}
  [[ ${fields[0]} == "$1" ]] || die "$EX_INTERNAL" "the store answered out of turn"
  STORE_WORD=${fields[1]:-}
  STORE_REPLY=()
  for field in "${fields[@]:2}"; do
    text::unescape plain "$field"
    STORE_REPLY+=("$plain")
  done
  [[ $STORE_WORD != err ]] || store::_refused
}

# The store's own code and words end this process.
store::_refused() {
  local code=${STORE_REPLY[0]:-}
  [[ $code =~ ^[0-9]{1,3}$ ]] || code=$EX_INTERNAL
  die "$code" "${STORE_REPLY[1]:-the store refused a request}" "${STORE_REPLY[2]:-}"
}

# What the store's own words say about it comes first, where this process can wait for them.
STORE_ON_LOST=:
store::_lost() {
  "$STORE_ON_LOST"
  die "$EX_INTERNAL" "the store of this run is gone" "start again: nothing that landed is lost"
}
