#!/usr/bin/env bats
# SCRIPTS/CORE/land.sh: the branch moves once over change and record, the checkout first; nothing of a person's is lost.

bats_require_minimum_version 1.5.0
load ../helpers/common
load ../helpers/core

setup() {
  setup_place
  make_project
  core_environment
  HEAD=$(head_of_project)
}

land() { "$SCRIPTS/CORE/land.sh" "$@"; }
status_of() { git -C "$PROJECT" status --porcelain; }

@test "change and record come in together, in line, and the checkout follows" {
  change=$(a_change "$(tree_with src/a.txt new)")
  new=$(land move "$HEAD" "$(with_record "$change")")
  [[ $(head_of_project) == "$new" && -z $(status_of) ]]
  [[ $(git -C "$PROJECT" rev-parse "$new^") == "$change" && $(git -C "$PROJECT" rev-parse "$change^") == "$HEAD" ]]
  [[ $(<"$PROJECT/src/a.txt") == new && -e $PROJECT/logs/outcomes/outcome-001.json ]]
  [[ ! -e $PROJECT/.git/index.lock && ! -e $PROJECT/.git/orkestra-landing ]]
}

@test "the checkout of a Git folder that stands elsewhere follows, and nothing is written into that folder" {
  local before after
  mv "$PROJECT/.git" "$PLACE/elsewhere.git"
  printf 'gitdir: %s\n' "$PLACE/elsewhere.git" >"$PROJECT/.git"
  export ORKESTRA_GIT_DIR=$PLACE/elsewhere.git
  before=$(ls "$PLACE/elsewhere.git")
  change=$(a_change "$(tree_with src/a.txt new)")
  new=$(land move "$HEAD" "$(with_record "$change")")
  after=$(cd "$PLACE/elsewhere.git" && ls -I orkestra)
  [[ $(head_of_project) == "$new" && -z $(status_of) && $(<"$PROJECT/src/a.txt") == new && $after == "$before" ]]
  # With the project in a worktree beside it, on another branch, that checkout cannot be told: it is left alone.
  git -C "$PROJECT" worktree add -q -b side "$PLACE/side"
  export ORKESTRA_PROJECT=$PLACE/side
  HEAD=$new
  change=$(a_change "$(tree_with src/b.txt newer)")
  new=$(land move "$HEAD" "$(with_record "$change")")
  [[ $(head_of_project) == "$new" && ! -e $PLACE/elsewhere.git/src ]]
}

@test "a branch that moved is not moved, and nothing changes" {
  change=$(a_change "$(tree_with src/a.txt new)")
  git -C "$PROJECT" commit -q --allow-empty -m person
  moved=$(head_of_project)
  # The checkout is on the person's commit: what the landing brought along is taken back.
  run -20 land move "$HEAD" "$(with_record "$change")"
  [[ $(head_of_project) == "$moved" && -z $(status_of) && ! -e $PROJECT/src/a.txt ]]
  [[ ! -e $PROJECT/.git/index.lock ]]
}

@test "an edit, a staged edit, a deletion and an untracked or ignored file in the way are never overwritten" {
  printf 'one\n' >"$PROJECT/one" && printf '*.ignored\n' >>"$PROJECT/.gitignore"
  git -C "$PROJECT" add -A && git -C "$PROJECT" commit -qm one
  HEAD=$(head_of_project)
  local case path
  for case in edited staged deleted untracked ignored below-a-file through-a-link; do
    path=one
    case $case in
      edited) echo mine >"$PROJECT/one" ;;
      staged) echo mine >"$PROJECT/one" && git -C "$PROJECT" add one ;;
      deleted) rm "$PROJECT/one" ;;
      untracked) path=two && echo mine >"$PROJECT/two" ;;
      ignored) path=two.ignored && echo mine >"$PROJECT/two.ignored" ;;
      below-a-file) path=three/x && echo mine >"$PROJECT/three" ;;
      through-a-link) path=four/x && mkdir "$PLACE/outside" && ln -s "$PLACE/outside" "$PROJECT/four" ;;
    esac
    change=$(a_change "$(tree_with "$path" theirs)")
    before=$(cd "$PROJECT" && git status --porcelain --ignored)
    run -21 land move "$HEAD" "$(with_record "$change")"
    [[ $output == "$path" ]]
    [[ $(head_of_project) == "$HEAD" && $(cd "$PROJECT" && git status --porcelain --ignored) == "$before" ]]
    [[ ! -e $PROJECT/.git/index.lock ]]
    git -C "$PROJECT" reset -q --hard && git -C "$PROJECT" clean -qfdx
  done
  [[ ! -e $PLACE/outside/x ]]
}

