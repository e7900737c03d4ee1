#!/bin/sh
# The log @{path|raw}, packed by tar into one archive for each run, in the folder @{to|raw}.
# An archive holds the log as it stood, its active segment with whatever end it had.
#   there:  tar -xzf ARCHIVE -C FOLDER && jsonl-audit verify --copy FOLDER
set -eu
from=@{folder|sh} to=@{to|sh}
mkdir -p -- "$to"
now=$(date -u +%Y%m%dT%H%M%SZ)
cd -- "$from"
# Exit status 1 says that a file grew while it was read, as a log does; 2 that one is gone, sealed or purged
# in the moment before, and then once more is the remedy.
for attempt in 1 2 3; do
  set -- @{name|shdot} ./@{shell_sealed|raw}
  [ -e "$1" ] || shift
  [ "$#" -gt 0 ] && [ -e "$1" ] || { echo "there is no log in $from" >&2; exit 1; }
  [ ! -d @{name|shdot}.d/artifacts ] || set -- "$@" @{name|shdot}.d/artifacts
  status=0
  tar -czf "$to/.$now.part" -- "$@" || status=$?
  [ "$status" -gt 1 ] || break
done
[ "$status" -le 1 ]
mv -f -- "$to/.$now.part" "$to/"@{name|sh}".$now.tar.gz"
