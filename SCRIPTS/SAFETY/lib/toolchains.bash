# shellcheck shell=bash
# Interpreters and compilers that a person installed below their home (pyenv, nvm, rustup, pipx ...): what is on PATH
# works inside the sandbox too, read-only, and nothing with credentials comes along.
#
# A row of TOOLCHAIN_TABLE: a folder below HOME; what of it is bound (`.`: all); a variable that must name the folder.
# An entry of PATH below such a folder turns the row on. Other entries count when their prefix is an interpreter's:
# it holds pyvenv.cfg, conda-meta, lib/python3* or lib/node_modules. Anything else on PATH does not enter.

TOOLCHAIN_BINDS=() # paths to bind read-only

readonly TOOLCHAIN_TABLE=(
  '.pyenv . PYENV_ROOT'
  '.rbenv . RBENV_ROOT'
  '.nodenv . NODENV_ROOT'
  '.goenv . GOENV_ROOT'
  '.asdf . ASDF_DATA_DIR'
  '.volta . VOLTA_HOME'
  '.dotnet . DOTNET_ROOT'
  '.cargo bin -'
  '.bun bin -'
  '.deno bin -'
  '.ghcup bin -'
  '.ghcup ghc -'
  '.juliaup bin -'
  '.sdkman candidates -'
  '.local/share/mise shims -'
  '.local/share/mise installs -'
  '.local/share/pypoetry venv -'
  'go bin -'
)
# Variables that name a toolchain's place, and what must be there for it to be believed.
readonly TOOLCHAIN_VARIABLES=('JAVA_HOME bin/java' 'GOROOT bin/go' 'DOTNET_ROOT dotnet')

# toolchains::collect: fills TOOLCHAIN_BINDS, ROOTFS_ENV and ROOTFS_PATH.
toolchains::collect() {
  local home entry
  local -a entries
  TOOLCHAIN_BINDS=() ROOTFS_ENV=() ROOTFS_PATH=''
  home=$(realpath -m -- ~)
  toolchains::_split_path
  for entry in "${entries[@]}"; do
    toolchains::_is_system "$entry" || toolchains::_known "$home" "$entry" || toolchains::_prefix "$home" "$entry" || continue
    [[ :$ROOTFS_PATH: == *:"$entry":* ]] || ROOTFS_PATH+=${ROOTFS_PATH:+:}$entry
  done
  [[ -n $ROOTFS_PATH ]] || ROOTFS_PATH=/usr/local/bin:/usr/bin:/bin
  [[ :$ROOTFS_PATH: != *:"$home/.cargo/bin":* ]] || toolchains::_add "${RUSTUP_HOME:-$home/.rustup}" RUSTUP_HOME
  [[ -z ${PYENV_VERSION:-} ]] || ROOTFS_ENV+=("PYENV_VERSION=$PYENV_VERSION")
  toolchains::_variables
  toolchains::_readable "$home"
}

