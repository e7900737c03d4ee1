#!/bin/sh
# The log @{path|raw}, copied by cp to the folder @{to|raw}, a mounted share for one.
# Run it as often as you like: what arrived verifies at any moment.
#   there:  jsonl-audit verify --copy FOLDER
set -eu
to=@{to|sh}
cd -- @{folder|sh}
# The active segment first: if it is sealed meanwhile, its beginning is here already.
for file in @{name|shdot} ./@{shell_sealed|raw} @{name|shdot}.d/artifacts/*; do
  [ -e "$file" ] || continue
  # A sealed segment never changes, nor does an artifact: once is enough.
  if [ "$file" != @{name|shdot} ] && [ -e "$to/$file" ]; then continue; fi
  mkdir -p -- "$to/${file%/*}"
  # Under another name until it is whole, so that a run that is killed leaves nothing shorter.
  # Sealed or purged in this moment: the next run has it under its new name.
  cp -p -- "$file" "$to/$file.part" || { [ ! -e "$file" ] && continue; exit 1; }
  mv -f -- "$to/$file.part" "$to/$file"
done
