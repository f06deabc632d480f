# shellcheck shell=bash
# Text that crosses a line or reaches a terminal.

# text::escape VAR VALUE: VALUE for one field of a line: backslash, tab, newline, carriage return as \\ \t \n \r.
text::escape() {
  local _value=$2
  _value=${_value//\\/\\\\}
  _value=${_value//$'\t'/\\t}
  _value=${_value//$'\n'/\\n}
  _value=${_value//$'\r'/\\r}
  printf -v "$1" '%s' "$_value"
}

# text::unescape VAR FIELD: the reverse.
text::unescape() {
  local _rest=$2 _out=''
  while [[ $_rest == *\\* ]]; do
    _out+=${_rest%%\\*}
    _rest=${_rest#*\\}
    case $_rest in
      t*) _out+=$'\t' ;;
      n*) _out+=$'\n' ;;
      r*) _out+=$'\r' ;;
      *) _out+=${_rest:0:1} ;;
    esac
    _rest=${_rest:1}
  done
  printf -v "$1" '%s' "$_out$_rest"
}

# text::plain VAR VALUE: VALUE for a terminal or a log: every control character becomes a question mark, so that
# nothing an agent wrote can move the cursor or start a line of its own.
text::plain() {
  local _value=$2
  printf -v "$1" '%s' "${_value//[[:cntrl:]]/?}"
}
