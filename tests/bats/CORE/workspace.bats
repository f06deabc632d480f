#!/usr/bin/env bats
# SCRIPTS/CORE/workspace.sh with tree-reset.sh and tree-take.sh: prepare, take, merge, keep.

bats_require_minimum_version 1.5.0
load ../helpers/common
load ../helpers/core

setup() {
  setup_place
  need_sandbox
  make_project
  core_environment
  BASE=$(head_of_project)
}

workspace() { "$SCRIPTS/CORE/workspace.sh" "$@"; }

take() {
  local line
  line=$(workspace take "$W" "$ATTEMPT" "$BASE")
  read -r TREE FILES PATCH_ID OWN <<<"$line"
}

files_of() { git -C "$PROJECT" -c core.quotePath=false ls-tree -r --name-only "$1"; }

@test "prepare gives the commit's files and a Git directory of the agent's own" {
  workspace prepare "$W" "$BASE"
  diff <(cd "$PROJECT" && git ls-files | sort) <(cd "$W/tree" && git ls-files | sort)
  [[ -z $(cd "$W/tree" && git status --porcelain) ]]
  [[ $(cd "$W/tree" && git log -1 --format=%H) == "$BASE" ]]
  [[ ! -e $W/tree/.git/hooks ]]
}

@test "the empty src/ of a new project is there to write to, and is no change" {
  workspace prepare "$W" "$BASE"
  [[ -d $W/tree/src ]]
  take
  [[ $FILES == 0 ]]
  rmdir "$PROJECT/src" && ln -s /nowhere "$PROJECT/src"
  git -C "$PROJECT" add src && git -C "$PROJECT" commit -qm link
  workspace prepare "$W" "$(head_of_project)"
  [[ -L $W/tree/src ]]
}

@test "take gives exactly what the tree holds, whatever the agent committed or staged" {
  workspace prepare "$W" "$BASE"
  cd "$W/tree"
  echo new >new.txt
  git add new.txt
  git commit -qm mine
  echo later >>new.txt
  echo staged >staged.txt
  git add staged.txt
  rm README.md
  take
  [[ $FILES == 3 ]]
  [[ $(git -C "$PROJECT" cat-file -p "$TREE:new.txt") == $'new\nlater' ]]
  run ! git -C "$PROJECT" cat-file -e "$TREE:README.md"
  [[ $(git -C "$PROJECT" cat-file -p "$TREE:staged.txt") == staged ]]
  [[ $(git -C "$PROJECT" log -1 --format=%s "$OWN") == mine ]]
}

@test "nothing changed: the same tree and no files" {
  workspace prepare "$W" "$BASE"
  take
  [[ $TREE == "$(git -C "$PROJECT" rev-parse "$BASE^{tree}")" && $FILES == 0 && $PATCH_ID == - && $OWN == - ]]
}

@test "what was looked at already, by one that was killed then, is still a change" {
  workspace prepare "$W" "$BASE"
  echo x >"$W/tree/x"
  take
  local first=$TREE
  take
  [[ $TREE == "$first" && $FILES == 1 ]]
}

@test "a Git that is killed while it takes the tree is no fault of the tree" {
  local verb
  workspace prepare "$W" "$BASE"
  mkdir -p "$PLACE/killed"
  for verb in pack-objects unpack-objects; do
    echo "$verb" >"$W/tree/src/$verb"
    cat >"$PLACE/killed/git" <<SH
#!/bin/bash
if [[ " \$* " == *" $verb "* && ! -e $BATS_TEST_TMPDIR/$verb ]]; then
  touch "$BATS_TEST_TMPDIR/$verb"
  kill -KILL "\$\$"
fi
exec "$(type -P git)" "\$@"
SH
    chmod +x "$PLACE/killed/git"
    PATH=$PLACE/killed:$PATH take
    [[ -e $BATS_TEST_TMPDIR/$verb && $(git -C "$PROJECT" show "$TREE:src/$verb") == "$verb" ]]
  done
}

