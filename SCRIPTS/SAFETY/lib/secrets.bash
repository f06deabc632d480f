# shellcheck shell=bash
# Known keys (ORKESTRA_SECRETS_FILE, one value a line) and what they look like when encoded.

readonly SECRETS_SHORTEST=8 # a shorter value is no key, and would be found everywhere
readonly SECRETS_WINDOW=16  # characters of Base64 that are looked for: encoders break lines
readonly SECRETS_STEP=4     # from one window to the next

SECRETS_VALUES=()

# secrets::load: the values into SECRETS_VALUES. Returns 1 when there are none.
secrets::load() {
  local value
  local -a lines=()
  SECRETS_VALUES=()
  [[ ! -s ${ORKESTRA_SECRETS_FILE:-} || -c $ORKESTRA_SECRETS_FILE ]] || mapfile -t lines <"$ORKESTRA_SECRETS_FILE"
  for value in "${lines[@]}"; do
    ((${#value} < SECRETS_SHORTEST)) || SECRETS_VALUES+=("$value")
  done
  ((${#SECRETS_VALUES[@]} > 0))
}

# secrets::forms VAR: a file with every form of every value, one a line, for grep -F -f. It stands beside the values
# and is made anew when they are newer.
secrets::forms() {
  local _file=$ORKESTRA_SECRETS_FILE.forms _value
  if [[ ! $_file -nt $ORKESTRA_SECRETS_FILE ]]; then
    (
      umask 077
      for _value in "${SECRETS_VALUES[@]}"; do
        printf '%s\n' "$_value"
        secrets::_base64 "$_value"
      done >"$_file.$$"
      mv -f -- "$_file.$$" "$_file"
    )
  fi
  printf -v "$1" '%s' "$_file"
}

# What Base64 makes of VALUE wherever it stands in what is encoded: three alignments, without the characters that its
# neighbours have a part in, in both alphabets.
secrets::_base64() {
  local before form cut tail
  for before in 0 1 2; do
    form=$(printf '%.*s%s' "$before" 'xx' "$1" | base64 -w 0)
    cut=$((before == 0 ? 0 : before + 1))
    tail=${form%%=*}
    ((${#tail} == ${#form})) || tail=${tail%?}
    secrets::_windows "${tail:cut}"
  done
}

# The pieces of FORM that are looked for. The beginning is left out of a long one: a vendor's prefix is no secret.
secrets::_windows() {
  local form=$1 start=0 piece
  ((${#form} < 2 * SECRETS_WINDOW)) || start=8
  ((${#form} >= SECRETS_WINDOW)) || start=-1
  for (( ; start >= 0 && start + SECRETS_WINDOW <= ${#form}; start += SECRETS_STEP)); do
    secrets::_alphabets "${form:start:SECRETS_WINDOW}"
  done
  ((start >= 0)) || ((${#form} < SECRETS_SHORTEST)) || secrets::_alphabets "$form"
}

secrets::_alphabets() {
  local piece=$1
  printf '%s\n' "$piece"
  [[ $piece == *[+/]* ]] || return 0
  piece=${piece//+/-}
  printf '%s\n' "${piece//\//_}"
}
