#!/bin/sh
# The log @{path|raw}, copied by scp to @{to|raw}. rsync does the same with less to send.
#   there:  jsonl-audit verify --copy FOLDER
set -eu
cd -- @{folder|sh}
# The active segment first: if it is sealed meanwhile, its beginning is there already.
scp -pq -- @{name|shdot} ./@{shell_sealed|raw} @{to|sh}
