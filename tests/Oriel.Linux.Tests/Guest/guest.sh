#!/bin/sh
# As root of a new user, mount and PID namespace: makes a root out of an image and becomes its init.
# guest.sh DIR ROOTFS AGENT   DIR/run is the guest's /run/oriel; DIR/disk holds what the guest writes and is a tmpfs here.
set -e
dir=$1 rootfs=$2 agent=$3
mount -t tmpfs -o mode=0755 tmpfs "$dir/disk"
cd "$dir/disk"
mkdir upper work root
mount -t overlay -o "lowerdir=$rootfs,upperdir=upper,workdir=work,userxattr" overlay root
cd root
mkdir -p usr/lib/oriel .before
cp "$agent" usr/lib/oriel/oriel-agent
mount -t tmpfs -o mode=0755 tmpfs dev
for device in null zero full random urandom tty; do
    : >dev/$device
    mount --bind /dev/$device dev/$device
done
mkdir dev/shm
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=0755 tmpfs run
mkdir run/oriel
mount --bind "$dir/run" run/oriel
hostname before
# /proc, /dev/pts, /dev/shm and /tmp are left to the agent. The kernel shows a new /proc only where an old one is seen whole, so it comes here.
mount -t proc proc proc
pivot_root . .before
exec /bin/sh -c 'umount -l /.before && rmdir /.before && exec env -i ORIEL_AGENT_LISTEN=unix:/run/oriel/agent.sock /usr/lib/oriel/oriel-agent'
