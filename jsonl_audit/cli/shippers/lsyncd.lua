-- The log @{path|raw}, kept copied by lsyncd to @{to|raw}.
--   lsyncd -nodaemon FILE          there:  jsonl-audit verify --copy FOLDER
-- delete = false: what is purged here stays there. No inplace, no append: a segment that is sealed changes its name,
-- and the next one takes it.
settings { statusFile = "/run/lsyncd.status", nodaemon = true, inotifyMode = "CloseWrite or Modify" }
sync {
  default.rsync,
  source = @{folder|lua},
  target = @{to|lua},
  delete = false,
  delay = 1,
  filter = { "+ " .. @{rsync_active|lua}, "+ " .. @{lsyncd_sealed|lua}, "+ " .. @{rsync_folder|lua}, "+ " .. @{rsync_artifacts|lua}, "- *" },
  rsync = { archive = true },
}
