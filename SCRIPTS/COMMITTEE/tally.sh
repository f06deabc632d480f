#!/usr/bin/env bash
# Summary: Counts the votes in a file; the same as `orkestra vote tally`.
# Usage: tally.sh FILE [--method M] [--rule R] [--of BASE] [--seed TEXT] [--json]
#   `--help` says what FILE holds. Python counts, the programs in tally/ decide.
# Exit: 0 counted; 64 wrong usage; 65 the file cannot be counted; 69 not set up.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use context

main() {
  context::python
  exec "$ORKESTRA_PYTHON" -m orkestra_shim vote tally "$@"
}

main "$@"
