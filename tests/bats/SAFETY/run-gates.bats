#!/usr/bin/env bats
# SCRIPTS/SAFETY/run-gates.sh and the gates scope, secrets and protected, on real changes.

bats_require_minimum_version 1.5.0
load ../helpers/common

readonly KEY=zq-live-0123456789-Abcdefghijklmnop-XYZ

setup() {
  setup_place
  make_project
  cd "$PROJECT"
  mkdir -p src tests
  echo one >src/a.txt
  echo check >tests/test_a.py
  echo all: >Makefile
  git add --all
  git commit --quiet --message base
  BASE=$(git rev-parse HEAD)
  A=$PLACE/attempt T=$PLACE/ticket
  mkdir "$A" "$T"
  : >"$T/allow-paths"
  : >"$T/check"
  export GIT_DIR=$PROJECT/.git ORKESTRA_SECRETS_FILE=$PLACE/secrets
  know "$KEY"
}

# gates: what the working tree has become, judged. What Git itself would refuse to add is put into the index by hand.
gates() {
  git add --all
  judge
}

judge() {
  TREE=$(git write-tree)
  git diff-tree -r -z --raw "$BASE" "$TREE" >"$A/changes.raw"
  git diff-tree -p --full-index --no-ext-diff --no-textconv "$BASE" "$TREE" >"$A/diff.patch"
  run "$SCRIPTS/SAFETY/run-gates.sh" "$A" "$BASE" "$TREE" "$T"
}

# gate NAME WORD: what gates.tsv says; EVIDENCE is the rest.
gate() {
  local name word
  while IFS=$'\t' read -r name word EVIDENCE; do
    [[ $name != "$1" ]] || { assert_equal "$1 $word" "$1 $2" && return; }
  done <"$A/gates.tsv"
  return 1
}

# stage MODE PATH CONTENT: puts an entry into the index that no working tree would give. Git's own refusal of such names
# (verify_path) is gone around by writing the tree by hand where it comes to that.
stage() {
  local object
  object=$(printf '%s' "$3" | git hash-object -w --stdin)
  git update-index --add --cacheinfo "$1,$object,$2"
}

# raw_change STATUS MODE PATH: a list of changes as it would be for a name that this Git does not put into an index.
raw_change() {
  local zero=0000000000000000000000000000000000000000 object
  object=$(git hash-object -w --stdin </dev/null)
  printf ':000000 %s %s %s %s\0%s\0' "$2" "$zero" "$object" "$1" "$3" >"$A/changes.raw"
  : >"$A/diff.patch"
  run "$SCRIPTS/SAFETY/run-gates.sh" "$A" "$BASE" "$BASE" "$T"
}

@test "an ordinary change passes, with evidence from each gate" {
  echo two >>src/a.txt
  gates
  assert_status 0
  assert_equal "$(cut -f 1,2 "$A/gates.tsv")" $'protected\tpass\nscope\tpass\nsecrets\tpass'
  gate scope pass
  assert_matches "$EVIDENCE" '^1 path, within the project'
}

@test "scope: allow_paths, each form, and what is outside" {
  printf '%s\0' 'src/**' '*.md' docs tests/ 'exact name.txt' >"$T/allow-paths"
  mkdir -p src/deep docs/x
  touch src/deep/f n.md docs/x/y tests/z 'exact name.txt'
  gates
  gate scope pass
  touch docs.txt src2 deep.txt
  mkdir sub
  touch sub/n.md
  gates
  assert_status 1
  gate scope refuse
  for path in docs.txt src2 deep.txt sub/n.md; do
    [[ $EVIDENCE == *"$path: outside allow_paths"* ]]
  done
  [[ $EVIDENCE == *'allowed: src/**, *.md, docs, tests/, exact name.txt'* ]]
}

