# shellcheck shell=bash
# Text that crosses a line or reaches a terminal. All of it is bytes here, whatever the locale: cutting at a pattern, Bash
# 5.2 takes memory that it has not set for text where a character of several bytes breaks off.

# text::escape VAR VALUE: VALUE for one field of a line: backslash, tab, newline, carriage return as \\ \t \n \r.
text::escape() {
  local LC_ALL=C _value=$2
  _value=${_value//\\/\\\\}
  _value=${_value//$'\t'/\\t}
  _value=${_value//$'\n'/\\n}
  _value=${_value//$'\r'/\\r}
  printf -v "$1" '%s' "$_value"
}

# text::unescape VAR FIELD: the reverse.
text::unescape() {
  local LC_ALL=C _rest=$2 _out=''
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

# text::plain VAR VALUE: VALUE for a terminal or a log: every control character becomes a question mark, and so do those
# of Unicode that act as one or turn the direction of a line (U+0080..9F, 061C, 200E, 200F, 2028..202E, 2066..2069), so
# that nothing an agent wrote can move the cursor, start a line of its own, or be read as what it is not.
text::plain() {
  local LC_ALL=C _value=$2
  _value=${_value//[[:cntrl:]]/?}
  if [[ $_value == *[$'\xc2\xd8\xe2']* ]]; then
    _value=${_value//$'\xc2'[$'\x80'-$'\x9f']/?}
    _value=${_value//$'\xd8\x9c'/?}
    _value=${_value//$'\xe2\x80'[$'\x8e\x8f'$'\xa8'-$'\xae']/?}
    _value=${_value//$'\xe2\x81'[$'\xa6'-$'\xa9']/?}
  fi
  printf -v "$1" '%s' "$_value"
}