# toolchains::_readable HOME: a virtual environment that ORKESTRA_SANDBOX_READ names comes with the Python it was made
# from: without that its own is a link that leads nowhere.
toolchains::_readable() {
  local path
  local -a split
  IFS=: read -r -d '' -a split <<<"${ORKESTRA_SANDBOX_READ:-}:" || true
  for path in "${split[@]}"; do
    [[ $path == /* && -r $path/pyvenv.cfg ]] || continue
    toolchains::_prefix "$1" "${path%/}/bin" || true # not one: it is bound as any other folder
  done
}

# The entries of PATH as real paths: relative ones and missing ones fall away.
toolchains::_split_path() {
  local -a split given=()
  IFS=: read -r -d '' -a split <<<"$PATH:" || true
  for entry in "${split[@]}"; do
    [[ $entry != /* || ! -d $entry ]] || given+=("$entry")
  done
  entries=()
  ((${#given[@]} == 0)) || mapfile -d '' -t entries < <(realpath -zm -- "${given[@]}" || true) # an entry that leads nowhere is left out
}

toolchains::_is_system() {
  local root
  for root in "${ROOTFS_SYSTEM[@]}"; do
    [[ $1/ != "$root"/* ]] || return 0
  done
  return 1
}

# toolchains::_add PATH [VARIABLE]
toolchains::_add() {
  [[ -e $1 ]] || return 0
  local known
  for known in ${TOOLCHAIN_BINDS[@]+"${TOOLCHAIN_BINDS[@]}"}; do
    [[ $1 != "$known" ]] || return 0
  done
  TOOLCHAIN_BINDS+=("$1")
  [[ -z ${2:-} || ${2:-} == - ]] || ROOTFS_ENV+=("$2=$1")
}

# toolchains::_known HOME ENTRY: by the table, and ~/.local/bin.
toolchains::_known() {
  local home=$1 entry=$2 row folder part variable found=1
  if [[ $entry == "$home/.local/bin" ]]; then
    toolchains::_local_bin "$home"
    return 0
  fi
  for row in "${TOOLCHAIN_TABLE[@]}"; do
    read -r folder part variable <<<"$row"
    [[ $entry/ == "$home/$folder"/* ]] || continue
    found=0
    if [[ $part == . ]]; then part=''; else part=/$part; fi
    toolchains::_add "$home/$folder$part" "$variable"
  done
  return "$found"
}

# toolchains::_prefix HOME ENTRY: ENTRY is the bin folder of an interpreter; its whole prefix is bound, but never a
# folder that has the home inside.
toolchains::_prefix() {
  local home=$1 prefix=${2%/bin} line
  local -a python
  [[ $2 == */bin && -n $prefix && $home/ != "$prefix"/* && $prefix != "$home/.local" ]] || return 1
  python=("$prefix"/lib/python3*)
  [[ -e $prefix/pyvenv.cfg || -d $prefix/conda-meta || -d $prefix/lib/node_modules || -d ${python[0]} ]] || return 1
  toolchains::_add "$prefix"
  [[ -r $prefix/pyvenv.cfg ]] || return 0
  # A virtual environment needs the Python that it was made from.
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line =~ ^home[[:space:]]*=[[:space:]]*(/.*)$ ]] || continue
    line=$(realpath -m -- "${BASH_REMATCH[1]}")
    toolchains::_is_system "$line" || toolchains::_prefix "$home" "$line" || true # no prefix of a toolchain: nothing to bind
  done <"$prefix/pyvenv.cfg"
}

# ~/.local/bin: the folder itself, and for its links what they lead to: an environment made by pipx or uv as a whole,
# else the one file. ~/.local holds too much else to be bound.
toolchains::_local_bin() {
  local home=$1 file target
  local -a files links=() targets
  toolchains::_add "$home/.local/bin"
  files=("$home"/.local/bin/*)
  for file in "${files[@]}"; do [[ ! -L $file ]] || links+=("$file"); done
  for file in "$home"/.local/lib/python3*/site-packages; do
    [[ -d $file ]] || continue
    toolchains::_add "$file"
    ROOTFS_ENV+=("PYTHONUSERBASE=$home/.local")
  done
  ((${#links[@]} > 0)) || return 0
  mapfile -d '' -t targets < <(realpath -zm -- "${links[@]}" || true) # a link that leads nowhere is left out
  for target in "${targets[@]}"; do
    toolchains::_is_system "$target" || toolchains::_prefix "$home" "${target%/*}" || toolchains::_add "$target"
  done
}

toolchains::_variables() {
  local row name proof value
  for row in "${TOOLCHAIN_VARIABLES[@]}"; do
    read -r name proof <<<"$row"
    value=${!name:-}
    [[ $value == /* && -x $value/$proof ]] || continue
    value=$(realpath -m -- "$value")
    toolchains::_is_system "$value" || toolchains::_add "$value"
    ROOTFS_ENV+=("$name=$value")
  done
}
