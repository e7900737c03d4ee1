"""What a path is mounted from: the kind of file system, its options, and whether what lies there stays."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass

from jsonl_audit import storage

__all__ = ["LOCAL", "MEMORY", "NETWORK", "Mount", "free_names", "mount_of", "mounts"]

MEMORY = frozenset(("tmpfs", "ramfs", "devtmpfs", "hugetlbfs", "rootfs"))
"""What is gone with the power."""
LAYERED = frozenset(("overlay", "overlayfs", "aufs", "unionfs", "fuse-overlayfs", "fuse.fuse-overlayfs"))
"""What a container's own files lie on: gone with the container."""
NETWORK = frozenset(
    (
        "nfs", "nfs3", "nfs4", "cifs", "smb3", "smbfs", "smb2", "9p", "afs", "ceph", "lustre", "glusterfs", "gfs2",
        "ocfs2", "afpfs", "webdav", "davfs", "ncpfs", "coda", "beegfs",
    )
)  # fmt: skip
PLAIN = frozenset(("vfat", "msdos", "msdosfs", "exfat", "fat"))
"""What knows no owners and no permissions."""
LOCAL = frozenset(
    (
        "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "reiserfs", "reiser4", "bcachefs", "nilfs2",
        "apfs", "hfs", "hfsplus", "ufs", "ffs", "ntfs", "ntfs3",
    )
)  # fmt: skip
"""What lies on a disk of this machine, and stays."""
MOUNTINFO = "/proc/self/mountinfo"
_OCTAL = re.compile(r"\\([0-7]{3})")
_BSD = re.compile(r"(?P<device>.+?) on (?P<point>/.*) \((?P<type>[^,)]+)(?:, )?(?P<options>[^)]*)\)")


@dataclass(frozen=True, slots=True)
class Mount:
    """What is mounted at one place."""

    point: str
    type: str
    device: str
    options: frozenset[str]

    @property
    def in_memory(self) -> bool:
        """Whether it is gone with the power."""
        return self.type in MEMORY

    @property
    def layered(self) -> bool:
        """Whether it is a container's own layer."""
        return self.type in LAYERED

    @property
    def remote(self) -> bool:
        """Whether it is another machine's, or in the hands of a program."""
        return self.type in NETWORK or (self.type.startswith("fuse") and not self.layered) or self.type in (
            "virtiofs", "vboxsf", "drvfs", "vmhgfs", "prl_fs",
        )  # fmt: skip

    @property
    def lasting(self) -> bool:
        """Whether it is a disk of this machine, and can be written to."""
        return self.type in LOCAL and "ro" not in self.options

    def option(self, name: str) -> str | None:
        """The value of the option ``name=value``."""
        return next((each.partition("=")[2] for each in self.options if each.startswith(f"{name}=")), None)


def mounts() -> list[Mount]:
    """What is mounted, in the order of mounting; empty where that cannot be told."""
    if sys.platform == "linux":
        try:
            with storage.reading(MOUNTINFO) as fd:
                return _from_mountinfo(_all_of(fd).decode("utf-8", "surrogateescape"))
        except OSError:
            return []
    try:
        said = subprocess.run(["/sbin/mount"], capture_output=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):  # Windows, or a sandbox
        return []
    return _from_words(said.stdout.decode("utf-8", "surrogateescape"))


def mount_of(path: str, known: list[Mount] | None = None) -> Mount | None:
    """What an absolute path without symlinks is mounted from; None where that cannot be told."""
    found = None
    for mount in mounts() if known is None else known:
        if is_below(path, mount.point) and (found is None or len(mount.point) >= len(found.point)):
            found = mount  # the later of two at one place covers the other
    return found


def is_below(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or in it.

    >>> is_below("/var/log", "/var"), is_below("/variety", "/var"), is_below("/a", "/")
    (True, False, True)
    """
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def free_names(path: str) -> int | None:
    """How many files may still be made on the disk of a folder; None where there is no such limit."""
    if not hasattr(os, "statvfs"):
        return None
    found = os.statvfs(path)
    return found.f_favail if found.f_files else None


def _all_of(fd: int) -> bytes:
    parts, at = [], 0
    while data := storage.read(fd, at, 1 << 16):
        parts.append(data)
        at += len(data)
    return b"".join(parts)


def _from_mountinfo(text: str) -> list[Mount]:
    """Mounts from the lines of /proc/self/mountinfo.

    >>> line = "27 1 254:0 / /my\\\\040disk rw,relatime shared:1 - ext4 /dev/vda rw,data=ordered"
    >>> found, = _from_mountinfo(line)
    >>> found.point, found.type, found.device, sorted(found.options)
    ('/my disk', 'ext4', '/dev/vda', ['data=ordered', 'relatime', 'rw'])
    """
    found = []
    for line in text.split("\n"):
        own, dash, rest = line.partition(" - ")
        fields, behind = own.split(" "), rest.split(" ")
        if dash and len(fields) > 5 and len(behind) > 2:
            options = set(fields[5].split(",")) | set(behind[2].split(","))
            if "ro" in options:  # of the mount or of what is below it: either is enough
                options.discard("rw")
            found.append(Mount(_plain(fields[4]), behind[0], _plain(behind[1]), frozenset(options)))
    return found


def _from_words(text: str) -> list[Mount]:
    """Mounts from what `mount` prints on macOS and the BSDs.

    >>> found, = _from_words("/dev/disk3s1 on /System/Volumes/Data (apfs, local, read-only, journaled)")
    >>> found.point, found.type, "ro" in found.options
    ('/System/Volumes/Data', 'apfs', True)
    """
    found = []
    for line in text.split("\n"):
        said = _BSD.fullmatch(line)
        if said is not None:
            options = {{"read-only": "ro"}.get(option, option) for option in said["options"].split(", ")}
            found.append(Mount(said["point"], said["type"], said["device"], frozenset(options)))
    return found


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)
