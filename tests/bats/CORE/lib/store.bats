#!/usr/bin/env bats
# CORE/lib/store.bash: the client's side of the protocol, against a store played by the test.

bats_require_minimum_version 1.5.0
load ../../helpers/common

setup() {
  setup_place
  export ORKESTRA_RUN=$PLACE/run
  mkdir -p run SCRIPTS/CORE
  ln -s "$SCRIPTS/CORE/lib" SCRIPTS/CORE/lib
  mkfifo run/w1.req run/w1.rep
  latch_make PLAYING
  {
    printf '#!/usr/bin/env bash\nsource "${BASH_SOURCE[0]%%/*}/lib/boot.bash"\nuse store\nstore::connect w1\n'
    printf 'store::ask "$@"\nprintf "%%s|" "$STORE_WORD" "${STORE_REPLY[@]}"\n'
  } >SCRIPTS/CORE/client.sh
  chmod +x SCRIPTS/CORE/client.sh
}

# play REPLY...: answers hello, then each request with REPLY (a format that gets the number); notes the requests. Like the
# store it has its pipes open before a client comes, which is what `playing` waits for.
play() {
  local reply seq rest
  exec 5<>run/w1.req 6<>run/w1.rep
  echo >"$LATCH_PLAYING"
  read -r seq rest <&5
  printf '%s\tok\n' "$seq" >&6
  for reply in "$@"; do
    IFS=$'\t' read -r seq rest <&5
    printf '%s\n' "$rest" >>requests
    # shellcheck disable=SC2059  # the test's own format
    printf "$reply" "$seq" >&6
  done
  exec 5<&- 6>&-
}

playing() { latch_wait "$LATCH_PLAYING"; }

@test "fields go there and come back as they were, empty ones too" {
  play '%s\tok\ta\\tb\t\tc\\nd\t\n' &
  playing
  run SCRIPTS/CORE/client.sh verb $'one\ttwo' '' 'th\ree'
  wait
  [[ $output == $'ok|a\tb||c\nd||' ]]
  [[ $(<requests) == $'verb\tone\\ttwo\t\tth\\\\ree' ]]
}

@test "a store's refusal is this process's end, in the store's words and with its code" {
  play '%s\terr\t65\tthe queue is bad\tmend line 3\n' &
  playing
  run -65 SCRIPTS/CORE/client.sh verb
  wait
  [[ $output == $'orkestra: the queue is bad\n  mend line 3' ]]
}

@test "a store that is gone ends the client" {
  play &
  playing
  run -70 SCRIPTS/CORE/client.sh verb
  wait
  [[ $output == *'store of this run is gone'* ]]
}

@test "a store that dies in the middle of a line ends the client" {
  play '%s\tok\thalf' &
  playing
  run -70 SCRIPTS/CORE/client.sh verb
  wait
  [[ $output == *'store of this run is gone'* ]]
}

@test "an answer to another question is not taken" {
  play '99%s\tok\n' &
  playing
  run -70 SCRIPTS/CORE/client.sh verb
  wait
  [[ $output == *'out of turn'* ]]
}
