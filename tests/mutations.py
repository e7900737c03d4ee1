"""Faults planted on purpose, each of which some test must notice.

From the top of a clone, with the extra `test` installed::

    python tests/mutations.py [-j 2] [--only NAME]

copies the project, plants one fault after another, and runs the tests that are named with it. It ends with 1 if one is
not noticed: then nothing stands between that mistake and those who rely on the promise. `test_mutations.py` sees to
it that the list stays true to the code.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
COPIED = ("jsonl_audit", "tests", "fuzz", "docs", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE")
PATIENCE = 300
"""Seconds for the tests of one fault."""


@dataclass(frozen=True)
class Mutation:
    """A fault, what it breaks, and the tests that must fail of it."""

    name: str
    breaks: str
    """The promise."""
    edits: tuple[tuple[str, str, str], ...]
    """In which file of jsonl_audit/, what stands there, once, and what stands there instead."""
    tests: tuple[str, ...]


def fault(name: str, breaks: str, file: str, old: str, new: str, *tests: str) -> Mutation:
    """A fault in one place."""
    return Mutation(name, breaks, ((file, old, new),), tests)


CUTS = "test_power_cuts.py::test_the_power_cut_at_any_moment"
KILLS = "test_power_cuts.py::test_killed_at_any_moment"
MATRIX = "test_tampering.py::test_every"

MUTATIONS = (
    # -- what is acknowledged is on the disk
    fault(
        "sync skipped",
        "an acknowledged record survives a power cut",
        "writer/tip.py",
        """            if fsync == "always":
                self.disk.must_sync(active)
""",
        "",
        f"{CUTS}[append always]",
    ),
    fault(
        "name of the new segment not synced",
        "what is acknowledged in a new segment survives a power cut",
        "writer/rotate.py",
        '''    """Step 6, and the new segment open."""
    _sync_names(names)
''',
        '''    """Step 6, and the new segment open."""
''',
        f"{CUTS}[create]",
        f"{CUTS}[rotate always]",
    ),
    fault(
        "sealed name not synced before the next segment takes the active one",
        "a power cut in the middle of sealing loses no segment",
        "writer/rotate.py",
        """    _sync_names(names)