@test "edits elsewhere stay, staged or not" {
  echo mine >>"$PROJECT/README.md"
  echo staged >"$PROJECT/staged" && git -C "$PROJECT" add staged
  change=$(a_change "$(tree_with src/a.txt new)")
  land move "$HEAD" "$(with_record "$change")"
  [[ $(status_of) == ' M README.md'$'\n''A  staged' ]]
  [[ $(tail -1 "$PROJECT/README.md") == mine && $(<"$PROJECT/src/a.txt") == new ]]
}

@test "a path that a person has already made the same is no obstacle" {
  mkdir -p "$PROJECT/src" && echo new >"$PROJECT/src/a.txt" && echo new >"$PROJECT/README.md"
  tree=$(tree_with src/a.txt new)
  change=$(a_change "$tree")
  land move "$HEAD" "$(with_record "$change")"
  [[ $(status_of) == ' M README.md' ]]
}

@test "with another branch checked out only the branch moves" {
  git -C "$PROJECT" switch -qc other
  echo mine >"$PROJECT/README.md"
  change=$(a_change "$(tree_with README.md theirs)")
  new=$(land move "$HEAD" "$(with_record "$change")")
  [[ $(head_of_project) == "$new" && $(<"$PROJECT/README.md") == mine ]]
  [[ $(git -C "$PROJECT" rev-parse HEAD) == "$HEAD" ]]
}

@test "the branch checked out in a linked worktree: that one is brought along" {
  git -C "$PROJECT" switch -qc other
  git -C "$PROJECT" worktree add -q "$PLACE/linked tree" main
  change=$(a_change "$(tree_with src/a.txt new)")
  land move "$HEAD" "$(with_record "$change")"
  [[ $(<"$PLACE/linked tree/src/a.txt") == new && -z $(git -C "$PLACE/linked tree" status --porcelain) ]]
  [[ ! -e $PROJECT/src/a.txt ]]
}

@test "while Git is busy in the checkout the landing waits, and goes on when it is done" {
  change=$(a_change "$(tree_with src/a.txt new)")
  mkfifo "$PLACE/edit"
  # A person's commit that holds index.lock until its editor ends.
  echo x >"$PROJECT/x" && git -C "$PROJECT" add x
  cp "$PROJECT/.git/index" "$PROJECT/.git/index.lock"
  run -21 land move "$HEAD" "$(with_record "$change")"
  [[ $output == *index.lock* && $(head_of_project) == "$HEAD" ]]
  [[ -e $PROJECT/.git/index.lock ]] # it is another's
  rm "$PROJECT/.git/index.lock"
  land move "$HEAD" "$(with_record "$change")"
}

@test "hooks of the project do not run in a landing" {
  record=$(with_record "$(a_change "$(tree_with src/a.txt new)")")
  mkdir -p "$PROJECT/.git/hooks"
  for hook in reference-transaction post-index-change post-checkout pre-commit; do
    printf '#!/bin/sh\ntouch %s/ran\nexit 1\n' "$BATS_TEST_TMPDIR" >"$PROJECT/.git/hooks/$hook"
    chmod +x "$PROJECT/.git/hooks/$hook"
  done
  land move "$HEAD" "$record"
  [[ ! -e $BATS_TEST_TMPDIR/ran ]]
  run ! git -C "$PROJECT" update-ref refs/heads/z HEAD # the hook's own veto, on ordinary Git
  [[ -e $BATS_TEST_TMPDIR/ran ]]
}

