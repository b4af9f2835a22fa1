# Boots the machine's own systemd in new namespaces, over a copy-on-write view of the root file system. Units run for
# real in it, and leave nothing behind. Usage: boot.sh FOLDER. The content of FOLDER is at /srv. The exit code is 77 if
# this machine cannot do it.
set -eu
cannot() { echo "$1" >&2; exit 77; }

if [ "${2-}" = '' ]; then
    # A control group for systemd to manage. This shell leaves it again, and removes it at the end.
    own=$(sed -n 's/^0:://p' /proc/self/cgroup)
    [ -n "$own" ] || cannot 'no control groups of version 2'
    groups=$(mktemp -d)
    mount --make-rprivate / 2>/dev/null && mount -t cgroup2 cgroup2 "$groups" || cannot 'cannot mount'
    group="$groups$own/procline-test-$$"
    mkdir "$group" 2>/dev/null || cannot 'cannot make a control group'
    root=$(mktemp -d)
    sh -c 'echo $$ >"$0/cgroup.procs" && exec unshare --fork --kill-child --pid --mount --uts --ipc --net --cgroup sh "$@"' \
        "$group" "$0" "$1" "$root" || status=$?
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    umount "$groups"
    rmdir "$groups" "$root"
    exit "${status-0}"
fi

root=$2
mount --make-rprivate /
mount -t tmpfs tmpfs "$root"
mkdir "$root/upper" "$root/work" "$root/root"
mount -t overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" overlay "$root/root" || cannot 'no overlayfs'
cd "$root/root"

mount -t proc proc proc
# The kernel's settings are shared with the machine.
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs dev
mkdir dev/pts dev/shm
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/full c 1 7
mknod -m 666 dev/random c 1 8
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/tty c 5 0
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd

# Starts none of the machine's own services, only the default dependencies of a unit, and the journal.
rm -rf etc/systemd/system usr/lib/systemd/system/*.wants usr/lib/systemd/system/*.requires
rm -rf usr/lib/systemd/system-generators etc/systemd/system-generators
mkdir etc/systemd/system
# This socket would make journald switch on the kernel's auditing.
ln -s /dev/null etc/systemd/system/systemd-journald-audit.socket
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nWants=systemd-journald.service\n' >etc/systemd/system/test.target

# Nothing of procline is installed.
rm -rf var/log/procline* usr/bin/procline usr/lib/systemd/system/procline* usr/lib/sysusers.d/procline.conf etc/cron.d/procline*
# This file tells a test that it is inside, and not on the machine.
touch run/procline-test
rm -rf srv
cp -r "$1" srv
chmod 755 srv
# chroot is not enough: a unit with mounts of its own needs / to be the root of the mount namespace.
pivot_root . mnt
cd /
umount -l /mnt
exec env -i container=procline-test PATH="$PATH" /lib/systemd/systemd --unit=test.target --show-status=no