@test "what one that was killed had added, and not yet handed to the project, is taken again" {
  workspace prepare "$W" "$BASE"
  mkdir -p "$W/tree/deep" && echo work >"$W/tree/deep/file"
  rm -rf "$W/tree/.git"
  touch -d '1 minute ago' "$W/tree/deep/file" # one as young as the index would be looked at again
  GIT_OBJECT_DIRECTORY=$W/quarantine GIT_ALTERNATE_OBJECT_DIRECTORIES=$PROJECT/.git/objects \
    git --git-dir="$W/git" --work-tree="$W/tree" add -A
  take
  [[ $FILES == 1 && $(git -C "$PROJECT" cat-file -p "$TREE:deep/file") == work ]]
}

@test "file names of every kind are taken as they are" {
  workspace prepare "$W" "$BASE"
  cd "$W/tree"
  local name names=('a b' $'tab\there' $'new\nline' '-dash' '"quoted"' '$(id)' 'ünï' $'\xff\xfe' "$(printf 'x%.0s' {1..255})")
  for name in "${names[@]}"; do echo x >"./$name"; done
  ln -s /etc/passwd link
  chmod 755 ./-dash
  take
  [[ $FILES == 10 ]]
  git -C "$PROJECT" ls-tree -z "$TREE" | grep -zq $'^120000 .*\tlink$'
  git -C "$PROJECT" ls-tree -z "$TREE" | grep -zq $'^100755 .*\t-dash$'
  for name in "${names[@]}"; do git -C "$PROJECT" cat-file -e "$TREE:$name"; done
}

@test "what Git LFS or git-crypt keeps may be moved and removed, and nothing else comes in its place" {
  local pointer=$'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345'
  printf '*.bin filter=lfs diff=lfs merge=lfs -text\n*.secret filter=git-crypt diff=git-crypt\n' >"$PROJECT/.gitattributes"
  for name in one two three; do printf '%s %s\n' "$pointer" "$name" >"$PROJECT/$name.bin"; done
  printf '\0GITCRYPT\0xyz' >"$PROJECT/key.secret"
  git -C "$PROJECT" add -A && git -C "$PROJECT" commit -qm pointers
  BASE=$(head_of_project)
  workspace prepare "$W" "$BASE"
  cmp "$W/tree/one.bin" "$PROJECT/one.bin"
  mv "$W/tree/one.bin" "$W/tree/moved.bin"
  rm "$W/tree/two.bin"
  cp "$W/tree/key.secret" "$W/tree/copy.secret"
  echo free >"$W/tree/free"
  touch "$W/tree/three.bin"
  take
  [[ $FILES == 5 && $(files_of "$TREE") == *copy.secret*free*key.secret*moved.bin* ]]
  [[ $(git -C "$PROJECT" rev-parse "$TREE:moved.bin") == "$(git -C "$PROJECT" rev-parse "$BASE:one.bin")" ]]
  local case
  for case in 'the thing itself:three.bin' "$pointer new:three.bin" 'plain text:key.secret' 'plain text:$(id) "new".secret'; do
    workspace prepare "$W" "$BASE"
    printf '%s\n' "${case%:*}" >"$W/tree/${case##*:}"
    run -65 workspace take "$W" "$ATTEMPT" "$BASE"
    [[ $output == *"${case##*:} is kept by the filter "*'not changed'* ]]
  done
  # Without the attribute, which is a change that reviewers see, it is a file like any other.
  : >"$W/tree/.gitattributes"
  take
  [[ $FILES == 2 ]]
}

@test "line ends that are not what the attributes ask for are no change until somebody makes one" {
  local at
  for at in {1..5}; do printf 'a\r\nb\r\n' >"$PROJECT/$at.txt"; done
  git -C "$PROJECT" add -A && git -C "$PROJECT" commit -qm crlf
  printf '*.txt text\n*.bat text eol=crlf\n' >"$PROJECT/.gitattributes"
  git -C "$PROJECT" add .gitattributes && git -C "$PROJECT" commit -qm attributes
  BASE=$(head_of_project)
  workspace prepare "$W" "$BASE"
  take
  [[ $FILES == 0 ]]
  printf 'a\r\nb\r\nc\r\n' >"$W/tree/1.txt" && printf 'x\r\n' >"$W/tree/new.bat" && printf 'y\r\n' >"$W/tree/other"
  take
  [[ $FILES == 3 && $(git -C "$PROJECT" cat-file -p "$TREE:1.txt") == $'a\nb\nc' ]]
  [[ $(git -C "$PROJECT" cat-file -p "$TREE:new.bat") == x && $(git -C "$PROJECT" cat-file -p "$TREE:other") == $'y\r' ]]
}

