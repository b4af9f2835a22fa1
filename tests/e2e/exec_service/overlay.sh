# A copy-on-write view of the root file system, in the machine's own PID and network namespaces: the kernel sends process events
# nowhere else. Usage: overlay.sh FOLDER [systemd], in a mount namespace. The content of FOLDER/files is at /srv. What runs in the
# control group that /run/group names ends with the standard input, and nothing is left behind. The exit code is 77 if this machine
# cannot do it.
# With `systemd`, the machine's own systemd runs in it. It cannot be the system's manager there, but a user's, here root's: with
# XDG_CONFIG_HOME=/var, its directories for logs are those of the system.
set -eu
cannot() { echo "$1" >&2; exit 77; }

own=$(sed -n 's/^0:://p' /proc/self/cgroup)
[ -n "$own" ] || cannot 'no control groups of version 2'
root=$1/root
mkdir "$root"
mount --make-rprivate / 2>/dev/null || cannot 'cannot mount'
mount -t tmpfs tmpfs "$root"
mkdir "$root/upper" "$root/work" "$root/root"
mount -t overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" overlay "$root/root" || cannot 'no overlayfs'
cd "$root/root"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --rbind /dev dev
# Nothing of procline is installed, and nothing of the machine's runs.
rm -rf var/log/procline* usr/bin/procline etc/init.d/procline* var/systemd
rm -rf etc/systemd/user usr/lib/systemd/user/*.wants usr/lib/systemd/user-*generators
rm -rf srv
cp -r "$1/files" srv
chmod 755 srv
pivot_root . mnt
cd /
umount -l /mnt

group=/sys/fs/cgroup$own/procline-test-$$
mkdir "$group" || cannot 'cannot make a control group'
# What a shell starts in the background has no input of the shell's.
exec 3<&0
# If this shell is killed, the one that waits for the end of the input still cleans up.
{
    read -r _ || true
    echo 1 >"$group/cgroup.kill"
    for _ in $(seq 300); do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.1
    done
} <&3 &
# A process that enters looks for this file, so as not to act on the machine itself.
echo "$group" >/run/group
if [ "${2-}" = systemd ]; then
    # What the system's manager makes, and this one expects. A service of another user must reach its socket, which is not in
    # /run/user: ProtectHome= hides that.
    mkdir -p /run/systemd/system /run/systemd/inaccessible/dir /run/manager /var/systemd/user
    touch /run/systemd/inaccessible/reg
    mkfifo /run/systemd/inaccessible/fifo
    mknod /run/systemd/inaccessible/chr c 0 0
    chmod 755 /run /run/manager
    printf '[Unit]\nDescription=nothing\n' >/var/systemd/user/test.target
    sh -c 'echo $$ >"$0/cgroup.procs" && exec env -i PATH="$PATH" HOME=/root LC_ALL=C XDG_RUNTIME_DIR=/run/manager \
        XDG_CONFIG_HOME=/var /lib/systemd/systemd --user --unit=test.target' "$group" </dev/null &
fi
wait
