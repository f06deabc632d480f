#!/usr/bin/env bash
# Summary: run one command where it can do no harm (the only place where bubblewrap is called)
# Usage: sandbox.sh [OPTIONS] -- COMMAND [ARG...]
#        sandbox.sh --probe
# Options:
#   --rw PATH, --ro PATH   bound at the same path, writable or not (absolute; may be repeated; in the order given)
#   --bind ro|rw PATH DEST  PATH bound at DEST, a folder that is there
#   --hide PATH            an empty folder over PATH, or an empty file over a file
#   --home DIR             bound writable, and HOME
#   --chdir DIR            where the command starts (default: --home, else /)
#   --net                  the machine's network; without it there is none, not even the machine's own loopback
#   --env FILE             NUL-ended NAME=VALUE: all of the environment that enters, besides our own (below)
#   --stdin FILE           default /dev/null
#   --tty                  our terminal is the command's: stdin, TERM and /dev/tty. It must be one that nobody else uses (what
#                          is typed into it from inside is typed into it)
#   --files-limit BYTES    no file may grow larger
#   --group FOLDER         the control group that the command and all that it starts are in (may be repeated)
#   --processes-limit N    so many more processes than there are now, where RLIMIT_NPROC holds (not for root)
#   --hold FD              this descriptor stays open while the command lives, which does not get it
#   --seconds N            it is ended after N seconds: TERM to its group, ORKESTRA_GRACE, KILL; it dies with our caller
#   --probe                exit 0 if bubblewrap works here, else 69 with the reason and the cure; refreshes the cache
# Exit: the command's own; 64 wrong usage; 65 a path or variable that cannot be passed; 78 when ORKESTRA_SANDBOX is
#   `required` and bubblewrap cannot work here; 124 when its time was up
#
# What the command sees: /usr /etc /opt and the like read-only without what only root may read, the toolchains on PATH
# (lib/toolchains.bash), ORKESTRA_SANDBOX_READ, empty /tmp and /run, its own processes, and the options' paths.
# Nothing else: no home, no framework, no project. It gets PATH HOME LANG USER SHELL TERM=dumb, TZ and what names a
# toolchain's place; no descriptor above 2; no capability. It cannot reach our terminal: /dev/tty is /dev/null inside.
# While --net is on, abstract sockets and services on the machine's loopback are in reach.
#
# This ends in an exec, so that signals and exit status are the command's. bubblewrap dies of TERM at once and takes
# everything with it; it therefore ignores TERM and the command gets it with its default action. It must come to the
# whole process group, which is what `timeout` (--seconds) sends.
#
# ORKESTRA_SANDBOX=off, or `auto` (the default) where bubblewrap cannot work: same paths, environment and limits, no
# walls. What is the same for every call is worked out once (lib/rootfs.bash) and kept in
# $ORKESTRA_RUNTIME/sandbox-base. What this does is in lib/sandbox.bash: a worker's fork becomes a sandbox without a
# start of Bash.
# shellcheck source=../CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use SAFETY/sandbox

main() {
  [[ ${1:-} != --probe ]] || sandbox::probe
  sandbox::become "$@"
}

sandbox::probe() {
  use SAFETY/rootfs-build
  rootfs::build
  [[ -n $ROOTFS_REASON ]] || exit "$EX_OK"
  die "$EX_UNAVAILABLE" "bubblewrap does not work here: $ROOTFS_REASON" "$ROOTFS_CURE"
}

main "$@"
