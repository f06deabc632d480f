#!/usr/bin/env bats
# SCRIPTS/SAFETY/lib: glob.bash (allow_paths), paths.bash (links), added-lines.awk.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() { setup_place; }

# in_lib ARG...: `run` of a function in a shell of its own: the framework's boot file sets strict mode and traps.
in_lib() {
  run bash -c 'source "$1/CORE/lib/boot.bash"; LC_ALL=C; use SAFETY/glob SAFETY/paths; trap - ERR; set +e; shift; "$@"' \
    x "$SCRIPTS" "$@"
}

@test "patterns: each pair matches or not as said" {
  cat >table <<'E'
yes src/** src/a/b
yes src/** src/a
no src/** src
no src/** srcx/a
yes *.md a.md
no *.md d/a.md
yes **/*.md a.md
yes **/*.md d/e/a.md
yes src src/a/b
yes src/ src/a/b
no src/ src
no src srcx
yes a?c abc
no a?c a/c
yes [ab]x bx
no [!ab]x ax
yes [!ab]x cx
no [!ab]x /x
yes [^a]x bx
yes []a] ]
yes x[ x[
yes a+b(1).txt a+b(1).txt
no a.b axb
yes \* *
no \* a
yes ** any/thing
yes ./x x
yes a{b} a{b}
no a|b a
yes ^a$ ^a$
yes docs/*/ docs/a/b/c
no docs/* docs/a/b
E
  run bash -c '
    source "$1/CORE/lib/boot.bash"; LC_ALL=C; use SAFETY/glob
    while read -r want pattern path; do
      if glob::matches "$pattern" "$path"; then got=yes; else got=no; fi
      [[ $got == "$want" ]] || printf "%s on %s: %s\n" "$pattern" "$path" "$got"
    done <table' x "$SCRIPTS"
  assert_status 0
  assert_equal "$output" ''
}

@test "patterns: bytes that are no text, and newlines" {
  in_lib glob::matches $'src/\xff*' $'src/\xff\xfe'
  assert_status 0
  in_lib glob::matches 'src/*' $'src/new\nline'
  assert_status 0
}

@test "links: which lead out of the tree" {
  local want path target
  while IFS='|' read -r want path target; do
    in_lib paths::escapes "$path" "$target"
    assert_equal "$path -> $target: $status" "$path -> $target: $want"
  done <<'E'
0|a|/etc/passwd
0|a|..
0|a|../x
0|d/a|../../x
0|d/a|b/../../..
0|d/a|.//../../x
0|d/a|.git/x
0|a|.GIT
0|d/a|../.git/config
0|a|
0|a|x/..
1|d/a|..
1|d/a|../x
1|a|x
1|a|./x
1|d/e/a|..//../x
E
}

@test "added lines: counted off, whatever they look like" {
  git init -q r
  cd r
  printf 'a\nb\nc\n' >f
  git add f
  git -c user.name=x -c user.email=x@x commit -qm 1
  printf 'a\n++ b/g\n-- x\nc\nd' >f
  printf -- '--- a/f\n' >'na me'
  ln -s f link
  git add --all
  git diff-tree -p HEAD "$(git write-tree)" >../patch
  run awk -f "$SCRIPTS/SAFETY/lib/added-lines.awk" ../patch
  assert_equal "$output" $'f\t2\t++ b/g\nf\t3\t-- x\nf\t5\td\nf\t-1\t\nlink\t1\tf\nna me\t1\t--- a/f'
}
