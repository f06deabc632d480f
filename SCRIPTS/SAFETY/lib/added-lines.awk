# The added lines of a patch, one a line: PATH TAB LINE-NUMBER TAB TEXT. PATH is as Git prints it (quoted when odd).
# Lines of a hunk are counted off, so that no line of a file is taken for a header. A line `-1` says that the file ends
# without a newline after an added line; a symbolic link, which is one line without, does not count.
BEGIN { old = 0; new = 0; path = "" }
old > 0 || new > 0 {
  kind = substr($0, 1, 1)
  added = 0
  if (kind == "+") { print path "\t" number "\t" substr($0, 2); number++; new--; added = 1 }
  else if (kind == "-") { old-- }
  else if (kind == "\\") { }
  else { old--; new--; number++ }
  next
}
substr($0, 1, 1) == "\\" { if (added && !link) print path "\t-1\t"; next }
/^diff --git / { path = ""; added = 0; link = 0; next }
/^(new file mode|new mode) 120000$/ || /^index [0-9a-f]+\.\.[0-9a-f]+ 120000$/ { link = 1; next }
/^\+\+\+ / {
  path = substr($0, 5)
  sub(/\t$/, "", path)
  sub(/^"b\//, "\"", path) || sub(/^b\//, "", path)
  next
}
/^@@ -[0-9]+(,[0-9]+)? \+[0-9]+(,[0-9]+)? @@/ {
  split($2, a, ","); split($3, b, ",")
  old = (2 in a) ? a[2] + 0 : 1
  new = (2 in b) ? b[2] + 0 : 1
  number = substr(b[1], 2) + 0
  added = 0
}
