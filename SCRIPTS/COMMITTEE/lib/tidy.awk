# From added lines (PATH TAB LINE TAB TEXT, see SAFETY/lib/added-lines.awk) those at fault: KIND TAB PATH TAB LINE.
# A file's CR LF lines count only where it also got lines that end with LF.
function flush(  i) {
  if (crlf > 0 && lf > 0) for (i = 1; i <= crlf && i <= 5; i++) print "crlf\t" last "\t" where[i]
  crlf = 0; lf = 0
}
$1 != last { flush(); last = $1 }
$2 == -1 { if ($1 !~ /\.(min\.js|min\.css|map|snap)"?$/) print "end\t" $1 "\t0"; next }
{
  text = substr($0, length($1) + length($2) + 3)
  if (text ~ /\r$/) { where[++crlf] = $2; sub(/\r$/, "", text) } else lf++
  if (text ~ /^(<<<<<<<|>>>>>>>|\|\|\|\|\|\|\|)( |$)/) print "marker\t" $1 "\t" $2
  if (text ~ /[ \t]$/ && !($1 ~ /\.(md|markdown|mdx)"?$/ && text ~ /[^ \t]  $/)) print "space\t" $1 "\t" $2
}
END { flush() }