def seal(
""",
        """

def seal(
""",
        f"{CUTS}[rotate always]",
    ),
    fault(
        "next segment not synced before it is put in place",
        "a segment in place has a header",
        "writer/rotate.py",
        """        storage.write(fd, successor.line)
        storage.sync(fd)
""",
        """        storage.write(fd, successor.line)
""",
        f"{CUTS}[rotate always]",
        f"{CUTS}[create]",
    ),
    Mutation(
        "header written after the rename",
        "a segment in place has a header",
        (
            (
                "writer/rotate.py",
                """        storage.write(fd, successor.line)
        storage.sync(fd)
    except OSError:
""",
                """        storage.sync(fd)
    except OSError:
""",
            ),
            (
                "writer/rotate.py",
                """    try:
        active = Active(fd, successor.header, successor.link, len(successor.line), successor.floor)
""",
                """    try:
        if not storage.size(fd):
            storage.write(fd, successor.line)
            storage.sync(fd)
        active = Active(fd, successor.header, successor.link, len(successor.line), successor.floor)
""",
            ),
        ),
        (f"{KILLS}[rotate always]", f"{CUTS}[rotate always]"),
    ),
    fault(
        "active file not synced before it is sealed",
        "the digest in the next header is of what is on the disk",
        "writer/tip.py",
        """        assert active is not None
        self.sync(active)
        self.disk.mark(active)
        self.active = None""",
        """        assert active is not None
        self.disk.mark(active)
        self.active = None""",
        f"{CUTS}[rotate never]",
    ),
    fault(
        "folder not synced by the first to append to a file that was there",
        "what is acknowledged does not go with a name that a power cut takes back",
        "writer/recover.py",
        """        storage.sync_directory(names.directory)
        place.note_missing(""",
        """        place.note_missing(""",
        "test_append.py::test_always_means_the_name_of_the_file_too",
    ),
    fault(
        "mark written before the sync",
        "the mark says what is on the disk",
        "writer/tip.py",
        """            if fsync == "always":
                self.disk.must_sync(active)
            active.wrote(data, last, us, times)
""",
        """            active.wrote(data, last, us, times)
            if fsync == "always":
                self.disk.synced(active, active.size, active.head)
                self._mark_commit(active)
                self.disk.must_sync(active)
""",
        f"{CUTS}[shared always]",
    ),
    Mutation(
        "mark going back",
        "what was known to be on the disk stays known",
        (
            (
                "writer/lock.py",
                """                synced, head = last.synced, last.hash  # it never goes back
""",
                """                pass
""",
            ),
            (
                "writer/shared.py",
                """        if active.synced < mark.synced:
            active.synced, active.synced_head = mark.synced, mark.hash
""",
                "",
            ),
            (
                "writer/shared.py",
                "            mark.segment != active.segment or mark.failed or mark.synced >= active.synced\n",
                "            mark.segment != active.segment or mark.failed\n",
            ),
        ),
        ("test_shared.py::test_the_mark_never_goes_back",),
    ),
    fault(
        "the system is not asked to sync a file",
        "an acknowledged record survives a power cut",
        "storage.py",
        """    getattr(os, "fdatasync", os.fsync)(fd)
""",
        """    os.fstat(fd)
""",
        "test_storage.py::test_a_sync_asks_the_system_for_one_of_that_very_file",
    ),
    fault(
        "the system is not asked to sync a folder",
        "an acknowledged record survives a power cut, its name too",
        "storage.py",
        """        else:
            os.fsync(fd)
    finally:""",
        """    finally:""",
        "test_storage.py::test_a_sync_of_names_asks_the_system_for_one_of_the_directory",
    ),
    fault(
        "folders above a new log not synced",
        "an acknowledged record survives a power cut, whoever made its folder",
        "writer/recover.py",
        """    storage.sync_above(names.directory)
""",
        "",
        f"{CUTS}[create in folders that are not synced]",
    ),
    fault(
        "a sync in the background vouches for what came while it ran",
        "what a mark says is on the disk",
        "writer/appender.py",
        """        with self._turn.lock:
            if tip.active is not active or tip.disk.failed:""",
        """        size, head = active.size, active.head
        with self._turn.lock:
            if tip.active is not active or tip.disk.failed:""",
        f"{CUTS}[an event while a sync runs]",
    ),
    fault(
        "a next segment that was found not written once more",
        "a file whose sync failed is never synced again",
        "writer/recover.py",
        """        rotate.renew_next(names, mode)
""",
        "",
        "test_recover.py::test_a_next_segment_is_synced_before_it_is_put_in_place",
    ),
    fault(
        "a torn file not synced before it is sealed",
        "a header vouches for what is on the disk",
        "writer/recover.py",
        """                    disk.must_sync(active)
                opening = _seal_as_it_is(""",
        """                    pass
                opening = _seal_as_it_is(""",
        f"{CUTS}[after a kill within a write]",
    ),
    # -- failures
    fault(
        "failed sync tried again",
        "a file whose sync failed is not synced again: the second one says that all is well",
        "writer/durable.py",
        """            except OSError as error:
                self._failure = (active, error)
                return error
            return None
""",
        """            except OSError:
                storage.sync(fd)
            return None
""",
        "test_faults.py::test_a_sync_that_fails_voids_what_it_covered_and_the_file_is_not_synced_again",
    ),
    fault(
        "failed sync forgotten",
        "nothing more goes into a file whose sync failed",
        "writer/durable.py",
        """        self.failed = True
        self.said = self.mark(active)
""",
        """        self.said = self.mark(active)
""",
        "test_faults.py::test_a_sync_that_fails_voids_what_it_covered_and_the_file_is_not_synced_again",
    ),
    fault(
        "failed sync not said in the mark",
        "another process does not build on what a failed sync left",
        "writer/lock.py",
        """            failed=failed,
""",
        """            failed=False,
""",
        "test_shared.py::test_a_sync_that_failed_in_one_is_not_built_upon_by_another",
    ),
    fault(
        "short write not completed",
        "a record is there as a whole",
        "storage.py",
        """    while done < len(data):
        done += os.write(fd, memoryview(data)[done:])
""",
        "",
        "test_append.py::test_a_short_write_is_completed",
    ),
    fault(
        "full disk acknowledged",
        "what could not be written is not acknowledged",
        "writer/tip.py",
        """        except OSError as error:
            raise self.write_failed(error) from error
        try:
            if fsync""",
        """        except OSError as error:
            if error.errno != 28:
                raise self.write_failed(error) from error
        try:
            if fsync""",
        "test_faults.py::test_with_no_space_at_all_every_append_is_told_until_there_is_some",
    ),
    Mutation(
        "error of a commit told to its leader alone",
        "an append that returns has happened",
        (
            (
                "writer/tip.py",
                "            for number, ticket in enumerate(left for left in tickets if not left.whole()):\n",
                "            for number, ticket in enumerate([left for left in tickets if not left.whole()][:1]):\n",
            ),
            (
                "writer/group.py",
                """            if not ticket.whole():
                ticket.fail(KeyboardInterrupt(), self._turn.path)
""",
                "",
            ),
        ),
        ("test_group.py::test_the_error_of_a_commit_reaches_everyone_in_it",),
    ),
    # -- recovery
    fault(
        "torn line gone on from",
        "never are two lines fused",
        "writer/recover.py",
        """            if (mark and mark.failed) or walk.torn or walk.damaged or lost_bytes or unreadable:
""",
        """            if (mark and mark.failed) or walk.damaged or lost_bytes or unreadable:
""",
        f"{CUTS}[recover a piece]",
        "test_recover.py::test_recovery_that_is_itself_torn_again_and_again_loses_nothing",
    ),
    fault(
        "torn line gone on from by a process that shares the log",
        "never are two lines fused",
        "writer/shared.py",
        """    count = end - active.size
    if count <= 0:
        return count == 0
""",
        """    count = end - active.size
    if count <= 0 or storage.read(active.fd, end - 1, 1) != b"\\n":
        return count >= 0
""",
        "test_shared.py::test_what_another_left_half_written_is_sealed_and_gone_on_from",
    ),
    fault(
        "seq used again after recovery",
        "never is a seq used twice",
        "writer/recover.py",
        """    return _known(Active(fd, header, link, mark.synced, mark.purged or header.purged), mark)


def _same_boot""",
        """    link = link._replace(seq=max(header.seq, link.seq - 1))
    return _known(Active(fd, header, link, mark.synced, mark.purged or header.purged), mark)


def _same_boot""",
        "test_append.py::test_the_log_goes_on_where_it_ended",
    ),
    fault(
        "part of a batch counts",
        "a batch is all there or not there at all",
        "scan.py",
        """            self.end, self.last = batch.before.end, batch.before.last
""",
        """            self.end, self.last = self._right_end, self._link
""",
        "test_verify_walk.py::test_a_batch_counts_whole_or_not_at_all",
        f"{KILLS}[append_many always]",
    ),
    fault(
        "next segment with records in it overwritten",
        "no byte once written is written over",
        "writer/rotate.py",
        "    if storage.exists(names.next) and _holds_more(names.next):\n",
        "    if False and _holds_more(names.next):\n",
        "test_rotate.py::test_a_next_segment_with_records_in_it_is_never_written_over",
    ),
    Mutation(
        "sealed segment written over by the next",
        "no byte once written is written over",
        (
            (
                "storage.py",
                """    if exists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.rename(source, target)
""",
                """    os.rename(source, target)
""",
            ),
            ("writer/active.py", "    if newest >= stamp:\n", "    if newest > stamp:\n"),
        ),
        ("test_rotate.py::test_two_seals_within_a_microsecond_get_names_in_order",),
    ),
    fault(
        "clock followed backwards",
        "ts never goes back",
        "writer/chain.py",
        "    if now >= us:\n        ts, us = instants.text(now), now\n    elif",
        "    if now >= 0:\n        ts, us = instants.text(now), now\n    elif",
        "test_rotate.py::test_a_clock_gone_back_does_not_turn_names_or_times_round",
        "test_append.py",
    ),
    # -- several processes
    fault(
        "digest of lines of others, unchecked",
        "the digest is never of bytes read back unchecked",
        "writer/active.py",
        """            if line[-141:] != b'%b","hash":"%b"}\\n' % (last, own):
                return None
""",
        "",
        "test_shared.py::test_a_line_of_another_that_was_changed_on_its_way_is_never_vouched_for",
    ),
    fault(
        "digest of a reopened segment, unchecked",
        "the digest is never of bytes read back unchecked",
        "writer/recover.py",
        """            active = _known(Active(fd, header, walk.last, walk.end, walk.floor), mark)
            if (mark""",
        """            active = _known(Active(fd, header, walk.last, walk.end, walk.floor), mark)
            walk.damage, walk.damaged = [], 0
            if (mark""",
        "test_recover.py::test_no_more_than_16_places_are_listed_and_all_are_counted",
    ),
    fault(
        "lock dropped before the mark is written",
        "whoever commits next knows what is on the disk",
        "writer/shared.py",
        '''        """Leaves the mark of each commit that was synced: another process goes on from there."""
''',
        '''        """Leaves the mark of each commit that was synced: another process goes on from there."""
        self.lock.leave()
''',
        "test_shared.py::test_each_commit_of_a_synced_log_leaves_its_mark",
    ),
    fault(
        "lock dropped before the write is done",
        "two processes never write at once",
        "writer/tip.py",
        """        self.broken = self._handed = True
        try:
            storage.write(active.fd, data)
""",
        """        self.broken = self._handed = True
        if self.lock.shared:
            self.lock.leave()
        try:
            storage.write(active.fd, data)
""",
        "test_shared.py",
        "test_shared_meeting.py",
    ),
    fault(
        "rotation by another not seen",
        "processes that share a log chain on to each other",
        "writer/shared.py",
        "                found = storage.stat(self.names.path)\n",
        "                found = storage.stat(active.fd)\n",
        "test_shared.py::test_two_take_turns_through_rotation",
    ),
    Mutation(
        "purge of others not repeated",
        "every later header says how far the log was purged",
        (
            ("writer/shared.py", "        active.purged(mark.purged)\n", ""),
            ("writer/active.py", "        walk.finish()\n        self.purged(walk.floor)\n", "        walk.finish()\n"),
        ),
        ("test_purge.py::test_another_process_repeats_how_far_without_having_been_told",),
    ),
    fault(
        "lock kept by a forked child",
        "a lock goes with the process that took it",
        "writer/lock.py",
        """        self._waiter = Waiter()
        self._close()
""",
        """        self._waiter = Waiter()
        self._fd = -1
""",
        "test_fork.py::test_a_child_that_lives_on_does_not_keep_the_parents_lock",
    ),
    fault(
        "lock of the parent freed by a forked child",
        "a forked child does not take the lock from its parent",
        "writer/lock.py",
        """        self._waiter = Waiter()
        self._close()
""",
        """        self._waiter = Waiter()
        if self._fd >= 0:
            storage.unlock(self._fd)
        self._close()
""",
        "test_fork.py::test_the_childs_end_does_not_free_the_parents_lock",
    ),
    # -- purge and spill
    fault(
        "purge record not on the disk before the files go",
        "what goes is first a record in the chain",
        "writer/purge.py",
        "due.details(reason), then=partial(active.purged, due.floor))\n",
        'due.details(reason), fsync="never", then=partial(active.purged, due.floor))\n',
        "test_purge.py::test_the_record_is_on_the_disk_before_any_file_goes",
    ),
    fault(
        "files purged before the record says so",
        "what goes is first a record in the chain",
        "writer/purge.py",
        """    if due.segments:
        tip.control(""",
        """    if due.segments:
        _remove(tip.names, due.paths, notes)
        tip.control(""",
        f"{KILLS}[purge]",
        "test_purge.py::test_the_record_is_on_the_disk_before_any_file_goes",
    ),
    fault(
        "held events brought in out of order",
        "held events come into the log in their order",
        "writer/spill.py",
        """            else:
                groups.append([body])
        if groups:
""",
        """            else:
                groups.insert(max(0, len(groups) - 1), [body])
        if groups:
""",
        "test_spill.py::test_many_held_events_come_in_parts_and_in_order",
    ),
    # -- readers
    fault(
        "follow skips to the end behind a rotation",
        "follow neither misses nor repeats a record",
        "reader/follower.py",
        """                self._selection.after = max(self._seq, self._least)
""",
        """                self._selection.after = max(self._seq, self._least)
                newest = segments.all[-1].header
                if self._segment is not None and newest is not None and newest.segment != self._segment.segment:
                    self._selection.after = max(newest.seq, self._selection.after)
""",
        "test_follow.py::test_it_goes_on_across_rotation",
        "test_follow.py::test_beside_a_fast_writer_that_rotates_nothing_is_missed_or_repeated",
    ),
    fault(
        "readers give part of a batch",
        "a batch is all there or not there at all, also for a reader",
        "reader/ends.py",
        "    return _before_open_batch(content, start, stop)\n",
        "    return stop\n",
        "test_follow.py::test_of_a_batch_it_waits_for_the_last_record",
    ),
    fault(
        "readers miss a segment that is sealed while they look",
        "reads during rotation never miss a record",
        "snapshot.py",
        "        if _key(names.path) != self.active.key:",
        "        if not names.path:",
        "test_query_segments.py::test_a_directory_listed_while_segments_are_sealed_leaves_no_gap",
    ),
    fault(
        "tail stops before the oldest segment",
        "tail gives as many as are there",
        "reader/segments.py",
        "        while index <= at < len(self.all):\n",
        "        while index + reverse <= at < len(self.all):\n",
        "test_tail.py::test_tail_is_the_end_of_a_full_scan",
    ),
    fault(
        "bisection off by one",
        "a seq is found wherever it stands",
        "reader/places.py",
        "        elif key(place[1]) < wanted:\n",
        "        elif key(place[1]) <= wanted:\n",
        "test_query.py::test_after_offset_limit_and_reverse_cut_a_part_out_of_all",
    ),
    fault(
        "segments passed over by a wrong bound",
        "since is inclusive",
        "reader/matches.py",
        "        if (since is not None and latest < since)",
        "        if (since is not None and latest <= since)",
        "test_query_segments.py::test_records_of_one_instant_in_two_segments_are_all_found",
    ),
    # -- the verifier
    fault(
        "header believed whose own hash is wrong",
        "headers are believed only where their own hash is right",
        "segment.py",
        ' or record.type_of(line) != "audit.segment" or not record.own_hash_right(line):\n',
        ' or record.type_of(line) != "audit.segment":\n',
        f"{MATRIX}[byte-1]",
    ),
    fault(
        "segments not linked to each other",
        "a segment put in the place of another is found",
        "verifier/judge.py",
        "                chain.link(before, checked, before.tip)\n",
        "                pass\n",
        f"{MATRIX}[line-1]",
    ),
    fault(
        "digests of sealed segments not compared",
        "a changed byte in a sealed segment is found",
        "verifier/sealed.py",
        "    whole = actual == said.blake3\n",
        "    whole = content.size >= said.bytes\n",
        f"{MATRIX}[line-0]",
    ),
    fault(
        "what stands behind a sealed segment's end not looked at",
        "appended junk is found",
        "verifier/sealed.py",
        "    right = whole and _tail(checked, content, said, work)\n",
        "    right = whole\n",
        f"{MATRIX}[file-0]",
    ),
    fault(
        "damage taken for a torn end",
        "a line with LF that does not verify is damage, never torn",
        "lines.py",
        "        self._found |= stop > 0 and (begin == self.start or begin % 512 == 0) and stop % 512 == 0\n",
        "        self._found |= stop > 0\n",
        f"{MATRIX}[byte-2]",
    ),
    fault(
        "own hash of a line not compared",
        "a changed byte is found in its line",
        "scan.py",
        '        if b"".join([line[-150:] for line in lines]) != "".join(ends).encode():\n            return False\n',
        "",
        f"{MATRIX}[byte-2]",
    ),
    fault(
        "missing segment not missed",
        "a segment that is not here is named",
        "verifier/judge.py",
        "        self.findings += chain.missing(kept, start, purged_later=self.not_excused)\n",
        "",
        "test_verify_verdicts.py::test_a_segment_that_is_not_here_is_missed",
    ),
    fault(
        "end before the mark taken for a crash",
        "what was known to be on the disk is neither torn nor gone",
        "verifier/newest.py",
        "    if cut or (walk.torn and walk.torn_at < mark.synced):\n",
        "    if False:\n",
        "test_tampering.py::test_what_was_known_to_be_on_the_disk_is_not_taken_for_torn",
    ),
    # -- what must not be on the disk
    fault(
        "nothing suspected",
        "a secret that tells itself by its form never reaches the disk",
        "redact/encoded.py",
        "    folded = encoded.translate(_FOLDED)\n    return bool(\n",
        "    folded = encoded.translate(_FOLDED)\n    return False and bool(\n",
        "test_intake.py::test_no_way_in_lets_a_secret_through[append]",
    ),
    fault(
        "what is suspicious remembered as innocent",
        "a secret is found each time that it comes",
        "redact/walk.py",
        "        if made == text:\n            self._remember((text,))\n",
        "        self._remember((text,))\n",
        "test_redact_encoded.py::test_what_was_innocent_once_is_known_and_what_was_not_is_found_each_time",
    ),
    fault(
        "events of a log that cannot be opened written as they are",
        "a secret does not reach a spill log either",
        "handlers/unopened.py",
        'redactor = redactor_of(options.get("redact", "default"))',
        "redactor = redactor_of(None)",
        "test_intake.py::test_what_is_held_in_a_spill_log_is_clean_already",
    ),
    fault(
        "reason of a purge written as it is",
        "a secret does not reach the engine's own records",
        "log.py",
        "        reason = self._intake.clean(reason)\n",
        "",
        "test_intake.py::test_no_way_in_lets_a_secret_through[purge]",
    ),
    # -- what is too large for a line
    fault(
        "content of an artifact not synced",
        "a record never refers to an artifact that a power cut took",
        "artifacts/store.py",
        "(SyncError):\n                    storage.sync(fd)\n                    key =",
        "(SyncError):\n                    key =",
        "test_artifacts_power.py::test_a_reference_that_was_given_out_leads_to_a_whole_artifact_whatever_comes[create]",
    ),
    fault(
        "name of an artifact not synced",
        "a record never refers to an artifact that a power cut took",
        "artifacts/store.py",
        "            raise\n        self._sync_folder()\n        self._know(own, key)\n",
        "            raise\n        self._know(own, key)\n",
        "test_artifacts_power.py::test_a_reference_that_was_given_out_leads_to_a_whole_artifact_whatever_comes[create]",
    ),
    fault(
        "references nested deeper than a line may be",
        "every line that the engine writes is lawful",
        "artifacts/fit.py",
        " or depth >= values.MAX_DEPTH:",
        ":",
        "test_artifacts_fit.py::test_a_reference_is_nested_no_deeper_than_a_line_may_be",
    ),
)


# -- the command


@dataclass(frozen=True)
class Outcome:
    """What became of one fault."""

    mutation: Mutation
    noticed: bool
    seconds: float
    what: str


def run(mutation: Mutation | None, tests: tuple[str, ...], folder: Path) -> tuple[int, str]:
    """Copies the project to a folder, plants the fault, if any, and runs the tests: exit status, what was printed."""
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*", "_build"))
        elif source.exists():
            shutil.copy(source, folder / name)
    if mutation is not None:
        plant(mutation, folder)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly"]
    surroundings = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", "CI": "true"}
    # To a file, and in a session of its own that ends with it: what a broken test leaves running keeps a pipe open.
    with (folder / "printed").open("w+", encoding="utf-8") as printed, subprocess.Popen(
        [*command, *(f"tests/{test}" for test in tests)],
        cwd=folder, env=surroundings, stdout=printed, stderr=subprocess.STDOUT, start_new_session=True,
    ) as running:  # fmt: skip
        try:
            status = running.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return -1, f"hangs for more than {PATIENCE} s"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
        printed.seek(0)
        return status, printed.read()


def plant(mutation: Mutation, folder: Path) -> None:
    """Makes the mistake."""
    for file, old, new in mutation.edits:
        path = folder / "jsonl_audit" / file
        text = path.read_text("utf-8")
        assert text.count(old) == 1, f"{mutation.name}: {file} has this {text.count(old)} times:\n{old}"
        path.write_text(text.replace(old, new), "utf-8")


def noticed(mutation: Mutation) -> Outcome:
    """Whether a test fails of the fault: one that cannot be run at all, or was not found, has noticed nothing."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        status, printed = run(mutation, mutation.tests, Path(folder))
    failed = next((line for line in printed.splitlines() if line.startswith("FAILED ")), "")
    what = failed[7:].partition(" - ")[0] if status == 1 else printed.strip().splitlines()[-1] if printed else ""
    return Outcome(mutation, status in (1, -1), time.monotonic() - began, what)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("--only", metavar="NAME", help="those whose name holds this")
    parser.add_argument("-j", type=int, default=1, metavar="N", help="so many at once")
    asked = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if not asked.only or asked.only in mutation.name]
    if not chosen:
        print(f"no fault is named so: {asked.only}", file=sys.stderr)
        return 2
    tests = tuple(dict.fromkeys(test for mutation in chosen for test in mutation.tests))
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        status, printed = run(None, tests, Path(folder))
    if status:
        print(printed[-3000:], "\nthe tests fail without any fault", file=sys.stderr)
        return 2
    missed = 0
    with ThreadPoolExecutor(asked.j) as several:
        for outcome in several.map(noticed, chosen):
            missed += not outcome.noticed
            word = "noticed    " if outcome.noticed else "NOT NOTICED"
            print(f"{word} {outcome.seconds:5.0f} s  {outcome.mutation.name}: {outcome.what}", flush=True)
    print(f"{len(chosen) - missed} of {len(chosen)} faults noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