@test "scope: a deletion and a change of mode count" {
  printf 'tests/**\0' >"$T/allow-paths"
  rm src/a.txt
  gates
  gate scope refuse
  git checkout -q HEAD -- src/a.txt
  chmod 755 src/a.txt
  gates
  gate scope refuse
}

@test "scope: what no task may touch, whatever it allows" {
  printf '**\0' >"$T/allow-paths"
  local path
  for path in config/project.json config/task-queue.json logs/voting/vote-001.json logs/outcomes/10xx/outcome-1000.json \
    logs/execution/x .gitmodules Config/Project.json; do
    git read-tree "$BASE"
    stage 100644 "$path" '{}'
    judge
    assert_status 1
    gate scope refuse
  done
  git read-tree "$BASE"
  git rm -q --cached config/project.json
  judge
  gate scope refuse
}

@test "scope: Git's own folder under every name of its own" {
  local path
  for path in .git/config .GIT/config sub/.git/hooks/x '.git./config' '.git /x' 'git~1/config' 'sub\.git\config' \
    '.git::$INDEX_ALLOCATION/config' $'.g\xe2\x80\x8cit/config' $'\xef\xbb\xbf.git/config' ../outside a/../../b /etc/x; do
    raw_change A 100644 "$path"
    assert_status 1
    gate scope refuse
  done
  for path in .gitignore .github/x src/git 'a..b' '...' ' ' $'new\nline' $'\xff\xfe' '-rf' '$(id)' "it's" '*'; do
    raw_change A 100644 "$path"
    gate scope pass
  done
}

@test "scope: nested repositories, links out of the tree, folders that become something else" {
  git update-index --add --cacheinfo "160000,$BASE,nested"
  judge
  gate scope refuse
  [[ $EVIDENCE == *'nested repository'* ]]
  local target
  for target in /etc/passwd ../.. ../../x ../.git/config .GIT a/../../../b x/..; do
    git read-tree "$BASE"
    stage 120000 src/link "$target"
    judge
    gate scope refuse
  done
  for target in a.txt ./a.txt ../Makefile .. ../tests/test_a.py; do
    git read-tree "$BASE"
    stage 120000 src/link "$target"
    judge
    gate scope pass
  done
  for path in config logs; do
    git read-tree "$BASE"
    git rm -rq --cached "$path" 2>/dev/null || true
    stage 120000 "$path" src
    judge
    gate scope refuse
    [[ $EVIDENCE == *'must stay a folder'* ]]
  done
}

@test "secrets: a known key in a line, a name, a binary file, a link, in Base64, in UTF-16; never shown" {
  local place
  for place in line name binary link base64 within utf16 wrapped; do
    git -C "$PROJECT" read-tree "$BASE"
    case $place in
      line) stage 100644 src/new "text"$'\n'"key = '$KEY';" ;;
      name) stage 100644 "src/$KEY.txt" x ;;
      binary) stage 100644 src/bin "$(printf '\1\2\3')" && printf 'a\0%s\0' "$KEY" >b && git add b && rm b ;;
      link) stage 120000 src/link "$KEY" ;;
      base64) stage 100644 src/new "$(printf '%s' "$KEY" | base64 -w 0)" ;;
      within) stage 100644 src/new "$(printf '{"k":"%s","n":1}' "$KEY" | base64 -w 0)" ;;
      wrapped) stage 100644 src/new "$(printf 'some words before %s and words that come after it' "$KEY" | base64 -w 64)" ;;
      utf16) printf '%s' "$KEY" | iconv -t UTF-16LE >u && git add u && rm u ;;
    esac
    judge
    assert_status 1
    gate secrets refuse
    [[ $EVIDENCE == *'known key'* ]]
    assert_file_lacks "$A/gates.tsv" "$KEY"
  done
  git read-tree "$BASE"
  stage 100644 src/new $'text\nkey = '"$KEY"
  judge
  gate secrets refuse
  assert_matches "$EVIDENCE" '^src/new:2: a known key'
}

