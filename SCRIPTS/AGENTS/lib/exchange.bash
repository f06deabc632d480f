# shellcheck shell=bash
# The folder through which we and an agent's adapter exchange files (ORKESTRA_ATTEMPT_DIR), and the output it leaves.

use AGENTS/fresh SAFETY/redact

readonly EXCHANGE_LIMIT=$((16 * 1024 * 1024))
# What an adapter may leave: the result, or the tool's raw output for the adapter's .jq program. The agent itself may
# leave tasks that it came upon.
readonly EXCHANGE_RESULTS=(result.json output.json output.stderr output.exit follow-ups.json)

# exchange::fill TICKET EXCHANGE: the ticket's files into the empty EXCHANGE; there is a prompt in any case.
exchange::fill() {
  [[ ! -d $1/exchange ]] || cp -R --preserve=mode -- "$1/exchange/." "$2/"
  [[ -f $2/prompt.md ]] || : >"$2/prompt.md"
}

# exchange::collect EXCHANGE FOLDER: the adapter's results go to FOLDER. Links and special files are left behind, and so
# is what is too large. Known keys never stay in what we keep, whatever an agent printed.
exchange::collect() {
  local name found=()
  for name in "${EXCHANGE_RESULTS[@]}"; do
    if is_small_file "$1/$name" "$EXCHANGE_LIMIT"; then found+=("$1/$name"); fi
  done
  redact::files "$2/output.log" "${found[@]}"
  ((${#found[@]} == 0)) || cp --no-dereference --remove-destination -t "$2" -- "${found[@]}"
}
