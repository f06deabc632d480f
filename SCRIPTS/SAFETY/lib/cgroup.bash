# shellcheck shell=bash
# Control groups: where the kernel itself bounds what an agent or a check may take, and what finds every process of it,
# whatever it does to its session, its parents or its environment.
#
# A group is a folder below the group that we are in (or, in a v2 tree, beside it), where we may make one and where the
# controller is at work; nothing else of the machine's groups is changed. It is called orkestra-HOST-NAMESPACE-PID after
# the process that made it, and the PID namespace in which that is its number: a group whose maker is dead is nobody's, and
# so is all that is in it. Of makers in other namespaces (containers that share the folder) nobody can tell here.
#
# Called from EXIT traps, where a bare `return` would give the status with which the script ends.

CGROUP_PIDS=''      # the folder whose pids.max bounds processes; empty: there is none here
CGROUP_MEMORY=''    # the same for memory; in a v2 tree the same folder
CGROUP_NAMESPACE='' # the number of our PID namespace, once it was looked up

# cgroup::make PROCESSES MEMORY: makes what is needed for these limits (a number; bytes; 0 is none).
cgroup::make() {
  local pids='' memory=''
  CGROUP_PIDS='' CGROUP_MEMORY=''
  (($1 == 0)) || cgroup::_base pids pids
  (($2 == 0)) || cgroup::_base memory memory
  # A process is in one group of a v2 tree, and the higher of two places hands both controllers on.
  if [[ -n $pids && -e $memory/cgroup.subtree_control ]]; then
    if ((${#pids} < ${#memory})); then memory=$pids; else pids=$memory; fi
  fi
  cgroup::_add CGROUP_PIDS "$pids"
  cgroup::_add CGROUP_MEMORY "$memory"
}

cgroup::_add() {
  local name folder
  [[ -n $2 ]] || return 0
  cgroup::_name name
  folder=$2/$name
  if [[ ! -d $folder ]]; then mkdir -- "$folder" 2>/dev/null || return 0; fi
  # Entering is a right of its own in a v2 tree.
  if ! (printf 0 >"$folder/cgroup.procs") 2>/dev/null; then
    rmdir -- "$folder" 2>/dev/null || : # it is empty, and does no harm
    return 0
  fi
  printf -v "$1" '%s' "$folder"
}

cgroup::_name() {
  [[ -n $CGROUP_NAMESPACE ]] || CGROUP_NAMESPACE=$(readlink /proc/self/ns/pid)
  printf -v "$1" 'orkestra-%s-%s-%s' "${HOSTNAME//[^A-Za-z0-9]/_}" "${CGROUP_NAMESPACE//[^0-9]/}" "$$"
}

# cgroup::limit PROCESSES MEMORY: sets the limits of the groups there are.
cgroup::limit() {
  local dead
  if [[ -n $CGROUP_PIDS && $1 != 0 ]]; then
    # Dead ones count until whoever inherited them buries them, which in some containers nobody does.
    read -r dead <"$CGROUP_PIDS/pids.current"
    printf '%s' "$(($1 + dead))" >"$CGROUP_PIDS/pids.max"
  fi
  [[ -n $CGROUP_MEMORY && $2 != 0 ]] || return 0
  if [[ -e $CGROUP_MEMORY/memory.max ]]; then
    printf '%s' "$2" >"$CGROUP_MEMORY/memory.max"
    cgroup::_set "$CGROUP_MEMORY/memory.swap.max" 0
    cgroup::_set "$CGROUP_MEMORY/memory.oom.group" 1
  else
    # The second is memory and swap together, and never less than the first.
    cgroup::_set "$CGROUP_MEMORY/memory.memsw.limit_in_bytes" -1
    printf '%s' "$2" >"$CGROUP_MEMORY/memory.limit_in_bytes"
    cgroup::_set "$CGROUP_MEMORY/memory.memsw.limit_in_bytes" "$2"
  fi
}

# A knob that not every kernel has.
cgroup::_set() {
  [[ ! -w $1 ]] || printf '%s' "$2" >"$1"
}

# cgroup::refusals VAR: how often a process was refused here; cgroup::kills VAR: how often one was killed for memory.
cgroup::refusals() {
  cgroup::_count "$1" "${CGROUP_PIDS:+$CGROUP_PIDS/pids.events}" max
}

cgroup::kills() {
  local file=$CGROUP_MEMORY/memory.events
  [[ -e $file ]] || file=$CGROUP_MEMORY/memory.oom_control
  cgroup::_count "$1" "${CGROUP_MEMORY:+$file}" oom_kill
}

cgroup::_count() {
  local _word _number
  printf -v "$1" 0
  [[ -r $2 ]] || return 0
  while read -r _word _number; do
    if [[ $_word == "$3" && $_number =~ ^[0-9]+$ ]]; then printf -v "$1" '%s' "$_number"; fi
  done <"$2"
}

# cgroup::empty: ends every process in our groups.
cgroup::empty() {
  [[ -z $CGROUP_PIDS ]] || cgroup::_end "$CGROUP_PIDS"
  [[ -z $CGROUP_MEMORY || $CGROUP_MEMORY == "$CGROUP_PIDS" ]] || cgroup::_end "$CGROUP_MEMORY"
}

cgroup::_end() {
  local pids tries
  for ((tries = 0; tries < 250; ++tries)); do
    # Somebody who ended us may have removed it.
    [[ -e $1/cgroup.procs ]] || return 0
    mapfile -t pids <"$1/cgroup.procs"
    ((${#pids[@]})) || return 0
    # Nothing is born while we kill one after the other.
    cgroup::_set "$1/pids.max" 0
    cgroup::_set "$1/cgroup.kill" 1
    kill -KILL -- "${pids[@]}" 2>/dev/null || : # one that has ended needs no telling
    sleep 0.02
  done
}

# cgroup::remove: our groups go, with whatever is still in them.
cgroup::remove() {
  cgroup::empty
  local folder
  for folder in "$CGROUP_PIDS" "$CGROUP_MEMORY"; do
    [[ ! -d $folder ]] || rmdir -- "$folder" 2>/dev/null || : # the kernel still buries what was in it: the next start removes it
  done
  CGROUP_PIDS='' CGROUP_MEMORY=''
}

# cgroup::sweep: groups whose maker was killed, and what is left in them, end.
cgroup::sweep() {
  local controller base name folder
  cgroup::_name name
  for controller in pids memory; do
    cgroup::_base "$controller" base
    [[ -n $base ]] || continue
    for folder in "$base/${name%-*}"-*; do
      [[ -w $folder/cgroup.procs ]] || continue
      # shellcheck disable=SC2310  # a predicate
      ! cgroup::_lives "${folder##*-}" || continue
      cgroup::_end "$folder"
      rmdir -- "$folder" 2>/dev/null || : # as above
    done
  done
}

# A process that has been killed and not yet buried has no command line any more.
cgroup::_lives() {
  IFS= read -r -d '' _ 2>/dev/null <"/proc/$1/cmdline"
}

# cgroup::_base CONTROLLER VAR: the folder in which a group with this controller can be made; empty: none.
cgroup::_base() {
  local _id _names _path _mine='' _version=2 _mount
  printf -v "$2" ''
  [[ -r /proc/self/cgroup ]] || return 0
  while IFS=: read -r _id _names _path; do
    if [[ ,$_names, == *,"$1",* ]]; then
      _mine=$_path _version=1
      break
    fi
    [[ $_id != 0 ]] || _mine=$_path
  done </proc/self/cgroup
  cgroup::_mount "$_version" "$1" _mount
  [[ -n $_mount && $_mine != *..* ]] || return 0
  if ((_version == 1)); then
    [[ ! -w $_mount${_mine%/}/cgroup.procs ]] || printf -v "$2" '%s' "$_mount${_mine%/}"
  else
    cgroup::_base_v2 "$1" "$2" "$_mount" "$_mine"
  fi
}

# In a v2 tree a group that has processes cannot hand its controllers on: the nearest one above us that does.
cgroup::_base_v2() {
  local _at=${4%/} _handed
  while :; do
    _handed=''
    [[ ! -r $3$_at/cgroup.subtree_control ]] || read -r _handed <"$3$_at/cgroup.subtree_control" || : # none is an answer too
    if [[ " $_handed " == *" $1 "* && -w $3$_at/cgroup.procs ]]; then
      printf -v "$2" '%s' "$3$_at"
      return 0
    fi
    [[ -n $_at ]] || return 0
    _at=${_at%/*}
  done
}

# cgroup::_mount VERSION CONTROLLER VAR: where the tree is mounted, when the whole of what we see of it is.
cgroup::_mount() {
  local _root _at _rest _type _options
  printf -v "$3" ''
  while read -r _ _ _ _root _at _rest; do
    read -r _type _ _options <<<"${_rest#*- }"
    [[ $_root == / && $_at != *\\* ]] || continue
    if [[ $1 == 1 && $_type == cgroup && ,$_options, == *,"$2",* ]] || [[ $1 == 2 && $_type == cgroup2 ]]; then
      printf -v "$3" '%s' "$_at"
      return 0
    fi
  done </proc/self/mountinfo
}