@test "secrets: a known key reversed, in hexadecimal, in a URL, in pieces over lines and quotes, in a split name" {
  local place hex bytes spaced
  hex=$(printf '%s' "$KEY" | od -An -tx1 | tr -d ' \n')
  bytes=$(printf '%s' "$KEY" | od -An -v -tx1 -w1 | sed 's/ *\(..\)/0x\1, /')
  spaced=$(printf '%s' "$KEY" | fold -w 1 | tr '\n' ' ')
  for place in reversed hex bytes lines quoted spaced name long; do
    git -C "$PROJECT" read-tree "$BASE"
    case $place in
      reversed) stage 100644 src/new "$(printf '%s' "$KEY" | rev)" ;;
      hex) stage 100644 src/new "$(fold -w 30 <<<"$hex")" ;;
      bytes) stage 100644 src/new "$bytes" ;;
      lines) stage 100644 src/new "${KEY:0:12}"$'\n'"${KEY:12}" ;;
      quoted) stage 100644 src/new "key = \"${KEY:0:9}\" +"$'\n'"  '${KEY:9}'" ;;
      spaced) stage 100644 src/new "$spaced" ;;
      name) stage 100644 "src/${KEY:0:15}/${KEY:15}" x ;;
      long) stage 100644 src/new "$(head -c 5000000 /dev/zero | tr '\0' a)${KEY:0:20} ${KEY:20}$(head -c 5000000 /dev/zero | tr '\0' b)" ;;
    esac
    judge
    assert_status 1
    gate secrets refuse
    [[ $EVIDENCE == *'known key'* ]]
    assert_file_lacks "$A/gates.tsv" "$KEY"
  done
  know "a key/with+odd&signs=?"
  git read-tree "$BASE"
  stage 100644 src/new 'https://host/?k=a%20key%2Fwith%2Bodd%26signs%3D%3F'
  judge
  gate secrets refuse
  git read-tree "$BASE"
  stage 100644 src/new 'a key that goes with other odd signs'
  judge
  gate secrets pass
}

@test "secrets: known keys whose forms are missing are a refusal, not a pass" {
  rm "$PLACE/secrets.forms"
  echo two >>src/a.txt
  gates
  assert_status 70
  gate secrets refuse
}

@test "secrets: what was there before, and what goes away, is no finding" {
  stage 100644 src/old "$KEY"$'\nand more\nlines\n'
  BASE=$(git commit-tree -p "$BASE" -m old "$(git write-tree)")
  stage 100644 src/old "$KEY"$'\nand more\nlines\nadded\n'
  judge
  gate secrets pass
  stage 100644 src/old $'and more\nlines\n'
  judge
  gate secrets pass
}

@test "secrets: likely keys by their form, with file, line and kind" {
  local value kind hex=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  while IFS='|' read -r kind value; do
    git read-tree "$BASE"
    # Put together here, so that no scanner takes this test for a leak.
    stage 100644 src/new $'first\nsecond '"${value//@/}"
    judge
    gate secrets refuse
    assert_equal "$EVIDENCE" "src/new:2: looks like a key ($kind)"
  done <<E
AWS access key|AK@IA2E0A8F3B244C9986
GitHub token|gh@p_${hex:0:36}
Anthropic key|sk-@ant-api03-${hex:0:30}
OpenAI key|sk-@proj-${hex:0:30}
OpenAI key|sk-@${hex:0:48}
Google key|AI@za${hex:0:35}
Slack token|xo@xb-${hex:0:24}
private key|-----BEGIN @RSA PRIVATE KEY-----
private key|-----BEGIN @OPENSSH PRIVATE KEY-----
E
  git read-tree "$BASE"
  stage 100644 src/new 'AK''IAIOSFODNN7EXAMPLE task-ant-colony sk-learn-0123456789 BEGIN PUBLIC KEY'
  judge
  gate secrets pass
}

