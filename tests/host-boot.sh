#!/bin/bash
# The first process of a machine that hosts.sh makes: host-boot.sh FOLDER SHARE DOTNET COMMAND...
# Mounts what a Debian with systemd has, makes FOLDER the root file system, and runs COMMAND in it. SHARE is at /srv/share, DOTNET (an SDK) at /opt/dotnet.
set -euo pipefail

folder=$1
share=$2
dotnet=$3
shift 3

mount --bind "$folder" "$folder"
cd "$folder"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o nosuid,mode=755 dev dev
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
    read -r name major minor <<<"$node"
    mknod -m 666 "dev/$name" c "$major" "$minor"
done
mkdir dev/pts dev/shm dev/net
mknod -m 666 dev/net/tun c 10 200
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s fd/0 dev/stdin
ln -s fd/1 dev/stdout
ln -s fd/2 dev/stderr
mount -t tmpfs -o nosuid,nodev,mode=755 run run
mount --bind "$dotnet" opt/dotnet
mount -o remount,bind,ro opt/dotnet
mount --bind "$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")" usr/local/lib/node_modules/npm
mount --bind "$share" srv/share
hostname bare
pivot_root . mnt
cd /
umount -l /mnt
# Where this was started in the background, Ctrl-C would be ignored in all of the machine.
exec chroot . env -i --default-signal=INT,QUIT PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb "$@" </dev/null
