# shellcheck shell=bash
# Carries a machine's own settings for apt, pip and npm into another tree, so that packages are had there from where
# this machine has them. They may hold credentials: the tree must be private and short-lived. Nothing is printed.

# Variables of the environment that package clients and TLS libraries read.
readonly CARRY_VARIABLES='^(PIP_[A-Z_]+|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|GIT_SSL_[A-Z]+|NPM_CONFIG_[A-Z_]+|npm_config_[a-z_]+|(https?|HTTPS?|no|NO|all|ALL)_(proxy|PROXY))$'

# carry::_file TREE PATH: the file at the same place in the tree.
carry::_file() {
  [[ ! -f $2 ]] || install -D -m 644 -- "$2" "$1$2"
}

carry::_apt() {
  local tree=$1 suite=$2 path
  for path in apt.conf apt.conf.d auth.conf auth.conf.d; do
    [[ ! -e /etc/apt/$path ]] || cp -rL -- "/etc/apt/$path" "$tree/etc/apt/"
  done
  # Sources of another release would mix two of them; then those that debootstrap wrote stay.
  grep -qsx "VERSION_CODENAME=$suite" /etc/os-release || return 0
  rm -rf -- "$tree/etc/apt/sources.list" "$tree/etc/apt/sources.list.d"
  for path in sources.list sources.list.d preferences preferences.d trusted.gpg trusted.gpg.d keyrings; do
    [[ ! -e /etc/apt/$path ]] || cp -rL -- "/etc/apt/$path" "$tree/etc/apt/"
  done
  while IFS= read -r path; do
    carry::_file "$tree" "$path"
  done < <(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep -oE '/[^] ]+\.(gpg|asc)')
}

# carry::_mentioned BINDS-FILE: reads text; the folders outside the system that it names are written down to be bound.
carry::_mentioned() {
  local path
  while IFS= read -r path; do
    path=${path#file://}
    # The deepest part that is there: an index address may name a page below the folder.
    while [[ -n $path && ! -d $path ]]; do path=${path%/*}; done
    # The pages of an index in .../simple point at files beside that folder.
    path=${path%/}
    path=${path%/simple}
    case $path in
      '' | / | /opt | /srv | /home | /mnt | /etc* | /usr* | /var | /tmp | /proc* | /sys* | /dev* | /root) ;;
      *) printf '%s\0' "$path" ;;
    esac
  done < <(grep -oE '(^|[ =,])(file://)?/[^ ,"]+' | sed 's/^[ =,]//') | sort -zu >>"$1"
}

carry::_pip_and_npm() {
  local tree=$1 binds=$2 environment=$3 file
  local -a user=("${PIP_CONFIG_FILE:-}" "${XDG_CONFIG_HOME:-${HOME:-}/.config}/pip/pip.conf" "${HOME:-}/.pip/pip.conf")
  carry::_file "$tree" /etc/pip.conf
  carry::_file "$tree" /etc/xdg/pip/pip.conf
  for file in "${user[@]}"; do
    # The stranger's HOME is empty, so a user's settings become the machine's.
    [[ ! -f $file ]] || {
      install -D -m 600 -- "$file" "$tree/etc/xdg/pip/pip.conf"
      carry::_mentioned "$binds" <"$file"
      break
    }
  done
  [[ ! -f /etc/pip.conf ]] || carry::_mentioned "$binds" </etc/pip.conf
  file=${NPM_CONFIG_USERCONFIG:-${HOME:-}/.npmrc}
  if [[ -f $file ]]; then
    install -D -m 600 -- "$file" "$tree/etc/carried-npmrc"
    printf 'NPM_CONFIG_USERCONFIG=/etc/carried-npmrc\0' >>"$environment"
  fi
}

carry::_environment() {
  local tree=$1 binds=$2 environment=$3 name
  while IFS= read -r name; do
    [[ $name =~ $CARRY_VARIABLES && $name != PIP_CONFIG_FILE && ${name^^} != NPM_CONFIG_USERCONFIG ]] || continue
    printf '%s=%s\0' "$name" "${!name}" >>"$environment"
    carry::_file "$tree" "${!name}"
    printf '%s\n' "${!name}" | carry::_mentioned "$binds"
  done < <(compgen -e)
}

# carry::settings TREE SUITE BINDS-FILE ENVIRONMENT-FILE: copies what can be copied; writes NUL-separated lists of the
# folders to be bound read-only at the same place, and of the environment.
carry::settings() {
  local tree=$1 suite=$2 binds=$3 environment=$4 path
  : >"$binds"
  : >"$environment"
  carry::_apt "$tree" "$suite"
  for path in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
    rm -f -- "$tree$path"
    carry::_file "$tree" "$path"
  done
  # Certificates of the machine's own: kept there when ca-certificates is set up again.
  mkdir -p -- "$tree/usr/local/share"
  [[ ! -d /usr/local/share/ca-certificates ]] || cp -rL -- /usr/local/share/ca-certificates "$tree/usr/local/share/"
  carry::_pip_and_npm "$tree" "$binds" "$environment"
  carry::_environment "$tree" "$binds" "$environment"
}