@test "ignored files stay for the next task only after a landing" {
  echo 'cache/' >"$PROJECT/.gitignore"
  git -C "$PROJECT" commit -qam ignore
  BASE=$(head_of_project)
  workspace prepare "$W" "$BASE"
  mkdir "$W/tree/cache" && echo warm >"$W/tree/cache/x"
  echo litter >"$W/tree/litter"
  echo landed >"$W/warm"
  workspace prepare "$W" "$BASE"
  [[ -e $W/tree/cache/x && ! -e $W/tree/litter ]]
  workspace prepare "$W" "$BASE"
  [[ ! -e $W/tree/cache ]]
}

@test "a person's gc --prune=now while a workspace lives does no harm" {
  workspace prepare "$W" "$BASE"
  git -C "$PROJECT" commit -q --amend -m 'rewritten by a person'
  git -C "$PROJECT" reflog expire --expire=now --all
  git -C "$PROJECT" gc -q --prune=now
  echo x >"$W/tree/x"
  take
  [[ $FILES == 1 ]]
}

@test "what a person does to the project's objects between two steps while a workspace lives does no harm" {
  local before
  workspace prepare "$W" "$BASE"
  before=$(<"$PROJECT/.git/config")
  export ORKESTRA_LOGS=$PLACE
  lock() { bash -c 'source "$0/CORE/lib/boot.bash" && use lock log git && "lock::$1"' "$SCRIPTS" "$1"; }
  mkdir -p "$PROJECT/.git/orkestra"
  tidy() {
    run git -C "$PROJECT" repack -q -a -d
    git -C "$PROJECT" prune-packed
    run git -C "$PROJECT" prune --expire=now
  }
  lock keep_prune_out
  tidy
  echo mine >"$W/tree/mine"
  take
  tidy
  git -C "$PROJECT" cat-file -e "$TREE:mine"
  echo theirs >"$PROJECT/theirs"
  git -C "$PROJECT" add theirs
  git -C "$PROJECT" commit -qm theirs
  merged=$(workspace merge "$W" "$BASE" "$TREE" "$(head_of_project)")
  tidy
  [[ $(files_of "$merged") == *mine*theirs* ]]
  lock let_prune_in
  [[ $(<"$PROJECT/.git/config") == "$before" ]]
  # It is a danger: nothing holds the trees now.
  tidy
  run ! git -C "$PROJECT" cat-file -e "$TREE:mine"
}

@test "merge brings a change onto what landed meanwhile, in the workspace too" {
  workspace prepare "$W" "$BASE"
  echo mine >"$W/tree/mine"
  take
  echo theirs >"$PROJECT/theirs"
  git -C "$PROJECT" add theirs
  git -C "$PROJECT" commit -qm theirs
  merged=$(workspace merge "$W" "$BASE" "$TREE" "$(head_of_project)")
  [[ $(files_of "$merged") == *mine*theirs* ]]
  [[ -e $W/tree/mine && -e $W/tree/theirs ]]
}

@test "merge tells a conflict by its files and changes nothing" {
  workspace prepare "$W" "$BASE"
  echo mine >"$W/tree/README.md"
  take
  echo theirs >"$PROJECT/README.md"
  git -C "$PROJECT" commit -qam theirs
  run -1 workspace merge "$W" "$BASE" "$TREE" "$(head_of_project)"
  [[ $output == README.md ]]
  [[ $(<"$W/tree/README.md") == mine ]]
}

@test "kept work is reachable, with what the agent committed on the way" {
  workspace prepare "$W" "$BASE"
  (cd "$W/tree" && echo one >one && git add one && git commit -qm step)
  echo two >"$W/tree/two"
  take
  commit=$(workspace keep "$W" a-task 3 "$BASE" "$TREE" "$OWN")
  [[ $(git -C "$PROJECT" rev-parse refs/orkestra/attempts/a-task/3) == "$commit" ]]
  [[ $(git -C "$PROJECT" log --format=%s "$commit") == *step* ]]
  [[ $(files_of "$commit") == *one*two* ]]
}

