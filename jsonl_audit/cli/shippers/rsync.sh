#!/bin/sh
# The log @{path|raw}, copied by rsync to @{to|raw}.
# Run it as often as you like, from cron, a timer or a loop: what arrived verifies at any moment.
#   there:  jsonl-audit verify --copy FOLDER
# Plain -a is right, and these three are not:
#   --append   a segment that is sealed changes its name, and the next one takes it: two would be made one;
#   --inplace  a run that is killed leaves a file of which one half is old and the other new;
#   --delete   what is purged here would be purged there too.
set -eu
# 24: a file vanished, because it was sealed or purged meanwhile: the next run has it under its new name.
rsync -a --include=@{rsync_active|sh} --include=@{rsync_sealed|sh} \
  --include=@{rsync_folder|sh} --include=@{rsync_artifacts|sh} --exclude='*' \
  -- @{folder|sh}/ @{to|sh} || [ $? -eq 24 ]
