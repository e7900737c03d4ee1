#!/bin/sh
# The log @{path|raw}, copied by sftp to the folder @{to|raw} ([USER@]HOST:FOLDER). rsync does the same with less to
# send, and takes the artifacts along.
#   there:  jsonl-audit verify --copy FOLDER
# Not scp: it writes over what is there, and whoever verifies meanwhile sees the beginning of one segment before the end
# of another.
set -eu
to=@{to|sh}
cd -- @{folder|sh}
send() {
  there=$(echo 'ls -1' | sftp -q -b - "$to") || return 1
  # The active segment first: if it is sealed meanwhile, its beginning is there already.
  for file in @{name|sh} @{shell_sealed|raw}; do
    [ -e "./$file" ] || continue
    # A sealed segment never changes: once is enough.
    if [ "$file" != @{name|sh} ] && printf '%s\n' "$there" | grep -Fqx -- "$file"; then continue; fi
    # Under another name until it is whole, so that a run that is killed leaves nothing shorter.
    printf 'put -p "%s" ".%s.part"\nrename ".%s.part" "%s"\n' "$file" "$file" "$file" "$file"
  done | sftp -q -b - "$to" >/dev/null
}
# Sealed in this moment, a file is gone under its name: once more.
send || send || send