# --- killed at every step ---

# A folder of stand-ins for the programs that a landing calls: the STEP-th call kills the whole process group, before
# or after the program itself did its work.
killers() {
  local name
  mkdir -p "$PLACE/killers"
  for name in git mv ln rm cp sync mkdir; do
    cat >"$PLACE/killers/$name" <<SH
#!/bin/bash
n=\$(<"$BATS_TEST_TMPDIR/count"); n=\$((n + 1)); echo "\$n" >"$BATS_TEST_TMPDIR/count"
if ((n == STEP)) && [[ \$WHEN == before ]]; then kill -KILL 0; fi
"$(type -P "$name")" "\$@"; status=\$?
if ((n == STEP)); then kill -KILL 0; fi
exit "\$status"
SH
    chmod +x "$PLACE/killers/$name"
  done
}

@test "killed at any step, a landing is finished or taken back, and the person's edits stand" {
  killers
  mkdir -p "$PROJECT/old" && echo gone >"$PROJECT/old/file" && echo 1 >"$PROJECT/mod"
  git -C "$PROJECT" add -A && git -C "$PROJECT" commit -qm more
  local origin=$PLACE/origin step when tree old new record finished=0 before=0
  old=$(head_of_project)
  # A change that adds, modifies and removes.
  tree=$(tree_with src/a.txt new)
  blob=$(echo 2 | git -C "$PROJECT" hash-object -w --stdin)
  GIT_INDEX_FILE=$PLACE/i git -C "$PROJECT" read-tree "$tree"
  GIT_INDEX_FILE=$PLACE/i git -C "$PROJECT" update-index --cacheinfo "100644,$blob,mod"
  GIT_INDEX_FILE=$PLACE/i git -C "$PROJECT" update-index --force-remove old/file
  tree=$(GIT_INDEX_FILE=$PLACE/i git -C "$PROJECT" write-tree)
  change=$(a_change "$tree") record=$(with_record "$change")
  cp -a "$PROJECT" "$origin"
  for when in before after; do
    for ((step = 1; ; ++step)); do
      rm -rf "$PROJECT" && cp -a "$origin" "$PROJECT"
      echo 'my edit' >>"$PROJECT/README.md"
      echo 0 >"$BATS_TEST_TMPDIR/count"
      status=0
      STEP=$step WHEN=$when PATH=$PLACE/killers:$PATH setsid --wait "$SCRIPTS/CORE/land.sh" \
        move "$old" "$record" >/dev/null 2>&1 || status=$?
      ((status != 0)) || break
      land recover
      [[ ! -e $PROJECT/.git/index.lock && ! -e $PROJECT/.git/orkestra-landing ]]
      [[ $(git -C "$PROJECT" status --porcelain) == ' M README.md' ]] || {
        echo "step $step $when"
        git -C "$PROJECT" status --porcelain
        false
      }
      new=$(head_of_project)
      if [[ $new == "$old" ]]; then
        ((++before))
        land move "$old" "$record" >/dev/null
      else
        ((++finished))
        [[ $(git -C "$PROJECT" rev-parse "$new^") == "$change" ]]
      fi
      [[ $(tail -1 "$PROJECT/README.md") == 'my edit' && $(<"$PROJECT/mod") == 2 && ! -e $PROJECT/old ]]
    done
  done
  echo "# killed at $((before + finished)) steps: $before taken back, $finished finished" >&3
  ((before > 0 && finished > 0))
}

