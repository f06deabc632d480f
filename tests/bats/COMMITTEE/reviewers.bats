#!/usr/bin/env bats
# SCRIPTS/COMMITTEE/run-programs.sh and the program reviewers lint, size and tidy.

bats_require_minimum_version 1.5.0
load ../helpers/common

setup() {
  setup_place
  git init -q --initial-branch=main repo
  cd repo
  printf 'a\nb\n' >old.txt
  printf 'bash\n' >old.sh
  git add --all
  git -c user.name=x -c user.email=x@x commit -qm base
  M=$PLACE/material
}

# material: what hold-vote.sh lays out, for what the working tree has become.
material() {
  local tree raw numbers at mode status added deleted path
  git add --all
  tree=$(git write-tree)
  rm -rf -- "$M"
  mkdir -p -- "$M/files"
  : >"$M/changes.tsv"
  : >"$M/list"
  git diff-tree -p --full-index --no-ext-diff --no-textconv HEAD "$tree" >"$M/diff.patch"
  mapfile -d '' -t raw < <(git diff-tree -r -z --raw HEAD "$tree")
  mapfile -d '' -t numbers < <(git diff-tree -r -z --numstat --no-renames HEAD "$tree")
  for ((at = 0; at < ${#raw[@]}; at += 2)); do
    read -r _ mode _ _ status <<<"${raw[at]}"
    IFS=$'\t' read -r added deleted _ <<<"${numbers[at / 2]}"
    path=${raw[at + 1]//\\/\\\\}
    printf '%s\t%s\t%s\t%s\t%s\n' "$status" "$mode" "$added" "$deleted" "${path//$'\n'/\\n}" >>"$M/changes.tsv"
    [[ $status == D ]] || printf '%s\0' "${raw[at + 1]}" >>"$M/list"
  done
  git -c core.symlinks=false checkout-index -z --stdin --prefix="$M/files/" <"$M/list"
  rm "$M/list"
}

# review NAME: one reviewer on the working tree as it is.
review() {
  material
  cd "$M"
  run "$SCRIPTS/COMMITTEE/reviewers/$1"
  cd "$PLACE/repo"
}

@test "lint: files that parse are approved, and none is executed" {
  need_command python3 node
  printf 'touch executed\n' >a.sh
  printf 'open("executed", "w")\n' >b.py
  printf '{"a": [1]}\n' >c.json
  printf 'import fs from "fs";\nexport const a = await 1;\n' >d.js
  printf 'require("fs").writeFileSync("executed", "");\nreturn;\n' >e.cjs
  printf '<a><b/></a>\n' >f.xml
  printf '#!/bin/sh\ntouch executed\n' >g
  review lint
  assert_status 0
  assert_equal "$output" '7 files parse'
  run find "$PLACE" -name executed
  assert_equal "$output" ''
}

@test "lint: an error is rejected with file and line" {
  need_command python3 node
  local name text
  while IFS='|' read -r name text; do
    git reset -q --hard
    printf '%b' "$text" >"$name"
    review lint
    assert_status 11
    assert_matches "$output" "^${name/./\\.}:[0-9]+: "
  done <<'E'
a.sh|true\nif then\n
b.py|x = 1\ndef f(:\n
c.json|{"a": 1,}\n
d.js|var a = 1;\nvar b = ;\n
f.xml|<a>\n<b></a>\n
g|#!/usr/bin/env bash\nfi\n
h.txt|a\n<<<<<<< HEAD\nb\n
E
  git reset -q --hard
  printf '#!/bin/sh\nx=(1 2\n' >'na"me $(touch executed)'
  review lint
  assert_status 11
  assert_missing executed "$M/executed"
}

@test "lint: what a parser cannot know is left alone" {
  need_command python3 node
  printf 'print "two"\n' >two.py
  printf 'x = {{ value }}\n{%% if a %%}\n' >template.py
  printf '{ // why\n "a": 1 }\n' >tsconfig.json
  printf 'const a = <div/>;\n' >jsx.js
  printf 'text\n' >notes.md
  ln -s nowhere link.py
  git rm -q old.sh
  review lint
  assert_status 12
  assert_equal "$output" 'nothing in this change that can be parsed here'
}

@test "size: bounds on lines, files and bytes" {
  seq 1500 >a
  review size
  assert_status 0
  seq 2500 >a
  review size
  assert_status 10
  assert_output_has '2500 lines'
  mv a yarn.lock
  review size
  assert_status 0
  touch {1..100}.txt
  review size
  assert_status 10
  assert_output_has '101 files'
  git reset -q --hard
  head -c 6000000 /dev/zero >$'bi\ng'
  review size
  assert_status 10
  assert_output_has 'bi?g: a file of more than 5242880 bytes'
}

@test "tidy: clean additions are approved; Markdown's line break is no fault" {
  printf 'line one  \nline two\n' >a.md
  printf 'x\r\ny\r\n' >dos.txt
  printf 'a\n' >'sp ace.txt'
  ln -s old.txt link
  review tidy
  assert_status 0
}

@test "tidy: each fault with file and line" {
  local name text want
  while IFS='|' read -r name text want; do
    git reset -q --hard
    printf '%b' "$text" >"$name"
    review tidy
    assert_status 10
    assert_equal "$output" "$want"
  done <<'E'
a.txt|a\nb \n|a.txt:2: white space at the end of the line
a.md|a   \n|a.md:1: white space at the end of the line
a.py|a\t\n|a.py:1: white space at the end of the line
b.txt|a\n>>>>>>> theirs\n|b.txt:2: a conflict marker
c.txt|a|c.txt: no newline at the end of the file
d.txt|a\nb\r\nc\n|d.txt:2: a line that ends with CR LF in a file whose lines end with LF
e.orig|a\n|e.orig: a file that a tool left behind
f~|a\n|f~: a file that a tool left behind
E
}

@test "tidy: only what was added counts" {
  printf 'a \n' >old.txt
  git -c user.name=x -c user.email=x@x commit -qam dirty
  printf 'a \nclean\n' >old.txt
  review tidy
  assert_status 0
}

@test "run-programs: a line for each, in order, bounded, and nothing else" {
  material
  cd "$M"
  printf '#!/bin/sh\nprintf "tab\\tand\\nline\\n"; echo err >&2; exit 10\n' >"$PLACE/odd"
  printf '#!/bin/sh\nhead -c 500000 /dev/zero | tr "\\0" y; exit 11\n' >"$PLACE/loud"
  printf '#!/bin/sh\nexec sleep 1000\n' >"$PLACE/slow"
  chmod 755 "$PLACE"/{odd,loud,slow}
  PROGRAMS_SECONDS=5 run --separate-stderr "$SCRIPTS/COMMITTEE/run-programs.sh" size "$PLACE/odd" "$PLACE/loud" "$PLACE/slow" nobody
  assert_status 0
  assert_equal "${#lines[@]}" 5
  assert_equal "${lines[0]}" $'size\t0\t0 files, 0 lines'
  assert_equal "${lines[1]}" $'odd\t10\ttab\\tand\\nline\\nerr'
  assert_equal "${#lines[2]}" "$((8 + 4096))"
  assert_matches "${lines[3]}" $'^slow\t124\t'
  assert_matches "${lines[4]}" $'^nobody\t127\t'
}

@test "the reviewers in the sandbox, on hostile names" {
  need_sandbox
  printf 'x\n' >$'-new\nline $(touch executed) \xff.txt'
  printf 'if then\n' >$'a\nb.sh'
  material
  ORKESTRA_SANDBOX=required run "$SCRIPTS/SAFETY/sandbox.sh" --ro "$M" --ro "$SCRIPTS" --chdir "$M" -- \
    "$SCRIPTS/COMMITTEE/run-programs.sh" lint size tidy
  assert_status 0
  assert_equal "${#lines[@]}" 3
  assert_matches "${lines[0]}" $'^lint\t11\ta\\?b.sh:1'
  assert_matches "${lines[2]}" $'^tidy\t0\t'
  assert_missing executed
}
