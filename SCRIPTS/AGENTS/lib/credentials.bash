# shellcheck shell=bash
# Credentials of a tool: copied into the agent's HOME before, and back out only when the tool refreshed them.
#
# What comes back was in an agent's hands. It is taken only when it is a regular file of reasonable size on a path
# without links, when it has the shape of what went in (JSON stays JSON with the same keys), and when nobody else has
# changed the original meanwhile. Nothing else ever leaves HOME.

use AGENTS/fresh

readonly CREDENTIALS_LIMIT=262144

# credentials::bring_in HOME KEEP: copies TICKET_CREDENTIALS into HOME, and what went in to KEEP to compare with.
credentials::bring_in() {
  local home=$1 keep=$2 index source target
  ((${#TICKET_CREDENTIALS[@]})) || return 0
  fresh::folder "$keep"
  for ((index = 0; index < ${#TICKET_CREDENTIALS[@]}; index += 2)); do
    source=${TICKET_CREDENTIALS[index]} target=${TICKET_CREDENTIALS[index + 1]}
    is_plain_path "$home" "$target" || die "$EX_DATA" "a credential's place is not inside HOME: $target"
    [[ -f $source ]] || continue
    # The user's own file may be a link (dotfiles); what comes in is its content.
    install -m 600 -- "$source" "$keep/$index"
    is_small_file "$keep/$index" "$CREDENTIALS_LIMIT" || die "$EX_DATA" "too large for a credential: $source"
    install -D -m 600 -- "$keep/$index" "$home/$target"
  done
}

# credentials::take_back HOME KEEP: what the tool refreshed replaces the original, under a lock that all runs share.
credentials::take_back() {
  local home=$1 keep=$2 index target
  for ((index = 0; index < ${#TICKET_CREDENTIALS[@]}; index += 2)); do
    target=${TICKET_CREDENTIALS[index + 1]}
    [[ -f $keep/$index ]] || continue
    if is_plain_path "$home" "$target" && is_small_file "$home/$target" "$CREDENTIALS_LIMIT" \
      && ! cmp -s -- "$home/$target" "$keep/$index"; then
      # Whatever becomes of it: a new token is a key like the old one.
      # allow hot-path: only where a tool refreshed its login
      [[ -z ${ORKESTRA_SECRETS_FILE:-} ]] || "$ORKESTRA_PYTHON" -m orkestra_shim.keys learn "$ORKESTRA_SECRETS_FILE" "$home/$target"
      "$ORKESTRA_SCRIPTS/AGENTS/keep-credential.sh" "${TICKET_CREDENTIALS[index]}" "$keep/$index" "$home/$target" || : # it has said why; the old one stays
    fi
  done
  [[ ! -d $keep ]] || fresh::remove "$keep"
}
