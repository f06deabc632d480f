#!/usr/bin/env bash
# Summary: Looks at the whole of a project and says in words what is wrong; reads only, at any time, also from cron.
# Usage: consistency.sh [--project P] [--json]
#   Queue, records, refs, workspaces, locks, the checkout beside its branch, owners, disks: a line for each finding, with
#   what to do in brackets; nothing when all is well. What a living run is in the middle of is no fault.
# Exit: 0 nothing is wrong; 1 something is; 64 wrong usage; 65 78 the project cannot be read at all; 69 not set up.
# shellcheck source=SCRIPTS/CORE/lib/boot.bash
source "${BASH_SOURCE[0]%"${BASH_SOURCE[0]##*/}"}../CORE/lib/boot.bash"
use context

main() {
  context::python
  exec "$ORKESTRA_PYTHON" -m orkestra_shim.consistency "$@"
}

main "$@"