@test "reviewers are shown the tree itself, not what a check made of it" {
  echo 'cache/' >"$PROJECT/.gitignore"
  git -C "$PROJECT" commit -qam ignore
  BASE=$(head_of_project)
  workspace prepare "$W" "$BASE"
  echo mine >"$W/tree/mine"
  take
  echo changed >"$W/tree/mine" && echo left >"$W/tree/left" && mkdir "$W/tree/cache" && echo warm >"$W/tree/cache/x"
  rm "$W/tree/README.md"
  workspace show "$W" "$TREE"
  [[ $(<"$W/tree/mine") == mine && ! -e $W/tree/left && -e $W/tree/README.md && -e $W/tree/cache/x ]]
}

# --- hostile trees: what an agent left to run code in whoever looks at it ---

@test "a filter, a hook, an fsmonitor and an alternate in the agent's .git run nothing outside" {
  workspace prepare "$W" "$BASE"
  cd "$W/tree"
  printf '#!/bin/sh\ntouch %s/pwned\n' "$BATS_TEST_TMPDIR" >evil
  chmod +x evil
  git config core.fsmonitor ./evil
  git config filter.x.clean ./evil
  git config filter.x.smudge ./evil
  mkdir -p .git/hooks && cp evil .git/hooks/post-index-change && cp evil .git/hooks/reference-transaction
  echo '* filter=x' >.gitattributes
  echo "$PLACE" >>.git/objects/info/alternates
  take
  [[ ! -e $BATS_TEST_TMPDIR/pwned ]]
  workspace prepare "$W" "$BASE"
  [[ ! -e $BATS_TEST_TMPDIR/pwned ]]
  # With Git run in the tree as anybody would, it is code that runs: the trap is real.
  cd "$W/tree"
  printf '#!/bin/sh\ntouch %s/pwned\n' "$BATS_TEST_TMPDIR" >evil
  chmod +x evil
  git config core.fsmonitor ./evil
  git status >/dev/null 2>&1
  [[ -e $BATS_TEST_TMPDIR/pwned ]]
}

@test "a nested repository with an fsmonitor of its own runs nothing and is not taken as files" {
  workspace prepare "$W" "$BASE"
  cd "$W/tree"
  git init -q nest
  printf '#!/bin/sh\ntouch %s/pwned\n' "$BATS_TEST_TMPDIR" >nest/evil
  chmod +x nest/evil
  git -C nest add evil && git -C nest -c user.name=x -c user.email=x@x commit -qm x
  git -C nest config core.fsmonitor ./evil
  take
  [[ $(git -C "$PROJECT" ls-tree "$TREE" nest) == 160000* ]] # a gate refuses it
  workspace prepare "$W" "$BASE"
  [[ ! -e $BATS_TEST_TMPDIR/pwned && ! -e $W/tree/nest ]]
}

@test "a FIFO named .gitignore does not hang the taking for ever" {
  workspace prepare "$W" "$BASE"
  mkfifo "$W/tree/.gitignore.fifo"
  rm -f "$W/tree/.gitignore" && mkfifo "$W/tree/.gitignore"
  ORKESTRA_TREE_SECONDS=2 run -65 workspace take "$W" "$ATTEMPT" "$BASE"
  [[ $output == *'longer than'* ]]
  workspace prepare "$W" "$BASE"
  [[ ! -p $W/tree/.gitignore ]]
}

@test "folders without rights and a nest too deep for a path are cleared away" {
  workspace prepare "$W" "$BASE"
  (cd "$W/tree" && for ((i = 0; i < 600; ++i)); do mkdir aaaaaaaaaa && cd aaaaaaaaaa; done)
  mkdir "$W/tree/locked" && echo x >"$W/tree/locked/x" && chmod 000 "$W/tree/locked"
  workspace prepare "$W" "$BASE"
  rmdir "$W/tree/src" # the empty one of every workspace
  [[ $(cd "$W/tree" && ls) == "$(cd "$PROJECT" && git ls-files | cut -d/ -f1 | grep -v '^\.' | sort -u)" ]]
}
