# shellcheck shell=bash
# A copy of the checkout as a stranger would get it: what is committed and what is being worked on, nothing ignored.

# snapshot::make DESTINATION: a repository whose one branch `main` holds the working files of this checkout, committed.
# The checkout's own repository is only read.
snapshot::make() {
  local destination=$1 framework file
  framework=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P)
  # An own object store: objects of the working files must not be left in the checkout's.
  git init --quiet --initial-branch=main -- "$destination"
  git -C "$framework" ls-files -z --cached --others --exclude-standard >"$destination/.git/files"
  while IFS= read -r -d '' file; do
    # Deleted and not yet committed: listed, but not there.
    [[ -e $framework/$file || -L $framework/$file ]] || continue
    printf '%s\0' "$file"
  done <"$destination/.git/files" >"$destination/.git/present"
  tar -C "$framework" --null --no-recursion --files-from="$destination/.git/present" -cf - | tar -C "$destination" -xf -
  git -C "$destination" add --all
  git -C "$destination" -c user.name=Snapshot -c user.email=snapshot@example.org \
    -c commit.gpgsign=false commit --quiet --message 'The checkout as it is'
}
