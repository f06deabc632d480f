# shellcheck shell=bash
# Summary: the moment before the agent starts is noted, for what is looked at afterwards

# A file that is newer than this one was written after the agent had started.
validator::stamp() {
  : >"$VALIDATE_TICKET/stamp" || wrong "cannot write $VALIDATE_TICKET/stamp"
}
