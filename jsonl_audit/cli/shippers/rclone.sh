#!/bin/sh
# The log @{path|raw}, copied by rclone to @{to|raw}, which may be any store that rclone knows.
# Run it as often as you like: what arrived verifies at any moment.
#   there:  jsonl-audit verify --copy FOLDER
# `copy`, not `sync`: sync would purge there what is purged here.
# --local-no-check-updated: a log grows while it is read, which is no error; what is sent is its beginning.
set -eu
rclone copy --local-no-check-updated --include @{rclone_active|sh} --include @{rclone_sealed|sh} \
  --include @{rclone_artifacts|sh} -- @{folder|sh} @{to|sh}
