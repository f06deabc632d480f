#!/bin/sh
# shellcheck disable=SC2312,SC2013  # a check for people to read: counts are compared, links hold no blanks
# The project's check: whatever pages there are must be whole. Green on an empty project.
# Needs nothing but a POSIX shell, grep, sed and sort.
set -eu
cd "$(dirname "$0")/.."
[ -d src ] || exit 0 # nothing is built yet
cd src
bad=0
complain() {
  echo "$1"
  bad=1
}

for page in *.html; do
  [ -e "$page" ] || continue
  for must in '<!doctype html>' '<html lang=' '<meta charset="utf-8">' '<title>' '<main id="content">' '</main>' '</html>'; do
    grep -qF -- "$must" "$page" || complain "$page: $must is missing"
  done
  [ "$(grep -c '<h1' "$page")" -eq 1 ] || complain "$page: needs exactly one h1"
  for tag in main header footer section article ul table; do
    open=$(grep -o "<${tag}[ >]" "$page" | wc -l)
    close=$(grep -o "</$tag>" "$page" | wc -l)
    [ "$open" -eq "$close" ] || complain "$page: $open times <$tag>, $close times </$tag>"
  done
  twice=$(grep -o ' id="[^"]*"' "$page" | sort | uniq -d)
  [ -z "$twice" ] || complain "$page: used twice:$twice"
  # Every link within the site leads somewhere.
  for link in $(grep -o '\(href\|src\)="[^"]*"' "$page" | sed 's/^[a-z]*="//; s/"$//' | sort -u); do
    case $link in
      *://* | mailto:*) continue ;;
      '#'*) grep -q " id=\"${link#?}\"" "$page" || complain "$page: nothing has the id ${link#?}" ;;
      *) [ -f "${link%%#*}" ] || complain "$page: $link leads nowhere" ;;
    esac
  done
done

for xml in *.xml; do
  [ -e "$xml" ] || continue
  head -n 1 "$xml" | grep -q '^<?xml ' || complain "$xml: does not begin as XML"
done
exit "$bad"
