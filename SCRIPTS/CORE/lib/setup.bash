# shellcheck shell=bash
# What the first set-up looks for and installs. Uses ROOT (the checkout) and VENV of its command.

# Command TAB Debian package. pyjq has no wheels: it builds its own jq and oniguruma, hence the second half.
readonly SETUP_TABLE='git	git
bwrap	bubblewrap
setpriv	util-linux
flock	util-linux
timeout	coreutils
python3	python3
gcc	gcc
make	make
autoreconf	autoconf
automake	automake
libtoolize	libtool'
readonly SETUP_GIT_MINIMUM=20038 # 2.38, the first with merge-tree --write-tree

setup::say() {
  printf '%s\n' "$1" >&2
}

# One set-up of this environment at a time. What is started here does not inherit the lock.
setup::lock() {
  # shellcheck disable=SC2153  # set by the command
  local venv=$VENV
  command -v flock >/dev/null || {
    exec {SETUP_LOCK}>/dev/null
    return 0
  }
  mkdir -p -- "${venv%/*}" 2>/dev/null || die "$EX_CANNOT_WRITE" "cannot write ${venv%/*}" "see its owner and rights, or set ORKESTRA_VENV to a folder of yours"
  { exec {SETUP_LOCK}>"$venv.lock"; } 2>/dev/null \
    || die "$EX_CANNOT_WRITE" "cannot write in ${VENV%/*}" \
      "let somebody who may do it run: $ROOT/bin/orkestra --setup-only; or set ORKESTRA_VENV to a folder of yours"
  flock -n "$SETUP_LOCK" || {
    setup::say 'orkestra: another set-up is going on, waiting for it'
    flock "$SETUP_LOCK"
  }
}

setup::is_done() {
  [[ -x $VENV/bin/python && -r $VENV/orkestra-requirements.txt ]] \
    && cmp -s -- "$ROOT/orkestra_shim/requirements.txt" "$VENV/orkestra-requirements.txt"
}

# An environment that somebody else made (ORKESTRA_VENV) is taken as it is when everything can be imported.
setup::is_complete_already() {
  [[ -n ${ORKESTRA_VENV:-} && -x $VENV/bin/python && ! -e $VENV/orkestra-requirements.txt ]] || return 1
  "$VENV/bin/python" -I -c 'import click, dotenv, git, jinja2, pyjq, rich, sh' 2>/dev/null || return 1
  cp -- "$ROOT/orkestra_shim/requirements.txt" "$VENV/orkestra-requirements.txt" 2>/dev/null || true # somebody else's environment: it is only looked at again next time
}

# --- system packages ----------------------------------------------------------------------------------------------

# setup::probe PYTHON: prints `VERSION LIB2TO3 VENV HEADERS PATH` (1 or 0 each), nothing for what is no Python 3.10+.
setup::probe() {
  "$1" -I -c '
import importlib.util as u, os, sys, sysconfig
if sys.version_info < (3, 10): sys.exit(1)
has = lambda n: int(u.find_spec(n) is not None)
inc = os.path.join(sysconfig.get_paths()["include"], "Python.h")
print(sys.version_info[1], has("lib2to3"), int(has("ensurepip") and has("venv")), int(os.path.exists(inc)),
      os.path.realpath(sys.executable))' 2>/dev/null
}

# Sets PYTHON, its minor version and what it has. One that builds pyjq as it comes (3.10, 3.11) is preferred.
setup::find_python() {
  local name line minor lib2to3 venv headers path score best=-1
  PYTHON='' PYTHON_MINOR=0 PYTHON_LIB2TO3=0 PYTHON_VENV=0 PYTHON_HEADERS=0
  for name in python3 /usr/bin/python3 python3.11 python3.10 python3.12 python3.13 python3.14; do
    command -v "$name" >/dev/null || continue
    line=$(setup::probe "$name") || continue
    read -r minor lib2to3 venv headers path <<<"$line"
    [[ $minor =~ ^[0-9]+$ ]] || continue
    score=$((4 * venv * headers + 2 * (minor < 12) + lib2to3))
    ((score > best)) || continue
    best=$score
    PYTHON=$path PYTHON_MINOR=$minor PYTHON_LIB2TO3=$lib2to3 PYTHON_VENV=$venv PYTHON_HEADERS=$headers
  done
  return 0
}