@test "killed at any step, a landing is finished or taken back although somebody has removed its lock" {
  killers
  local step new old change record behind=0 ahead=0
  echo 1 >"$PROJECT/mod"
  git -C "$PROJECT" add -A && git -C "$PROJECT" commit -qm more
  old=$(head_of_project)
  change=$(a_change "$(tree_with mod 2)") record=$(with_record "$change")
  cp -a "$PROJECT" "$PLACE/origin"
  for ((step = 1; ; ++step)); do
    rm -rf "$PROJECT" && cp -a "$PLACE/origin" "$PROJECT"
    echo 'my edit' >>"$PROJECT/README.md"
    git -C "$PROJECT" add README.md
    echo 0 >"$BATS_TEST_TMPDIR/count"
    STEP=$step WHEN=after PATH=$PLACE/killers:$PATH setsid --wait "$SCRIPTS/CORE/land.sh" \
      move "$old" "$record" >/dev/null 2>&1 && break
    rm -f -- "$PROJECT/.git/index.lock"
    new=$(head_of_project)
    [[ $(status_of) == 'M  README.md' ]] || if [[ $new == "$old" ]]; then ((++ahead)); else ((++behind)); fi
    land recover
    [[ $(status_of) == 'M  README.md' && $(head_of_project) == "$new" ]] || {
      echo "step $step: $(status_of)"
      false
    }
    [[ ! -e $PROJECT/.git/index.lock && ! -e $PROJECT/.git/orkestra-landing ]]
  done
  echo "# seen out of step: $ahead before the branch moved, $behind after" >&3
  ((ahead > 0 && behind > 0))
}

@test "what a person has staged in the way of a killed landing is no leftover of it" {
  local change
  change=$(a_change "$(tree_with README.md theirs)")
  printf '%s %s\n' "$HEAD" "$change" >"$PROJECT/.git/orkestra-landing"
  git -C "$PROJECT" update-ref refs/heads/main "$change"
  echo staged >"$PROJECT/README.md" && git -C "$PROJECT" add README.md && echo edited >"$PROJECT/README.md"
  land recover
  [[ $(status_of) == 'MM README.md' && $(git -C "$PROJECT" show :README.md) == staged && $(<"$PROJECT/README.md") == edited ]]
  [[ ! -e $PROJECT/.git/index.lock && ! -e $PROJECT/.git/orkestra-landing ]]
}

@test "killed at any step, the next landing mends it before it lands" {
  killers
  local old step change record next new reached=0
  old=$(head_of_project)
  change=$(a_change "$(tree_with src/a.txt new)")
  record=$(with_record "$change")
  next=$(tree_with src/b.txt other)
  cp -a "$PROJECT" "$PLACE/origin"
  for ((step = 1; ; ++step)); do
    rm -rf "$PROJECT" && cp -a "$PLACE/origin" "$PROJECT"
    echo 0 >"$BATS_TEST_TMPDIR/count"
    STEP=$step WHEN=before PATH=$PLACE/killers:$PATH setsid --wait "$SCRIPTS/CORE/land.sh" \
      move "$old" "$record" >/dev/null 2>&1 && break
    ((++reached))
    # Whatever it came to, the branch takes the next change, on the commit that it is on.
    new=$(land move "$(head_of_project)" "$(a_change "$next")")
    [[ $(head_of_project) == "$new" && -z $(status_of) && -e $PROJECT/src/b.txt ]]
    [[ ! -e $PROJECT/.git/index.lock && ! -e $PROJECT/.git/orkestra-landing ]]
  done
  ((reached > 10))
}

@test "a file edited after the kill is left alone by recovery" {
  killers
  change=$(a_change "$(tree_with README.md theirs)")
  record=$(with_record "$change")
  local step
  for ((step = 1; step < 60; ++step)); do
    git -C "$PROJECT" reset -q --hard "$HEAD"
    echo 0 >"$BATS_TEST_TMPDIR/count"
    STEP=$step WHEN=after PATH=$PLACE/killers:$PATH setsid --wait "$SCRIPTS/CORE/land.sh" \
      move "$HEAD" "$record" >/dev/null 2>&1 && break
    echo 'edited since' >"$PROJECT/README.md"
    land recover
    [[ $(<"$PROJECT/README.md") == 'edited since' && ! -e $PROJECT/.git/index.lock ]]
    git -C "$PROJECT" update-ref refs/heads/main "$HEAD"
    rm -f "$PROJECT/.git/index.lock"
  done
  ((step > 5))
}

