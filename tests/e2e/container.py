"""Runs a program as a container runtime does: with the files of an image, mounts, a user and capabilities. The namespaces are
the caller's: unshare(1) makes them. Usage:
    container.py ROOT UID[:GROUP] CAPABILITIES [SOURCE:TARGET:ro|rw]... -- PROGRAM [ARGUMENT]...
ROOT is an empty directory, and PROGRAM the only file of the image, at the same path as in the real one. The process is also
in GROUP. CAPABILITIES is a list of names with commas, as in a manifest; it may be empty."""

import ctypes
import os
import shutil
import subprocess
import sys

NUMBERS = {"DAC_READ_SEARCH": 2, "NET_ADMIN": 12, "SYS_PTRACE": 19, "SYS_NICE": 23}
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38

libc = ctypes.CDLL(None, use_errno=True)


def prctl(option, value):
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


root, user, capabilities = sys.argv[1:4]
uid, _, group = user.partition(":")
mounts, command = sys.argv[4:], sys.argv[sys.argv.index("--") + 1 :]
mounts = mounts[: mounts.index("--")]

mount("-t", "tmpfs", "tmpfs", root)
program = root + "/usr/bin/procline"
os.makedirs(os.path.dirname(program))
shutil.copy(command[0], program)
os.mkdir(root + "/proc")
mount("-t", "proc", "proc", root + "/proc")
for entry in mounts:
    source, target, mode = entry.split(":")
    os.makedirs(root + target)
    mount("--rbind", source, root + target)
    if mode == "ro":
        mount("-o", "remount,bind,ro", root + target)
mount("-o", "remount,bind,ro", root)
os.chroot(root)
os.chdir("/")

kept = [NUMBERS[name] for name in capabilities.split(",") if name]
with open("/proc/sys/kernel/cap_last_cap") as file:
    last = int(file.read())
for number in range(last + 1):
    if number not in kept:
        prctl(PR_CAPBSET_DROP, number)
prctl(PR_SET_NO_NEW_PRIVS, 1)
os.setgroups([int(group)] if group else [])
os.setresgid(int(uid), int(uid), int(uid))
# A user other than root loses all capabilities here.
os.setresuid(int(uid), int(uid), int(uid))
os.execv("/usr/bin/procline", ["/usr/bin/procline", *command[1:]])