# Sets SETUP_MISSING to the Debian packages that are missing.
setup::find_missing() {
  local command package
  SETUP_MISSING=()
  while IFS=$'\t' read -r command package; do
    command -v "$command" >/dev/null || setup::_add "$package"
  done <<<"$SETUP_TABLE"
  setup::find_python
  [[ -n $PYTHON ]] || setup::_add python3
  ((PYTHON_VENV)) || setup::_add python3-venv
  ((PYTHON_HEADERS)) || setup::_add python3-dev
  # Split off on Debian and Ubuntu. From Python 3.12 on pyjq is built without it (setup::build_pyjq).
  ((PYTHON_LIB2TO3 || PYTHON_MINOR >= 12)) || setup::_add python3-lib2to3
}

setup::_add() {
  [[ " ${SETUP_MISSING[*]-} " == *" $1 "* ]] || SETUP_MISSING+=("$1")
}

# Shows exactly what would be installed and asks once.
setup::ask() {
  local answer
  setup::say 'Orkestra prepares its environment. It would install:'
  ((${#SETUP_MISSING[@]} == 0)) || setup::say "  system packages: ${SETUP_MISSING[*]}"
  setup::say "  into $VENV: the Python packages of $ROOT/orkestra_shim/requirements.txt"
  read -rp 'Go ahead? [Y/n] ' answer || answer=n
  case $answer in
    '' | [yY] | [yY][eE][sS] | [jJ]*) ;;
    *) die "$EX_UNAVAILABLE" 'nothing was installed' "when you want it: $ROOT/bin/orkestra --setup-only" ;;
  esac
}

# Three tries, for what uses the network.
setup::retry() {
  local try
  for try in 1 2; do
    # shellcheck disable=SC2310  # a plain command
    ! "$@" || return 0
    setup::say "orkestra: try $try of 3 failed, once more"
    sleep $((try * 3))
  done
  "$@"
}

setup::install_packages() {
  ((${#SETUP_MISSING[@]})) || return 0
  local -a as=() options=(-q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)
  local by_hand="apt-get update && apt-get install ${SETUP_MISSING[*]}"
  if ! command -v apt-get >/dev/null; then
    die "$EX_UNAVAILABLE" "not installed: ${SETUP_MISSING[*]} (as Debian names them)" \
      'install them with the package manager of this system, then call this again'
  fi
  if ((EUID != 0)); then
    as=(sudo)
    [[ -t 0 && -t 2 ]] || as=(sudo -n)
    if ! command -v sudo >/dev/null || { [[ ! -t 0 || ! -t 2 ]] && ! sudo -n true 2>/dev/null; }; then
      setup::without_root "$by_hand"
      return 0
    fi
    as+=(env DEBIAN_FRONTEND=noninteractive)
  fi
  setup::say "orkestra: installing ${SETUP_MISSING[*]}"
  {
    setup::retry "${as[@]}" apt-get "${options[@]}" update \
      && setup::retry "${as[@]}" apt-get "${options[@]}" -y install --no-install-recommends "${SETUP_MISSING[@]}"
  } >"$VENV.log" 2>&1 </dev/null {SETUP_LOCK}>&- \
    || {
      tail -n 5 -- "$VENV.log" >&2
      die "$EX_UNAVAILABLE" "could not install ${SETUP_MISSING[*]} (all it said: $VENV.log)" "as root: $by_hand"
    }
  hash -r
}

# Without root: the sandbox alone may be missing (`auto` goes on without it and says so); anything else may not.
setup::without_root() {
  if [[ ${SETUP_MISSING[*]} == bubblewrap ]]; then
    setup::say 'orkestra: bubblewrap is missing, so agents will run without a sandbox. As root: apt-get install bubblewrap'
    return 0
  fi
  die "$EX_UNAVAILABLE" "not installed, and this user cannot install: ${SETUP_MISSING[*]}" "as root: $1"
}

setup::need_git() {
  local text
  text=$(git --version)
  [[ $text =~ ([0-9]{1,4})\.([0-9]{1,4}) ]] || die "$EX_UNAVAILABLE" "this Git does not tell its version: $text" "see: type git; git --version"
  ((10#${BASH_REMATCH[1]} * 10000 + 10#${BASH_REMATCH[2]} >= SETUP_GIT_MINIMUM)) \
    || die "$EX_UNAVAILABLE" "Git ${BASH_REMATCH[0]} is too old: 2.38 or newer is needed" \
      'on Ubuntu: add-apt-repository ppa:git-core/ppa && apt-get install git'
}

# --- the Python environment ---------------------------------------------------------------------------------------

setup::make_environment() {
  [[ -n $PYTHON ]] || die "$EX_UNAVAILABLE" 'there is no Python 3.10 or newer' 'as root: apt-get install python3 python3-venv'
  ((PYTHON_VENV)) || die "$EX_UNAVAILABLE" "$PYTHON cannot make environments" 'as root: apt-get install python3-venv'
  setup::say "orkestra: preparing $VENV (a minute or two, once)"
  {
    setup::_venv && setup::_pip
  } >"$VENV.log" 2>&1 </dev/null {SETUP_LOCK}>&- \
    || {
      grep -iE '^ *(error|fatal)|No space|Permission denied|No matching' "$VENV.log" | tail -n 5 >&2 || true # the log may hold none of these words
      die "$EX_UNAVAILABLE" "the Python environment could not be made (all that was said: $VENV.log)" \
        'mend what it names, then call this again'
    }
  cp -- "$ROOT/orkestra_shim/requirements.txt" "$VENV/orkestra-requirements.txt.new"
  mv -f -- "$VENV/orkestra-requirements.txt.new" "$VENV/orkestra-requirements.txt"
  rm -f -- "$VENV.log"
  setup::say 'orkestra: ready'
}

# One that was never finished is made anew, unless it is somebody's own (ORKESTRA_VENV).
setup::_venv() {
  if [[ -x $VENV/bin/python ]] && [[ -e $VENV/orkestra-requirements.txt || -n ${ORKESTRA_VENV:-} ]]; then
    rm -f -- "$VENV/orkestra-requirements.txt"
    return 0
  fi
  "$PYTHON" -m venv --clear -- "$VENV"
}

setup::_pip() {
  # shellcheck disable=SC2310  # asked for its exit status
  setup::_has_pyjq || setup::build_pyjq || return 1
  setup::retry "$VENV/bin/python" -I -m pip install --requirement "$ROOT/orkestra_shim/requirements.txt"
}

setup::_has_pyjq() {
  local installed
  SETUP_PYJQ=$(grep '^pyjq==' "$ROOT/orkestra_shim/requirements.txt") || return 1
  installed=$("$VENV/bin/python" -I -m pip freeze) || return 1
  [[ $'\n'$installed$'\n' == *$'\n'"$SETUP_PYJQ"$'\n'* ]]
}

# pyjq has two troubles with newer Pythons: its setup.py imports lib2to3 (gone in 3.13) to rewrite helper scripts of
# oniguruma that its build never runs, and the C file in it, made by an old Cython, does not compile from 3.12 on. There
# its .pyx is translated again with a current Cython, and an empty lib2to3 stands in.
setup::build_pyjq() {
  local minor
  minor=$("$VENV/bin/python" -I -c 'import sys; print(sys.version_info[1])') || return 1
  if ((minor < 12)); then
    setup::retry "$VENV/bin/python" -I -m pip install "$SETUP_PYJQ"
    return
  fi
  setup::_build_mended
}

setup::_build_mended() {
  local work
  work=$(mktemp -d "${TMPDIR:-/tmp}/orkestra-pyjq.XXXXXX") || return 1
  mkdir -p -- "$work/stand-in/lib2to3"
  : >"$work/stand-in/lib2to3/__init__.py"
  printf 'def main(*arguments, **options):\n    return 0\n' >"$work/stand-in/lib2to3/main.py"
  setup::retry "$VENV/bin/python" -I -m pip install 'setuptools<81' wheel 'cython>=3.1,<3.2' || return 1
  PYTHONPATH=$work/stand-in setup::retry "$VENV/bin/python" -m pip download --no-deps --no-build-isolation \
    --no-binary pyjq --dest "$work" "$SETUP_PYJQ" || return 1
  (cd -- "$work" && tar xzf pyjq-*.tar.gz && rm pyjq-*.tar.gz && cd pyjq-*/ \
    && sed -i 's/(int, long, float)/(int, float)/' _pyjq.pyx \
    && "$VENV/bin/python" -I -m cython -3 -X legacy_implicit_noexcept=True _pyjq.pyx) || return 1
  PYTHONPATH=$work/stand-in "$VENV/bin/python" -m pip install --no-deps --no-build-isolation "$work"/pyjq-*/ || return 1
  "$VENV/bin/python" -I -m pip uninstall --yes cython || return 1
  rm -rf -- "$work"
}