# --- what a Git that was killed alone leaves ---

@test "a lock on the branch, on HEAD or on our own ref that a killed Git has left keeps no landing" {
  local lock head=$HEAD number=0
  for lock in refs/heads/main HEAD refs/orkestra/landing; do
    mkdir -p "$PROJECT/.git/refs/orkestra"
    touch "$PROJECT/.git/$lock.lock"
    run git -C "$PROJECT" commit -q --allow-empty -m 'a person, meanwhile'
    [[ $status != 0 || $lock == refs/orkestra/landing ]]
    head=$(head_of_project)
    head=$(land move "$head" "$(a_change "$(tree_with "src/$((++number)).txt" new)")")
    [[ $(head_of_project) == "$head" && ! -e $PROJECT/.git/$lock.lock && ! -e $PROJECT/.git/index.lock ]]
  done
  [[ -z $(status_of) ]]
}

@test "a Git that was killed when it had moved the branch has moved it" {
  local new
  mkdir -p "$PLACE/killed"
  cat >"$PLACE/killed/git" <<SH
#!/bin/bash
"$(type -P git)" "\$@" || exit
[[ " \$* " != *" update-ref "*" refs/heads/main "* ]] || kill -KILL "\$\$"
SH
  chmod +x "$PLACE/killed/git"
  new=$(PATH=$PLACE/killed:$PATH land move "$HEAD" "$(a_change "$(tree_with src/a.txt new)")")
  [[ $(head_of_project) == "$new" && -z $(status_of) && -e $PROJECT/src/a.txt ]]
}

@test "a file that a killed Git had begun to write is brought along; one that a person has cut is left" {
  local change place size
  mkdir -p "$PROJECT/src"
  seq 1 9000 >"$PROJECT/src/long" && git -C "$PROJECT" add -A && git -C "$PROJECT" commit -qm long
  HEAD=$(head_of_project)
  blob=$(seq 2 9001 | git -C "$PROJECT" hash-object -w --stdin)
  GIT_INDEX_FILE=$PLACE/i git -C "$PROJECT" read-tree "$HEAD"
  GIT_INDEX_FILE=$PLACE/i git -C "$PROJECT" update-index --cacheinfo "100644,$blob,src/long"
  change=$(a_change "$(GIT_INDEX_FILE=$PLACE/i git -C "$PROJECT" write-tree)")
  for place in "$HEAD" "$change"; do
    for size in gone 0 4096 8192; do
      printf '%s %s\n' "$HEAD" "$change" >"$PROJECT/.git/orkestra-landing"
      ln "$PROJECT/.git/orkestra-landing" "$PROJECT/.git/index.lock"
      git -C "$PROJECT" update-ref refs/heads/main "$place"
      rm "$PROJECT/src/long"
      [[ $size == gone ]] || seq 2 9001 | head -c "$size" >"$PROJECT/src/long"
      land recover
      [[ -z $(status_of) ]] || {
        echo "$size: $(status_of)"
        false
      }
      git -C "$PROJECT" reset -q --hard "$HEAD"
    done
  done
  printf '%s %s\n' "$HEAD" "$change" >"$PROJECT/.git/orkestra-landing"
  ln "$PROJECT/.git/orkestra-landing" "$PROJECT/.git/index.lock"
  seq 2 8000 >"$PROJECT/src/long"
  land recover
  [[ $(tail -1 "$PROJECT/src/long") == 8000 && $(status_of) == ' M src/long' ]]
}
