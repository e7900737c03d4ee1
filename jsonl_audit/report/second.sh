#!/bin/sh
# Second examination of an audit log, from the report alone.
#
#   sh examine.sh [FOLDER]                  checks that the files in FOLDER (by default this one) are
#                                           those of the report, and judges them anew, from their bytes
#   sh examine.sh show FILE LINE [FOLDER]   one line of file number FILE, and what can be said of it
#
# Wanted: a POSIX shell, awk, sed, od, tr, wc, cmp, head and tail with -c, and b3sum (the BLAKE3
# hash; https://github.com/BLAKE3-team/BLAKE3). gzip or zstd where a file is compressed.
# Nothing is written but to a temporary folder, which is removed. The program that made the report
# is not used: this is another implementation of the same public rules.
#
# Exit status, as the verdicts have it: 0 intact, torn; 1 tampered, forked; 2 not a log;
# 3 empty, incomplete; 4 something is missing here; 5 other files than those of the report.

report() {
  cat <<'END'
@REPORT@
END
}

set -u
LC_ALL=C
export LC_ALL
umask 077

say() { printf '%s\n' "$1"; }
quit() {
  say "$2" >&2
  exit "$1"
}
for tool in awk sed od tr wc cmp head tail b3sum; do
  command -v "$tool" >/dev/null 2>&1 || quit 4 "$tool is wanted and is not here"
done
tmp=${TMPDIR:-/tmp}/second-examination.$$
mkdir "$tmp" "$tmp/lines" || exit 4
lines=
trap 'rm -rf "$tmp" "${lines:-$tmp}"' 0
trap 'exit 130' 1 2 15

