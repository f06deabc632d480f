# shellcheck shell=bash
# shellcheck disable=SC1003  # a quoted backslash is a backslash
# Path patterns as a task's allow_paths has them. `*` and `?` stay within one part of the path, `**` crosses parts,
# `[a-z]` and `[!a-z]` are sets, a backslash takes the next character as it is. A pattern without a wildcard, or with
# a slash at its end, also means everything below it. `*.md` means the top folder only; `**/*.md` means all.
#
# A pattern becomes an extended regular expression. Callers set LC_ALL=C: a path is bytes.

# glob::regex VAR PATTERN
glob::regex() {
  local _rest=$2 _out='^' _char
  _rest=${_rest#./}
  while [[ -n $_rest ]]; do
    _char=${_rest:0:1}
    case $_rest in
      '**/'*) _out+='(.*/)?' _rest=${_rest:3} && continue ;;
      '**'*) _out+='.*' _rest=${_rest:2} && continue ;;
      '*'*) _out+='[^/]*' ;;
      '?'*) _out+='[^/]' ;;
      '['?*']'*)
        glob::_set
        continue
        ;;
      '\'?*) _rest=${_rest:1} && glob::_literal "${_rest:0:1}" ;;
      /) _out+='/.+' ;;
      *) glob::_literal "$_char" ;;
    esac
    _rest=${_rest:1}
  done
  has_wildcard "$2" || _out+='(/.*)?'
  printf -v "$1" '%s$' "$_out"
}

# glob::matches PATTERN PATH
glob::matches() {
  local regex
  glob::regex regex "$1"
  [[ $2 =~ $regex ]]
}

# glob::literal VAR PATTERN: what stands before the first wildcard.
glob::literal() {
  local _rest=${2#./}
  printf -v "$1" '%s' "${_rest%%[*?[\\]*}"
}

has_wildcard() {
  [[ $1 == *[*?[\\]* ]]
}

# Both work on glob::regex's _rest and _out.
glob::_literal() {
  case $1 in
    [A-Za-z0-9_/,:@%=~\ -]) _out+=$1 ;;
    '^') _out+='\^' ;;
    [[:cntrl:]]) _out+=$1 ;;
    '\') _out+='\\' ;;
    [[:ascii:]]) _out+="\\$1" ;;
    *) _out+=$1 ;;
  esac
}

glob::_set() {
  local body=${_rest:1} negated='' set
  if [[ $body == [\!^]* ]]; then negated='^/' body=${body:1}; fi
  if [[ $body == ']'* ]]; then set=']' body=${body:1}; else set=''; fi
  set+=${body%%]*}
  _rest=${body#*]}
  _out+="[$negated${set//\\/}]"
}