@test "secrets: a hunk that looks like a header does not move the finding to another file" {
  stage 100644 src/new $'++ b/innocent\n@@ -1 +1 @@\n'"$KEY"$'\n'
  judge
  gate secrets refuse
  assert_matches "$EVIDENCE" '^src/new:3: a known key'
}

@test "secrets: without known keys nothing is missing" {
  export ORKESTRA_SECRETS_FILE=$PLACE/none
  echo two >>src/a.txt
  gates
  assert_status 0
  gate secrets pass
}

@test "protected: what judges or instructs agents is marked; the change passes with the mark" {
  local path
  for path in tests/test_b.py src/deep/x_test.go web/a.test.ts conftest.py .github/workflows/ci.yml .gitlab-ci.yml \
    package-lock.json sub/Cargo.lock AGENTS.md config/prompts/task.md.j2 sub/CLAUDE.md .claude/settings.json .cursor/rules .aider.conf.yml \
    .gitattributes .husky/pre-commit .pre-commit-config.yaml Makefile package.json tox.ini setup.cfg pyproject.toml; do
    git read-tree "$BASE"
    stage 100644 "$path" changed
    judge
    assert_status 0
    gate protected mark
    [[ $EVIDENCE == "$path: "* ]]
  done
  for path in src/latest.txt src/contest.py docs/testing.md src/protest_x.md README.md spec.md; do
    git read-tree "$BASE"
    stage 100644 "$path" changed
    judge
    gate protected pass
  done
}

@test "protected: not where a person named it in allow_paths beforehand" {
  local pattern word
  echo changed >>tests/test_a.py
  while read -r pattern word; do
    printf '%s\0' "$pattern" >"$T/allow-paths"
    gates
    gate protected "$word"
    [[ $word != pass || $EVIDENCE == *"agreed beforehand by allow_paths: $pattern"* ]]
  done <<'E'
tests/** pass
tests pass
tests/test_*.py pass
tests/test_a.py pass
** mark
**/test_a.py mark
t* mark
E
}

@test "protected: a program that the check runs, when it was there before; not a file that it looks at" {
  echo 'echo ok' >src/verify.sh
  git add --all
  git commit --quiet --message script
  BASE=$(git rev-parse HEAD)
  echo 'exit 0' >src/verify.sh
  echo 'test -s src/a.txt && bash ./src/verify.sh' >"$T/check"
  gates
  gate protected mark
  assert_matches "$EVIDENCE" '^src/verify.sh: run by the check, changed'
  echo 'echo ok' >src/verify.sh
  echo two >>src/a.txt
  gates
  gate protected pass
  echo 'bash src/new.sh' >"$T/check"
  echo true >src/new.sh
  gates
  gate protected pass
}

@test "a gate that breaks, or says too much, refuses with what can be told" {
  local scripts=$PLACE/framework/SCRIPTS
  mkdir -p "$scripts/SAFETY/gates"
  cp -R -- "$SCRIPTS/CORE" "$scripts/"
  cp -R -- "$SCRIPTS/SAFETY/run-gates.sh" "$SCRIPTS/SAFETY/lib" "$scripts/SAFETY/"
  printf '#!/bin/sh\nexit 9\n' >"$scripts/SAFETY/gates/broken"
  printf '#!/bin/sh\nhead -c 300000 /dev/zero | tr "\\0" x; exit 0\n' >"$scripts/SAFETY/gates/loud"
  printf '#!/bin/sh\nprintf "tab\\there\\nand a line\\n"; exit 1\n' >"$scripts/SAFETY/gates/odd"
  chmod 755 "$scripts/SAFETY/gates"/*
  run "$scripts/SAFETY/run-gates.sh" "$A" "$BASE" "$BASE" "$T"
  assert_status 70
  gate broken refuse
  gate odd refuse
  assert_equal "$EVIDENCE" 'tab\there\nand a line'
  gate loud pass
  assert_equal "${#EVIDENCE}" 4096
}