show=
if [ "${1:-}" = show ]; then
  [ $# -ge 3 ] || quit 2 'usage: sh examine.sh show FILE LINE [FOLDER]'
  show=$2 line=$3
  shift 3
fi
folder=${1:-.}
case $folder in /*) ;; *) folder=./$folder ;; esac

# part FILE START COUNT: that many bytes of a file, from one on.
part() {
  if [ "$2" = 0 ]; then head -c "$3" "$1"; else tail -c "+$(($2 + 1))" "$1" 2>/dev/null | head -c "$3"; fi
}
digest() { part "$1" "$2" "$3" | b3sum --no-names | cut -c 1-64; }
length() { echo $(($(wc -c <"$1"))); }
where() { path=$(printf '%b_' "$1") path=$folder/${path%_}; }

# -- 1. Are these the files that the report is about?

report >"$tmp/report"
: >"$tmp/facts"
other=0
while read -r what number role sealed bytes told name; do
  [ "$what" = file ] || [ "$what" = source ] || continue
  [ -n "$show" ] && [ "$show" != "$number" ] && continue
  where "$name"
  if [ ! -f "$path" ] || [ ! -r "$path" ]; then
    say "file $number, $name: not here, or not to be read" && other=1
    continue
  fi
  here=$(length "$path")
  if [ "$here" -lt "$bytes" ]; then
    say "file $number, $name: $here bytes, the report says $bytes" && other=1
    continue
  fi
  found=$(digest "$path" 0 "$bytes")
  if [ "$found" != "$told" ]; then
    say "file $number, $name: BLAKE3 $found, the report says $told" && other=1
  elif [ "$here" != "$bytes" ]; then
    say "file $number, $name: its first $bytes bytes are those of the report; $((here - bytes)) came since"
  elif [ -z "$show" ]; then
    say "file $number, $name: $bytes bytes, the same as in the report"
  fi
  case $name in *.gz) unpack='gzip -dc' ;; *.zst) unpack='zstd -dcq' ;; *) unpack= ;; esac
  if [ -n "$unpack" ]; then
    command -v "${unpack%% *}" >/dev/null 2>&1 || quit 4 "${unpack%% *} is wanted and is not here"
    $unpack <"$path" >"$tmp/plain.$number" 2>"$tmp/words" || case $(cat "$tmp/words") in
      *"unexpected end"* | *"premature end"* | *incomplete*) echo "cut $number" >>"$tmp/facts" ;;
      *) echo "broken $number" >>"$tmp/facts" ;;
    esac
    path=$tmp/plain.$number bytes=$(length "$tmp/plain.$number")
  fi
  echo "size $number $bytes" >>"$tmp/facts"
  eval "path_$number=\$path size_$number=\$bytes"
done <"$tmp/report"
if [ "$other" = 1 ]; then
  [ -n "$show" ] || echo 'verdict: none, these are other files than those of the report'
  exit 5
fi

# Segments that lie in parts of files, put together as the report says; whether they are right is judged below.
while read -r what number source start stop; do
  case $what in
    joined | loose)
      eval "path_$number=\$tmp/plain.$number"
      [ "$what" = joined ] || eval "loose_$number=1"
      : >"$tmp/plain.$number"
      ;;
    part)
      eval "path=\$path_$source"
      part "$path" "$start" $((stop - start)) >>"$tmp/plain.$number"
      ;;
  esac
done <"$tmp/report"
while read -r what number _; do
  [ "$what" = joined ] || [ "$what" = loose ] || continue
  bytes=$(length "$tmp/plain.$number")
  echo "size $number $bytes" >>"$tmp/facts"
  eval "size_$number=\$bytes"
done <"$tmp/report"

# -- 2. What a line is. Rules of the format, chapter 1: https://www.rfc-editor.org/rfc/rfc8259, stricter.

# Bytes 0 and 1 reach awk as 1 and 2: some cannot hold a 0. Neither stands in any line that is right.
rules='
function whole(number) { return sprintf("%.0f", number) }
function hex64(text) { return length(text) == 64 && text !~ /[^0-9a-f]/ }
function form(text) {
  return length(text) == 27 && text ~ /^[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]\.[0-9][0-9][0-9][0-9][0-9][0-9]Z$/ \
    && (substr(text, 6, 2) + 0) % 13 > 0 && substr(text, 6, 2) < 13 && substr(text, 9, 2) > 0 && substr(text, 9, 2) < 32 && substr(text, 12, 2) < 24
}
function instant(text,  year, month, days) {
  if (!form(text)) return 0
  year = substr(text, 1, 4) + 0; month = substr(text, 6, 2) + 0
  days = month == 2 ? (year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28) : (month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31)
  return year > 0 && substr(text, 9, 2) + 0 <= days
}
function uuid(text) {
  return length(text) == 36 && text ~ /^[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+$/ \
    && substr(text, 9, 1) substr(text, 14, 1) substr(text, 19, 1) substr(text, 24, 1) == "----"
}
# How every line begins: seq, ts, id, type.
function head(text,  at) {
  seq = ""; ts = ""; type = ""
  if (substr(text, 1, 7) != "{\"seq\":" || !match(substr(text, 8, 20), /^[1-9][0-9]*/) || RLENGTH > 19) return 0
  seq = substr(text, 8, RLENGTH); at = 8 + RLENGTH
  if (substr(text, at, 7) != ",\"ts\":\"") return 0
  ts = substr(text, at + 7, 27)
  if (!form(ts) || substr(text, at + 34, 8) != "\",\"id\":\"" || !uuid(substr(text, at + 42, 36))) return 0
  if (substr(text, at + 78, 10) != "\",\"type\":\"" || !match(substr(text, at + 88, 130), /^[A-Za-z0-9_.:-]+",/) || RLENGTH > 130) return 0
  type = substr(text, at + 88, RLENGTH - 2)
  return 1
}
# A name as one word.
function plain(text) { gsub(/[^A-Za-z0-9._-]/, "_", text); return text == "" ? "_" : text }
# What is wrong with a text as an object of JSON; "" if nothing is. Its values by path, each with s n l before it.
function json(text,  t, n, i, p, c, d, state, kind, key, name, count, shape) {
  split("", value); split("", seen); split("", kind); split("", name); split("", count)
  if (text ~ /[\001-\037]/) return "a raw control character"
  if (text ~ /[\200-\377]/) {
    t = text
    gsub(/[\302-\337][\200-\277]/, "?", t); gsub(/\340[\240-\277][\200-\277]/, "?", t)
    gsub(/[\341-\354\356\357][\200-\277][\200-\277]/, "?", t); gsub(/\355[\200-\237][\200-\277]/, "?", t)
    gsub(/\360[\220-\277][\200-\277][\200-\277]/, "?", t); gsub(/[\361-\363][\200-\277][\200-\277][\200-\277]/, "?", t)
    gsub(/\364[\200-\217][\200-\277][\200-\277]/, "?", t)
    if (t ~ /[\200-\377]/) return "no UTF-8"
  }
  t = text
  if (index(t, "\\")) {
    gsub(/\\(["\\bfnrt]|u00(0[0-7be-f]|1[0-9a-f]))/, "", t)
    if (index(t, "\\")) return "a wrong escape"
    t = text
    gsub(/\\\\/, "\001", t); gsub(/\\"/, "\002", t)
  }
  n = split(t, between, "\"")
  if (n % 2 == 0) return "a text without end"
  # Most lines have the shape of one before: the same names, brackets and marks, another text or number here and there.
  shape = ""
  if (!index(text, "\"time\":") && !index(text, "\"type\":\"audit.")) {
    for (i = 1; i < n; i += 2) {
      p = between[i]
      if (match(p, /^:[1-9][0-9]*[],}]/) && RLENGTH < 19) p = ":9" substr(p, RLENGTH)
      shape = shape p "\"" (substr(between[i + 2], 1, 1) == ":" ? between[i + 1] : "") "\""
    }
    shape = shape between[n]
    if (shape in shapes) return ""
  }
  d = 0; serial = 0; state = "v"; name[0] = ""
  for (i = 1; i <= n; i++) {
    if (i % 2 == 0) {
      if (state == "k" || state == "K") {
        key = between[i]
        if ((kind[d], count[d], key) in seen) return "two members of one name"
        seen[kind[d], count[d], key] = 1
        name[d] = path[d] "." key; state = ":"
      } else if (state == "v" || state == "V") {
        if (kind[d] == "[") name[d] = path[d] "." items[d]++
        value[name[d]] = "s" between[i]; state = ","
      } else return "a text out of place"
      continue
    }
    p = between[i]
    while (p != "") {
      c = substr(p, 1, 1)
      if (c == "{" || c == "[") {
        if (state != "v" && state != "V") return "a bracket out of place"
        if (kind[d] == "[") name[d] = path[d] "." items[d]++
        value[name[d]] = c
        path[d + 1] = name[d]; d++
        if (d > 128) return "nested too deep"
        kind[d] = c; count[d] = ++serial; items[d] = 0; state = c == "{" ? "K" : "V"
      } else if (c == "}" || c == "]") {
        if (kind[d] != (c == "}" ? "{" : "[") || (state != "," && state != (c == "}" ? "K" : "V"))) return "a bracket out of place"
        delete kind[d]; d--
        state = d ? "," : "."
      } else if (c == ":" || c == ",") {
        if (state != c) return "a mark out of place"
        state = c == ":" || kind[d] == "[" ? "v" : "k"
      } else {
        if (state != "v" && state != "V") return "something out of place"
        if (kind[d] == "[") name[d] = path[d] "." items[d]++
        if (match(p, /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/)) {
          c = substr(p, 1, RLENGTH); value[name[d]] = "n" c
          if (c ~ /[.eE]/) { if (c + 0 > 1.7976931348623157e308 || c + 0 < -1.7976931348623157e308) return "a number that is not finite" }
          else if (!fits(c)) return "an integer past 64 bits"
        } else if (match(p, /^(true|false|null)/)) value[name[d]] = "l" substr(p, 1, RLENGTH)
        else return "white space, or no JSON"
        p = substr(p, RLENGTH); state = ","
      }
      p = substr(p, 2)
    }
  }
  if (state != "." || substr(text, 1, 1) != "{") return "no whole object"
  if (shape != "") {
    if (++shapes_kept > 2000) { split("", shapes); shapes_kept = 0 }
    shapes[shape] = 1
  }
  return ""
}
function fits(digits,  minus, most) {
  minus = substr(digits, 1, 1) == "-"; if (minus) digits = substr(digits, 2)
  most = minus ? "9223372036854775808" : "18446744073709551615"
  return length(digits) < length(most) || (length(digits) == length(most) && digits "" <= most "")
}
# Why a line with a right hash is none that may be; "" if it may.
function unlawful(text,  why) {
  if ((why = json(text)) != "") return why
  if (!head(text) || !instant(ts)) return "it does not begin as a record"
  if (!hex64(substr(text, length(text) - 139, 64))) return "it does not end as a record"
  if ((".time" in value) && !(substr(value[".time"], 1, 1) == "s" && instant(substr(value[".time"], 2)))) return "time is no instant"
  return length(text) >= 16777216 ? "too long" : ""
}
function shaped(text,  n) {
  n = length(text)
  return n > 226 && substr(text, n - 148, 9) == ",\"prev\":\"" && substr(text, n - 74, 9) == ",\"hash\":\"" && substr(text, n - 1) == "\"}" && hex64(substr(text, n - 65, 64))
}
function batch(text,  t, both) {
  i_of = 0; n_of = 0
  if (substr(text, length(text) - 149, 1) != "]") return 0
  t = substr(text, length(text) - 188, 40)
  if (!match(t, /,"batch":\[[1-9][0-9]*,[1-9][0-9]*\]$/)) return 0
  split(substr(t, RSTART + 10, length(t) - RSTART - 10), both, ",")
  if (length(both[1]) > 9 || length(both[2]) > 9) return 0
  i_of = both[1] + 0; n_of = both[2] + 0
  return 1
}
function count_of(name) { return value[name] ~ /^n[0-9]+$/ && length(value[name]) < 20 ? substr(value[name], 2) : "" }
function floor_of(name) {
  if (count_of(name ".segment") == "" || count_of(name ".last_seq") == "" || !hex64(substr(value[name ".head"], 2))) return "- - -"
  return count_of(name ".segment") " " count_of(name ".last_seq") " " substr(value[name ".head"], 2)
}
# The hash of a line in which bytes 0 and 1 stand.
function exact(at, size,  command, found) {
  command = "tail -c +" whole(at + 1) " \"$walked\" | head -c " whole(size) " | b3sum --no-names"
  command | getline found; close(command)
  return substr(found, 1, 64)
}
# The hashes of the lines that were kept in files, in one call.
function hashes(count,  command, i) {
  command = "cd \"$lines\" && b3sum --no-names"
  for (i = 1; i <= count; i++) if (kept[i]) command = command " " i
  for (i = 1; i <= count; i++) if (kept[i]) break
  if (i > count) return
  for (i = 1; i <= count; i++) if (kept[i]) { command | getline own[i]; own[i] = substr(own[i], 1, 64) }
  close(command)
}
function keep(i, text) {
  held[i] = text
  kept[i] = shaped(text) && text !~ /[\001\002]/
  if (kept[i]) { printf "%s", substr(text, 1, length(text) - 75) >(ENVIRON["lines"] "/" i); close(ENVIRON["lines"] "/" i) }
}
function right(i, at) {
  if (!shaped(held[i])) return 0
  if (!kept[i]) own[i] = exact(at, length(held[i]) - 75)
  return own[i] == substr(held[i], length(held[i]) - 65, 64)
}
'

# The first line of a file, if it is a header: what it says of its segment and of the one before.
header='
NR == 1 { keep(1, $0) }
END {
  if (NR == 0 || !lf) { print "header", id, "none"; exit }
  hashes(1)
  $0 = held[1]
  if (!right(1, 0) || !head($0) || type != "audit.segment" || batch($0) || !instant(ts) || length(seq) > 18 || json($0) != "") { print "header", id, "none"; exit }
  d = ".details"
  if (count_of(d ".format") == "") { print "header", id, "none"; exit }
  if (count_of(d ".format") != "1") { print "header", id, "newer"; exit }
  p = d ".previous"; first = value[p] != "{"
  good = uuid(substr(value[d ".log"], 2)) && count_of(d ".segment") + 0 > 0 && (first == (count_of(d ".segment") == "1"))
  if (!first) {
    good = good && count_of(p ".first_seq") != "" && count_of(p ".last_seq") != "" && count_of(p ".bytes") != "" && hex64(substr(value[p ".blake3"], 2))
    good = good && instant(substr(value[p ".time.0"], 2)) && instant(substr(value[p ".time.1"], 2))
    torn = 0; digest = "-"
    if (value[p ".torn"] == "{") {
      if (value[p ".torn.unsynced"] == "ltrue") torn = -1
      else if (count_of(p ".torn.bytes") != "") { torn = count_of(p ".torn.bytes"); if (value[p ".torn.blake3"] ~ /^s./) digest = substr(value[p ".torn.blake3"], 2) }
    }
    damaged = count_of(p ".damaged") + 0
    if (value[p ".damage.0"] == "{" && !damaged) damaged = 1
    timed = count_of(p ".timed") == "" ? "-" : count_of(p ".timed")
  }
  if (!good) { print "header", id, "none"; exit }
  n = length($0)
  print "header", id, "right", substr(value[d ".log"], 2), count_of(d ".segment"), seq, ts, substr($0, n - 139, 64), substr($0, n - 65, 64), \
    (value[d ".active"] == "smissing"), floor_of(d ".purged"), first ? "-" : count_of(p ".bytes") " " substr(value[p ".blake3"], 2) " " torn " " digest " " \
    count_of(p ".first_seq") " " count_of(p ".last_seq") " " substr(value[p ".time.0"], 2) " " substr(value[p ".time.1"], 2) " " timed " " damaged " " plain(substr(value[p ".name"], 2)) " " n + 1
}
'

# A walk over all lines up to a byte: own hashes, links, seq, ts, batches and the rules of a line. What a crash leaves
# at the end is torn, all else that is not right is damage.
walk='
function bad(why) {
  damaged++
  if (damaged <= 20) print "bad", id, "line " whole(number) ", byte " whole(at) ": " why
  else if (damaged == 21) print "bad", id, "and more"
}
# A hole: zero bytes from where the line begins, or a multiple of 512, to a multiple of 512.
function hole(text, at,  from, begin, stop) {
  from = 0
  while (match(substr(text, from + 1), /\001+/)) {
    begin = at + from + RSTART - 1; stop = begin + RLENGTH
    if ((begin == at || begin % 512 == 0) && stop % 512 == 0) return 1
    from += RSTART + RLENGTH - 1
  }
  return 0
}
function see(text) { if (low == "-" || text < low) low = text; if (high == "-" || text > high) high = text }
function one(i,  text, size, why, prev, mine, sound) {
  text = held[i]; size = length(text) + 1
  if (void) { at += size; return }
  if (!right(i, at)) {
    if (head(text)) begins = 1
    if (at >= known && last_hash != "-" && hole(text, at)) { void = 1; torn_at = at; at += size; return }
    number++; bad("the line disagrees with its own hash, or is no record"); gap = 1; at += size
    if (open) { unsound = 1; open_i++ } # it stands in the place of one of the lines of the batch
    return
  }
  number++; begins = 1
  why = unlawful(text); head(text); sound = 1
  if (why != "") { bad(why); sound = 0 }
  prev = substr(text, size - 140, 64); mine = substr(text, size - 66, 64)
  if (last_hash != "-") {
    if (!gap && prev != last_hash) { bad("its prev is not the hash of the record before it"); sound = 0 }
    else if (!gap && seq != whole(last_seq + 1)) { bad("its seq does not follow"); sound = 0 }
    if (ts < last_ts) { bad("its ts lies before that of the record before it"); sound = 0 }
  }
  if (first_hash == "-") { first_seq = seq == "" ? 0 : seq; first_hash = mine; first_prev = prev; first_ts = ts; first_line = number; first_clean = !gap }
  batch(text)
  before = whole(committed) " " records " " c_seq " " c_hash " " c_ts " " low " " high " " timed
  goes_on = 0
  if (loose && number == 1 && n_of && i_of > 1) rest_of = 1
  else if (!n_of || i_of == 1) rest_of = 0
  had = open; had_sound = !unsound
  if (open) {
    if (i_of == open_i + 1 && n_of == open_n && at + size - open_at <= 16777216) { goes_on = 1; open_i++; if (!sound) unsound = 1; if (open_i == open_n) open = 0 }
    else { if (sound && !unsound) bad("a batch breaks off before it"); open = 0; before = open_before }
  }
  if (!goes_on && n_of) {
    if (i_of < n_of && (i_of == 1 || !sound || gap)) {
      open = 1; open_i = i_of; open_n = n_of; open_at = at; open_before = before; unsound = !(sound && i_of == 1)
    } else if (rest_of && n_of >= 2 && i_of <= n_of) { }
    else if (!(n_of >= 2 && i_of <= n_of) || (sound && !gap && (!had || had_sound))) bad("a batch member out of place")
  }
  last_seq = seq == "" ? last_seq + 1 : seq; last_hash = mine; last_ts = ts; gap = 0
  at += size; records++; right_end = at
  if (".time" in value) { timed++; see(substr(value[".time"], 2)) } else see(ts)
  if (!open) { committed = at; c_seq = last_seq; c_hash = mine; c_ts = ts }
  if (why == "" && !open && type == "audit.purged") { why = floor_of(".details.through"); if (why != "- - -") floor = why }
  if (why == "" && number == 1 && type == "audit.segment") { prev = floor_of(".details.purged"); if (prev != "- - -") floor = prev }
}
function all(count,  i) { hashes(count); for (i = 1; i <= count; i++) one(i) }
BEGIN {
  at = number = records = damaged = timed = committed = right_end = c_seq = last_seq = first_seq = first_line = begins = void = open = gap = 0
  last_hash = c_hash = first_hash = first_prev = last_ts = c_ts = first_ts = low = high = "-"; floor = "- - -"; torn = "-"; torn_at = 0; first_clean = 1
}
{
  if (many == 400 || much > 4194304) { all(many); many = much = 0 }
  keep(++many, $0)
  much += length($0)
}
END {
  piece = 0
  if (many && !lf) { piece = 1; rest = held[many]; many-- }
  all(many)
  if (void) torn = "hole"
  else if (piece) { torn = "piece"; torn_at = at; if (head(rest)) begins = 1 }
  if (open) {
    split(open_before, was, " ")
    committed = was[1]; records = was[2]; c_seq = was[3]; c_hash = was[4]; c_ts = was[5]; low = was[6]; high = was[7]; timed = was[8]
    if (!unsound) { if (torn == "-") torn = "batch"; torn_at = open_at; due = 1 }
  }
  if (piece) { # whether the line without an end is the one that is due
    begins_so = "{\"seq\":" whole(c_seq + 1) ","
    text = substr(rest, 1, length(begins_so)); sub(/\001+$/, "", text)
    if (substr(begins_so, 1, length(text)) == text) due = 1
    rest_seq = match(substr(rest, 8, 20), /^[0-9]+/) && substr(rest, 1, 7) == "{\"seq\":" ? substr(rest, 8, RLENGTH) : 0
  }
  print "walk", id, stop, knew, whole(committed), records, c_seq, c_hash, c_ts, first_seq, first_hash, first_prev, first_ts, first_line, torn, whole(torn_at), damaged, begins, floor, low, high, timed, due + 0, rest_seq + 0
}
'

ends_in_lf() { [ "$(tail -c 1 | od -A n -t x1 | tr -d ' ')" = 0a ] && echo 1 || echo 0; }
export walked lines
lines=$tmp/lines
[ -d /dev/shm ] && mkdir "/dev/shm/second-examination.$$" 2>/dev/null && lines=/dev/shm/second-examination.$$

get_header() {
  eval "walked=\$path_$1 size=\$size_$1"
  lf=$(part "$walked" 0 "$size" | head -n 1 | ends_in_lf)
  part "$walked" 0 "$size" | head -n 1 | tr '\000\001' '\001\002' | awk -v id="$1" -v lf="$lf" "$rules$header"
}
get_digest() {
  eval "walked=\$path_$1"
  echo "digest $1 $2 $3 $(digest "$walked" "$2" $(($3 - $2)))"
}
get_walk() {
  eval "walked=\$path_$1 loose=\${loose_$1:-0}"
  lf=1
  [ "$2" = 0 ] || lf=$(part "$walked" $(($2 - 1)) 1 | ends_in_lf)
  part "$walked" 0 "$2" | tr '\000\001' '\001\002' | awk -v id="$1" -v stop="$2" -v knew="$3" -v known="$3" -v lf="$lf" -v loose="$loose" "$rules$walk"
}
get_last() { # the line that ends at a byte: the last record, as a header or a mark has it
  eval "walked=\$path_$1"
  part "$walked" 0 "$2" | tail -n 1 | tr '\000\001' '\001\002' | awk -v id="$1" -v stop="$2" "$rules"'
    { keep(1, $0); hashes(1); good = right(1, stop - length($0) - 1) && head($0); print "last", id, stop, good, good ? seq : "-", substr($0, length($0) - 65, 64), good ? ts : "-" }'
}
get_parting() { # the first byte, of so many, in which two files differ; - if in none
  eval "walked=\$path_$1 chosen=\$path_$2"
  parted=$(part "$walked" 0 "$3" | cmp -l - "$chosen" 2>/dev/null | head -n 1)
  if [ -n "$parted" ]; then
    parted=differ
  elif [ "$(length "$chosen")" -lt "$3" ]; then
    parted=short
  fi
  echo "parting $1 $2 $3 ${parted:--}"
}
get_record() { # the hashes of the right records with a seq
  eval "walked=\$path_$1 size=\$size_$1"
  part "$walked" 0 "$size" | tr '\000\001' '\001\002' | awk -v id="$1" -v wanted="$2" "$rules"'
    BEGIN { at = 0; begins = "{\"seq\":" wanted "," }
    index($0, begins) == 1 { keep(1, $0); hashes(1); if (right(1, at)) out = out " " substr($0, length($0) - 65, 64) }
    { at += length($0) + 1 }
    END { print "record", id, wanted out }'
}
get_purges() { # what the purge records up to a seq say
  eval "walked=\$path_$1 size=\$size_$1"
  part "$walked" 0 "$size" | tr '\000\001' '\001\002' | awk -v id="$1" -v wanted="$2" "$rules"'
    BEGIN { at = 0 }
    index($0, "\"type\":\"audit.purged\",") { keep(1, $0); hashes(1); if (right(1, at) && unlawful($0) == "" && type == "audit.purged" && seq + 0 <= wanted) out = out " " floor_of(".details.through") }
    { at += length($0) + 1 }
    END { print "purges", id, wanted out }'
}
filled() { # how many bytes of a file, of so many, stand before the zero bytes that fill its end
  walked=$1 size=$2
  kept=$(part "$walked" 0 "$size" | tr '\000' '\012' | awk '{ at += length($0) + 1; if ($0 != "") end = at - 1 } END { printf "%.0f", end }')
  while [ "$kept" -lt "$size" ] && [ "$(part "$walked" "$kept" 1 | od -A n -t x1 | tr -d ' ')" = 0a ]; do kept=$((kept + 1)); done
  echo $((kept))
}
get_zeros() { # where the zero bytes begin, if they are many
  eval "walked=\$path_$1 size=\$size_$1"
  kept=$(filled "$walked" "$size")
  [ $((size - kept)) -ge 512 ] || kept=$size
  echo "zeros $1 $kept"
}
get_tail() { # how long the line without an end is, at the end of a file
  eval "walked=\$path_$1 size=\$size_$1"
  rest=0
  [ "$(part "$walked" $((size - 1)) 1 | ends_in_lf)" = 1 ] || rest=$(part "$walked" 0 "$size" | tail -n 1 | wc -c)
  echo "tail $1 $((rest))"
}
get_beginning() { # whether all of a file is how a line with a seq begins in another
  eval "walked=\$path_$1 size=\$size_$1 chosen=\$path_$2 whole=\$size_$2"
  is=0
  size=$(filled "$walked" "$size")
  for at in $(part "$chosen" 0 "$whole" | awk -v wanted="$3" 'BEGIN { at = 0; begins = "{\"seq\":" wanted "," } index($0, begins) == 1 { printf "%.0f\n", at } { at += length($0) + 1 }'); do
    [ "$(digest "$chosen" "$at" "$size")" = "$(digest "$walked" 0 "$size")" ] && is=1
  done
  echo "beginning $1 $2 $is"
}
get_artifact() {
  name=$(sed -n "s/^artifact $1 [0-9]* //p" "$tmp/report")
  where "$name"
  if [ ! -f "$path" ]; then
    echo "artifact-state $1 missing"
  else
    case $name in
      *.zst) found=$(zstd -dcq "$path" 2>/dev/null | b3sum --no-names) ;;
      *) found=$(b3sum --no-names <"$path") ;;
    esac
    [ "$(echo "$found" | cut -c 1-64)" = "$1" ] && echo "artifact-state $1 whole" || echo "artifact-state $1 altered"
  fi
}

# -- 3. One line, for a look by hand.

if [ -n "$show" ]; then
  eval "walked=\${path_$show:-} size=\${size_$show:-0}"
  [ -n "$walked" ] || quit 2 "the report has no file number $show"
  from=0
  [ "$line" -gt 1 ] && from=$(part "$walked" 0 "$size" | head -n $((line - 1)) | wc -c)
  from=$((from))
  long=$(part "$walked" "$from" $((size - from)) | head -n 1 | wc -c)
  long=$((long))
  echo "line $line begins at byte $from and has $long bytes"
  part "$walked" "$from" "$long" | sed -n l
  if [ "$long" -gt 227 ]; then
    echo "its prev   $(part "$walked" $((from + long - 141)) 64 | tr -c '0-9a-f' '?')"
    echo "its hash   $(part "$walked" $((from + long - 67)) 64 | tr -c '0-9a-f' '?')"
    echo "should be  $(digest "$walked" "$from" $((long - 76)))"
  fi
  exit 0
fi

# -- 4. The verdict. What is not known yet is asked for, found out, and then all is judged again.

judge='
function need(what, a, b, c) { print "need", what, a, b, c; needs = 1; return "" }
function digest(i, from, to) { return (i, from, to) in digests ? digests[i, from, to] : need("digest", i, from, to) }
function walked(i, stop, known) { if (!((i, stop, known) in walks)) return need("walk", i, stop, known); split(walks[i, stop, known], W, " "); return 1 }
function last(i, stop) { if (!((i, stop) in lasts)) return need("last", i, stop, 0); split(lasts[i, stop], E, " "); return 1 }
function found(what, file, text) {
  verdicts[what] = 1
  if (++told[what] <= 40) say[++said] = what ": " (file ? "file " file ": " : "") text
}
# Of several files with one number: the one that the next header vouches for, else the one with most records.
function choose(k, next_i,  list, count, j, i, b, best, rank, top, t) {
  count = split(group[k], list, " ")
  if (count == 1) return list[1]
  best = list[1]; top = -1
  for (j = 1; j <= count; j++) {
    i = list[j]; rank = 0; b = -1
    if (next_i) b = P_bytes[next_i]
    if (b >= 0 && size[i] >= b && digest(i, 0, b) == P_hash[next_i]) rank = 4e18 + (P_torn[next_i] < 0 || size[i] == b + P_torn[next_i] ? 2e18 : 0)
    else if (walked(i, size[i], 0)) rank = (W[7] + 0) * 2
    if (sealed[i] == "y") rank += 1
    if (rank > top) { top = rank; best = i }
  }
  return best
}
function newest(i, k,  stop, known, t, synced) {
  synced = known = 0; stop = size[i]
  if (i in mark_synced) { synced = known = mark_synced[i]; if (mark_failed[i]) stop = known }
  if (!walked(i, stop, known)) return
  take(i, k)
  if (W[17] > 0) found("tampered", i, W[17] " places, see above")
  if (i in mark_synced) {
    if (size[i] < synced || (W[15] != "-" && W[16] + 0 < synced)) found("tampered", i, "the lock file said that " synced " bytes were on the disk")
    else if (W[17] == 0 && last(i, synced) && E[6] != mark_hash[i]) found("tampered", i, "another record ends at byte " synced " than the lock file said")
  }
  if ((i in cut) && W[15] == "-") found("torn", i, "its compressed data end in the middle")
  else if ((W[15] != "-" && W[16] + 0 >= synced) || (W[15] == "-" && size[i] > stop)) {
    if (i in busy) note("file " i ": somebody was writing when the report was made; its end is not judged")
    else found("torn", i, "its end was never committed (" (W[15] == "-" ? "unsynced" : W[15]) ")")
  }
}
function take(i, k) {
  R_count[k] = W[6]; R_first_seq[k] = W[10]; R_first_hash[k] = W[11]; R_first_prev[k] = W[12]; R_first_ts[k] = W[13]; R_clean[k] = W[17] == 0
  R_seq[k] = W[7]; R_hash[k] = W[8]; R_ts[k] = W[9]; R_end[k] = W[5]; R_floor[k] = W[19] " " W[20] " " W[21]
}
function note(text) { say[++said] = "note: " text }
# A segment whose successor is here: by its digest, and line by line where that disagrees, or all are to be walked.
function check(i, k, n,  b, same, fine, behind) {
  if (copied) { b = unfinished(i, k, n); if (needs || b) return }
  b = P_bytes[n]; same = 0
  if (size[i] < b) found("tampered", i, "it ends before byte " b ", where its last record ended")
  else { same = digest(i, 0, b) == P_hash[n]; if (needs) return; if (!same) found("tampered", i, "its first " b " bytes are not those that the next header says") }
  behind = size[i] - b; fine = same
  if (same && P_torn[n] >= 0 && (behind || P_torn[n])) {
    fine = behind == P_torn[n] && (P_tornhash[n] == "-" || digest(i, b, size[i]) == P_tornhash[n])
    if (needs) return
    if (!fine) found("tampered", i, "what stands behind its last record is not what the next header accounts for")
    else note("file " i ": a crash left " behind " bytes behind byte " b ", accounted for")
  } else if (same && P_torn[n] < 0) note("file " i ": a sync had failed; what stands behind byte " b " does not count")
  if (same && !last(i, b)) return
  if (fine && H[i] == "right" && E[4] && full != "yes" && !(k in must)) {
    R_count[k] = E[5] - H_seq[i] + 1; if (R_count[k] < 0) R_count[k] = 0
    R_first_seq[k] = H_seq[i]; R_first_hash[k] = H_hash[i]; R_first_prev[k] = H_prev[i]; R_first_ts[k] = H_ts[i]; R_clean[k] = 1
  } else {
    if (!walked(i, fine || P_torn[n] < 0 ? (b < size[i] ? b : size[i]) : size[i], b)) return
    take(i, k)
    if (W[17] > 0) found("tampered", i, W[17] " places, see above")
    if (fine && (W[15] != "-" || W[5] != b)) found("tampered", i, "its last record does not end at byte " b)
    if (fine && W[22] != "-" && (W[22] < P_low[n] || W[23] > P_high[n])) found("tampered", i, "times outside the range that the next header says")
    if (fine && P_timed[n] == "0" && W[24] > 0) found("tampered", i, "records with a time of their own, which the next header denies")
  }
  if (same && E[4]) { R_seq[k] = E[5]; R_hash[k] = E[6]; R_ts[k] = E[7] }
  if (same && (H[i] != "right" || !E[4] || H_seq[i] != P_first[n] || E[5] != P_last[n])) found("tampered", i, "other seqs than the next header says")
  if (P_damaged[n] > 0) found("tampered", i, P_damaged[n] " places were damaged when it was sealed, as the next header says")
}
# The segment before, which is here, is the one whose file had been gone: the header names it by its own time.
function came_back(i,  stamp) {
  stamp = H_ts[i]; gsub(/[-:.]/, "", stamp)
  return index(P_name[i], stamp) > 0
}
# Whether a copy of a sealed segment ends early, and is right as far as it goes.
function unfinished(i, k, n,  b, stop, behind) {
  if (H[i] != "right" || H_seq[i] != P_first[n] || P_damaged[n] > 0) return 0
  b = P_bytes[n]
  if (size[i] >= b && digest(i, 0, b) == P_hash[n]) {
    behind = size[i] - b
    if (behind == P_torn[n] && behind > 0) {
      if (P_tornhash[n] == "-" || digest(i, b, size[i]) == P_tornhash[n]) return 0
      if (!(i in zeros)) { need("zeros", i, 0, 0); return 0 }
      behind = zeros[i] - b
    }
    if (P_torn[n] <= 0 || behind < 0 || behind >= P_torn[n]) return 0
    if (!walked(i, b, b)) return 0
    take(i, k)
    early(i, k, "all its records are here, but not all that a crash left behind them")
    return 1
  }
  if (needs) return 0
  stop = size[i]
  if (size[i] >= b && merged[i]) { if (!(i in tails)) { need("tail", i, 0, 0); return 0 } stop = size[i] - tails[i] }
  else if (size[i] >= b) { if (!(i in zeros)) { need("zeros", i, 0, 0); return 0 } stop = zeros[i] }
  if (stop + 0 >= b + 0 || stop + 0 < H_size[i] + 0) return 0
  if (!walked(i, stop, stop)) return 0
  if (W[17] > 0 || W[15] == "hole" || W[8] == "-" || W[7] + 0 > P_last[n] + 0) return 0
  if (W[15] == "piece" && !W[25] && !merged[i]) return 0
  take(i, k)
  R_unfinished[k] = 1
  early(i, k, "the copy ends at byte " stop " of " b)
  return 1
}
function early(i, k, text) { if (purged != "" && k < start) note("file " i ": " text "; the segment was purged"); else found("incomplete", i, text) }
# A piece whose beginning is not here: it must fit in between what is.
function fit(i,  k, m, o, inside) {
  if (!walked(i, size[i], 0)) return
  if (W[17] > 0) found("tampered", i, W[17] " places, see above")
  if (loose[i] != "-" && W[11] != "-" && W[17] == 0 && loose[i] != W[12]) found("tampered", i, "the rest of a line stands before it that is not that of the record before")
  if (W[11] == "-") {
    m = 0; inside = 0
    for (k in group) {
      if (R_seq[k] + 0 > m) m = R_seq[k] + 0
      if (R_first_seq[k] + 0 > W[26] + 0 || W[26] + 0 > R_seq[k] + 0) continue
      if ((i, chosen[k]) in beginnings) { if (beginnings[i, chosen[k]]) inside = 1 } else need("beginning", i, chosen[k], W[26])
    }
    if (needs) return
    if (inside) note("file " i ": the beginning of a record that is here")
    else if (W[26] > 0 && W[26] == m + 1) found("torn", i, "only the beginning of a line")
    else if (!W[17] && purged != "" && W[26] + 0 <= f[2] + 0) note("file " i ": no whole record is in it; the segment was purged")
    else if (!W[17]) found("incomplete", i, "no whole record is in it, and nothing here goes on with it")
    return
  }
  for (k in group) if (R_first_hash[k] != "-" && R_first_seq[k] + 0 <= W[10] + 0 && W[10] + 0 <= R_seq[k] + 0) {
    m = R_seq[k] + 0 < W[7] + 0 ? R_seq[k] : W[7]
    if (!((i, m) in records_at)) need("record", i, m, 0)
    if (!((chosen[k], m) in records_at)) need("record", chosen[k], m, 0)
    if (needs) return
    split(records_at[i, m], o, " ")
    if (o[4] == "" || holds(chosen[k], m, o[4])) note("file " i ": the same records as in file " chosen[k])
    else found("forked", i, "another history than file " chosen[k])
    return
  }
  for (k in group) if (R_first_seq[k] == W[7] + 1 && R_first_prev[k] != W[8]) found("tampered", i, "what follows it does not go on from its last record")
  records += W[6]
  if (purged != "" && W[10] + 0 <= f[2] + 0) note("file " i ": it begins in the middle of a segment that was purged")
  else found("incomplete", i, "it begins in the middle of a segment")
}
# A name as one word, without folders and what a packer put behind it.
function bare(text) { gsub(/\\0[0-9][0-9][0-9]/, "_", text); sub(/.*\//, "", text); sub(/\.(gz|zst)$/, "", text); return text }
# The number of the segment that had the name of a file, as the next header says; 0 if none says so.
function by_name(i,  n) {
  for (n = 1; n <= files; n++) if ((n in P) && P_name[n] == name[i]) return H_segment[n] - 1
  return 0
}
function floors(i,  f) { if (H_floor[i] != "- - -") { split(H_floor[i], f, " "); if (f[1] < top) wanted[H_floor[i]] = 1 } }
# Whether a file holds, at a seq, the record with a hash; all its records at that seq are looked at.
function holds(i, seq, hash,  list, n) {
  if (!((i, seq) in records_at)) { need("record", i, seq, 0); return 0 }
  n = split(records_at[i, seq], list, " ")
  for (; n > 3; n--) if (list[n] == hash) return 1
  return 0
}
# The segment, of those here, in which a seq stands or behind which it would.
function around(seq,  i, best) {
  best = 0
  for (i = 1; i <= files; i++) if (H[i] == "right" && H_log[i] == log_id && H_seq[i] + 0 <= seq && H_segment[i] + 0 > best) best = H_segment[i] + 0
  return best
}
# Under an anchor, a purge that was recorded behind the newest anchored record excuses nothing.
function excuse(  a, i, j, k, f, trusted, covered, list, count, n) {
  trusted = 0
  for (a = anchors; a > 0 && !trusted; a--) {
    for (i = 1; i <= files; i++) if (H[i] == "right" && H_log[i] == log_id && H_seq[i] == A_seq[a] + 1 && H_prev[i] == A_hash[a]) trusted = A_seq[a]
    k = around(A_seq[a]); count = split(group[k], list, " ")
    for (j = 1; j <= count && !trusted; j++) if (holds(list[j], A_seq[a], A_hash[a])) trusted = A_seq[a]
    if (needs) return
  }
  for (a = anchors; a > 0; a--) if (A_seq[a] + 0 <= trusted + 0) {
    k = around(A_seq[a])
    if (k && !(k in bound)) { must[k] = 1; for (n = k; n in group; n--) bound[n] = 1 }
  }
  for (i = 1; i <= files; i++) if (H[i] == "right" && H_log[i] == log_id && H_seq[i] + 0 <= trusted) covered[H_floor[i]] = 1
  k = around(trusted); count = split(group[k], list, " ")
  for (j = 1; j <= count; j++) {
    if (!((list[j], trusted) in purges)) { need("purges", list[j], trusted, 0); continue }
    n = split(purges[list[j], trusted], f, " ")
    for (i = 4; i + 2 <= n; i += 3) covered[f[i] " " f[i + 1] " " f[i + 2]] = 1
  }
  for (f in wanted) if (!(f in covered)) { delete wanted[f]; note("a purge was recorded behind the last anchored record, and excuses nothing") }
}
# Each anchor against the chain.
function vouch(  a, k, seq, here, newest_seq, ends_there, floor_seq) {
  newest_seq = 0; floor_seq = 0
  if (purged != "") { split(purged, F, " "); floor_seq = F[2] }
  for (k in group) if (R_seq[k] + 0 > newest_seq) newest_seq = R_seq[k] + 0
  for (a = 1; a <= anchors; a++) {
    seq = A_seq[a]; here = 0
    for (k in group) if (R_first_hash[k] != "-" && R_first_seq[k] + 0 <= seq && seq <= R_seq[k] + 0) {
      here = 1
      if (!holds(chosen[k], seq, A_hash[a])) { if (needs) return; found("tampered", chosen[k], "the record with seq " seq " is not the one that was anchored") }
    }
    ends_there = 0
    for (k in group) if (R_seq[k] + 0 == seq) ends_there = 1
    if (!here && !ends_there) for (k in group) if (R_first_seq[k] + 0 == seq + 1) {
      here = 1
      if (R_first_prev[k] != A_hash[a]) found("tampered", chosen[k], "its prev is not the hash of the anchored record")
    }
    if (here) continue
    if (seq + 0 > newest_seq) {
      if (named == "yes" && active && end == active) found("tampered", 0, "the log ends before the anchored seq " seq)
      else found("incomplete", 0, "what is here ends before the anchored seq " seq)
    } else if (floor_seq && seq <= floor_seq + 0) note("the anchored record " seq " was purged")
    else found("incomplete", 0, "the anchored record " seq " is not here")
  }
}
function believed(  best, f, g, i, behind, agrees) {
  best = ""
  for (f in wanted) {
    split(f, g, " "); behind = agrees = 0
    for (i = 1; i <= files; i++) if (H[i] == "right" && H_log[i] == log_id && H_segment[i] == g[1] + 1) { behind = 1; if (H_seq[i] == g[2] + 1 && H_prev[i] == g[3]) agrees = 1 }
    if ((!behind || agrees) && (best == "" || g[1] > best_k)) { best = f; best_k = g[1] }
  }
  return best
}
$1 == "named" { named = $2 }
$1 == "full" { full = $2 }
$1 == "file" { if ($2 > files) files = $2; role[$2] = $3; sealed[$2] = $4; bytes[$2] = $5; name[$2] = bare($7) }
$1 == "mark" { mark_synced[$2] = $3; mark_failed[$2] = $4; mark_hash[$2] = $5 }
$1 == "busy" { busy[$2] = 1 }
$1 == "anchor" { anchors++; A_seq[anchors] = $2; A_hash[anchors] = $3 }
$1 == "record" { records_at[$2, $3] = $0 }
$1 == "purges" { purges[$2, $3] = $0 }
$1 == "artifact" { artifacts[$2] = 1 }
$1 == "artifact-state" { state[$2] = $3 }
$1 == "copied" { copied = $2 == "yes" }
$1 == "joined" { if ($2 > files) files = $2; role[$2] = $3; sealed[$2] = $4; merged[$2] = $5 == "m" }
$1 == "tail" { tails[$2] = $3 }
$1 == "loose" { loose[$2] = $3 }
$1 == "cut" { if (copied) cut[$2] = 1; else broken[$2] = 1 }
$1 == "beginning" { beginnings[$2, $3] = $4 }
$1 == "zeros" { zeros[$2] = $3 }
$1 == "size" { size[$2] = $3 }
$1 == "broken" { broken[$2] = 1 }
$1 == "digest" { digests[$2, $3, $4] = $5 }
$1 == "walk" { walks[$2, $3, $4] = $0 }
$1 == "last" { lasts[$2, $3] = $0 }
$1 == "parting" { parts[$2, $3, $4] = $5 }
$1 == "header" {
  H[$2] = $3
  if ($3 == "right") {
    H_log[$2] = $4; H_segment[$2] = $5; H_seq[$2] = $6; H_ts[$2] = $7; H_prev[$2] = $8; H_hash[$2] = $9; H_missing[$2] = $10; H_floor[$2] = $11 " " $12 " " $13
    if ($14 != "-") {
      P[$2] = 1; P_bytes[$2] = $14; P_hash[$2] = $15; P_torn[$2] = $16; P_tornhash[$2] = $17; P_first[$2] = $18; P_last[$2] = $19
      P_low[$2] = $20; P_high[$2] = $21; P_timed[$2] = $22; P_damaged[$2] = $23; P_name[$2] = $24; H_size[$2] = $25
    }
  }
}
END {
  for (i = 1; i <= files; i++) if (i in role) {
    if (!(i in H)) need("header", i, 0, 0)
    if (bytes[i] == "") bytes[i] = size[i]
  } else out[i] = 1
  if (needs) exit
  # which log, and which file is which segment
  for (i = 1; i <= files; i++) {
    if (i in out) continue
    if (role[i] == "active") active = i
    if (bytes[i] == 0 && sealed[i] != "y") { out[i] = 1; continue }
    if (bytes[i] > 0) content = 1
    if (H[i] == "right") votes[H_log[i]]++
  }
  if (active && !(active in out) && H[active] == "right") log_id = H_log[active]
  else for (i = 1; i <= files; i++) if (!(i in out) && H[i] == "right" && votes[H_log[i]] > most) { most = votes[H_log[i]]; log_id = H_log[i] }
  for (i in loose) some = 1
  for (i = 1; i <= files; i++) {
    if (i in out) continue
    if (H[i] == "right" && H_log[i] != log_id) found("tampered", i, "a segment of another log")
    else if (H[i] == "right") { k = H_segment[i]; group[k] = group[k] " " i; groups++; if (k + 0 > top) top = k + 0 }
    else if (H[i] == "newer") {
      if (log_id == "") { print "file " i ": a newer format than 1"; print "verdict: not a log"; print "exit 2"; exit }
      found("incomplete", i, "it has a newer format")
    } else { strays++; stray[i] = 1; if (walked(i, size[i], 0) && W[18]) begins = 1 }
  }
  if (needs) exit
  if (!groups && !some && content && !begins) { print "verdict: not a log"; print "exit 2"; exit }
    if (top) {
    chosen[top] = choose(top, 0)
    if (needs) exit
    newest(chosen[top], top)
    if (needs) exit
    for (i = 1; i <= files; i++) if (H[i] == "right" && H_log[i] == log_id) floors(i)
    if (R_floor[top] != "- - -") { split(R_floor[top], f, " "); if (f[1] + 0 < top) wanted[R_floor[top]] = 1 }
    start = 1; zero = sprintf("%064d", 0); before_seq = 0; before_hash = zero; before_ts = ""
    if (anchors) excuse()
    if (needs) exit
    purged = believed()
    if (purged != "") {
      split(purged, f, " "); start = f[1] + 1; before_seq = f[2]; before_hash = f[3]
      note("segments up to number " f[1] " were purged, as the chain itself says")
      for (k in group) if (k + 0 < start && !copied) leftover[k] = 1
      for (k in leftover) delete group[k]
    }
    low = copied ? 1 : start
    for (k = top - 1; k >= low; k--) if (k in group) {
      n = (k + 1) in chosen ? chosen[k + 1] : 0
      if (n && !(n in P)) n = 0
      chosen[k] = choose(k, n)
      if (needs) continue
      if (n) check(chosen[k], k, n); else newest(chosen[k], k)
    }
    if (needs) exit
    due = start
    for (k = low; k <= top; k++) if (k in group) {
      i = chosen[k]
      if (k < start) { }
      else if (k > due) found("incomplete", i, "segments " due " to " (k - 1) " are not here")
      else if (H_missing[i] && !(k > start && came_back(i))) found("incomplete", i, "the active file had been removed when this segment was begun")
      behind = (k - 1) in group
      if (!behind && k == 1) { before_seq = 0; before_hash = zero; before_ts = "" }
      else if (!behind && purged != "" && k == start) { before_seq = f[2]; before_hash = f[3]; before_ts = "" }
      if (behind || k == 1 || (purged != "" && k == start)) {
        if (R_first_hash[k] != "" && R_first_hash[k] != "-" && !(behind && !R_clean[k - 1])) {
          if (behind && R_unfinished[k - 1]) {
            if (R_first_seq[k] + 0 <= before_seq + 0 || (R_first_seq[k] == before_seq + 1 && R_first_prev[k] != before_hash)) found("tampered", i, "it does not go on from where the segment before it has got to")
          } else if (R_clean[k] && (R_first_prev[k] != before_hash || R_first_seq[k] != before_seq + 1)) found("tampered", i, "it does not go on from the segment before it")
          if (before_ts != "" && R_first_ts[k] < before_ts) found("tampered", i, "its ts lies before that of the segment before it")
        }
      }
      before_seq = R_seq[k]; before_hash = R_hash[k]; before_ts = R_ts[k]
      records += R_count[k]; end = i; if (k >= start) due = k + 1; head_hash = R_hash[k]; head_seq = R_seq[k]
      count = split(group[k], list, " ")
      for (j = 1; j <= count; j++) if (list[j] != i) {
        o = list[j]
        if (!walked(o, size[o], 0)) continue
        if (!((o, i, W[5]) in parts)) { need("parting", o, i, W[5]); continue }
        if (W[17] > 0) found("tampered", o, W[17] " places, see above")
        else if (parts[o, i, W[5]] == "-") note("file " o ": an older copy of file " i)
        else found("forked", o, "another history than file " i)
      }
    }
    if (needs) exit
  }
  for (i = 1; i <= files; i++) if (i in stray) {
    if (bytes[i] == 0 && !groups) continue
    if (!walked(i, size[i], 0)) continue
    if (purged != "" && !copied && W[11] != "-" && W[10] + 0 <= f[2] + 0) continue
    k = by_name(i)
    if (purged != "" && !copied && k && k < start && !(k in leftover)) continue
    found("tampered", i, "it does not begin with a header that is right")
    if (!groups) records += W[6]
  }
  for (i in loose) fit(i)
  if (needs) exit
  for (i = 1; i <= files; i++) if (i in broken) found("tampered", i, "its compressed data are broken")
  for (a in artifacts) {
    if (!(a in state)) need("artifact", a, 0, 0)
    else if (state[a] == "missing") found("incomplete", 0, "artifact " a " is not here")
    else if (state[a] == "altered") found("tampered", 0, "artifact " a " is not what was stored")
  }
  if (needs) exit
  if (anchors && groups) vouch()
  if (needs) exit
  if (!records) verdicts["empty"] = 1
  else if (named == "yes" && groups && end != active) { verdicts["incomplete"] = 1; say[++said] = "incomplete: the file that the log is named by is not here" }
  count = split("intact torn empty incomplete forked tampered", order, " ")
  verdict = "intact"
  for (j = 1; j <= count; j++) if (order[j] in verdicts) verdict = order[j]
  for (j = 1; j <= said; j++) print say[j]
  if (records) print whole(records) " records, the last with seq " head_seq " and hash " head_hash
  print "verdict: " verdict
  status = 1
  if (verdict == "intact" || verdict == "torn") status = 0
  if (verdict == "empty" || verdict == "incomplete") status = 3
  print "exit", status
}
function whole(number) { return sprintf("%.0f", number) }
'

while :; do
  awk "$judge" "$tmp/report" "$tmp/facts" >"$tmp/told" || quit 4 'awk failed'
  grep '^need ' "$tmp/told" | sort -u >"$tmp/needs"
  [ -s "$tmp/needs" ] || break
  while read -r _ what a b c; do
    "get_$what" "$a" "$b" "$c" || quit 4 "cannot find out: $what of $a"
  done <"$tmp/needs" >"$tmp/answers"
  grep '^bad ' "$tmp/answers" | sed 's/^bad \([0-9]*\) /file \1: /'
  grep -v '^bad ' "$tmp/answers" >>"$tmp/facts" || quit 4 'nothing was found out'
done
grep -v '^exit ' "$tmp/told"
told=$(report | sed -n 's/^verdict //p')
found=$(sed -n 's/^verdict: //p' "$tmp/told")
if [ "$found" != "$told" ]; then
  # Perhaps the files are in use: another verdict counts only if they are still those of the report.
  while read -r what number _ _ bytes known name; do
    [ "$what" = file ] || [ "$what" = source ] || continue
    where "$name"
    if [ ! -f "$path" ] || [ "$(digest "$path" 0 "$bytes")" != "$known" ]; then
      echo 'verdict: none, the files changed meanwhile: work on copies'
      exit 5
    fi
  done <"$tmp/report"
  echo "the report says: $told"
fi
exit "$(sed -n 's/^exit //p' "$tmp/told")"
