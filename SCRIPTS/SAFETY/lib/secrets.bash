# shellcheck shell=bash
# Known keys, as a run has them: ORKESTRA_SECRETS_FILE and what stands beside it (orkestra_shim/keys.py says what).

readonly SECRETS_LONGEST=8388608 # bytes of squeezed text that are looked at in one piece

# is_keyed: a key is known.
is_keyed() {
  [[ -s ${ORKESTRA_SECRETS_FILE:-} && ! -c $ORKESTRA_SECRETS_FILE ]] || return 1
  [[ -r $ORKESTRA_SECRETS_FILE.forms && -r $ORKESTRA_SECRETS_FILE.squeezed ]] \
    || die "$EX_INTERNAL" "what known keys look like is not known: $ORKESTRA_SECRETS_FILE.forms is missing"
}

# secrets::grep ARG...: grep's answer, 0 or 1. One that breaks ends this process: that is no answer.
secrets::grep() {
  local code=0
  grep "$@" || code=$?
  ((code <= 1)) || die "$EX_INTERNAL" "the search for keys broke (grep ended with $code)"
  return "$code"
}

# has_form FILE...: a known key stands in one of them, as it is or encoded.
has_form() {
  secrets::grep -qaF -f "$ORKESTRA_SECRETS_FILE.forms" -- "$@"
}

# has_pieces FILE: a known key stands there, broken into several pieces by whatever is neither letter nor digit (NUL bytes
# of UTF-16 among them), or encoded and so broken. FILE.squeezed is written on the way.
has_pieces() {
  local size found=1
  [[ -s $ORKESTRA_SECRETS_FILE.squeezed ]] || return 1
  LC_ALL=C tr -dc 0-9A-Za-z <"$1" >"$1.squeezed" || die "$EX_CANNOT_WRITE" "cannot write $1.squeezed"
  size=$(stat -c %s -- "$1.squeezed") || die "$EX_INTERNAL" "$1.squeezed is gone"
  ((size <= SECRETS_LONGEST)) || secrets::_fold "$1.squeezed"
  ! secrets::grep -qaF -f "$ORKESTRA_SECRETS_FILE.squeezed" -- "$1.squeezed" || found=0
  rm -f -- "$1.squeezed"
  return "$found"
}

# grep has a line in memory as a whole: what is long becomes lines that overlap by half.
secrets::_fold() {
  # shellcheck disable=SC2312  # pipefail tells
  {
    fold -b -w "$SECRETS_LONGEST" -- "$1" && printf '\n' \
      && tail -c "+$((SECRETS_LONGEST / 2))" -- "$1" | fold -b -w "$SECRETS_LONGEST"
  } >"$1.lines" || die "$EX_CANNOT_WRITE" "cannot write $1.lines"
  mv -f -- "$1.lines" "$1"
}
