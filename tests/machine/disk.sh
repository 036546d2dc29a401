#!/bin/bash
# Makes the disk of the machine that tests/machine.sh boots: disk.sh WORK ROOT APP IMAGE. By the unprivileged user, who has subordinate ids.
# WORK gets disk, vmlinuz and initrd. ROOT is the clone, APP the built program with its runtime, IMAGE a golden image's directory.
set -euo pipefail

work=$1 root=$2 app=$3 image=$4
here=$root/tests/machine

# As the golden images have them; the host's own mirrors may hold another release.
mirrors() { sed -n 's/^ *"\(deb http[^"]*\)",*$/\1/p' "$root/images/desktop/image.json"; }

# What a server's machine has of packages.txt: all that desktops need.
packages() { awk '/^\[/ { on = ($0 == "[up]"); next } on && NF && !/^#/' "$root/packages.txt"; }

# Ids of the machine's user oriel. All of the disk is written in one user namespace of 65536 ids, so these lie within them; the image has none above 1000.
service_id=900 first_subid=30000

base() {
    local lines
    mapfile -t lines < <(mirrors)
    # shellcheck disable=SC2016
    TMPDIR=$work/tmp mmdebstrap --quiet --mode=unshare --variant=minbase --format=tar \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"; echo MODULES=list >"$1/etc/initramfs-tools/conf.d/machine"; printf "%s\n" virtio_pci virtio_blk ext4 >"$1/etc/initramfs-tools/modules"' \
        --include="$(paste -sd, < <(packages; printf '%s\n' systemd-sysv libpam-systemd dbus-user-session udev linux-image-cloud-amd64 initramfs-tools kmod sudo))" \
        trixie "$work/base.tar" "${lines[@]}"
}

# In the namespace, as its root.
fill() {
    local tree=$work/tree name
    mkdir "$tree"
    tar --extract --numeric-owner --file "$work/base.tar" --directory "$tree" --exclude='./dev/*'
    cp -r --no-preserve=ownership "$here/files/." "$tree/"
    chmod 755 "$tree"/usr/local/bin/*
    mkdir -p "$tree"/etc/systemd/system/{sockets,multi-user}.target.wants
    echo machine >"$tree/etc/hostname"
    for name in machine-shell.socket machine-http.socket; do
        ln -s "/etc/systemd/system/$name" "$tree/etc/systemd/system/sockets.target.wants/$name"
    done
    for name in systemd-networkd systemd-networkd-wait-online; do
        ln -s "/usr/lib/systemd/system/$name.service" "$tree/etc/systemd/system/multi-user.target.wants/"
    done
    ln -s /etc/systemd/system/machine-up.service "$tree/etc/systemd/system/multi-user.target.wants/"
    chroot "$tree" useradd --system --uid "$service_id" --user-group --create-home --home-dir /var/lib/oriel --shell /usr/sbin/nologin oriel
    echo "oriel:$first_subid:65536" | tee "$tree/etc/subgid" >"$tree/etc/subuid"
    chroot "$tree" useradd --create-home --shell /bin/bash ann

    # The clone as ./oriel needs it, and a built program to install.
    mkdir -p "$tree/usr/src/oriel" "$tree/srv/app"
    tar --create --directory "$root" --exclude=web/node_modules --exclude=web/dist --owner=0 --group=0 \
        oriel options.txt packages.txt script src images web global.json Directory.Build.props Directory.Packages.props |
        tar --extract --directory "$tree/usr/src/oriel"
    # Nothing is built there.
    sed -i '/^\[build\]/,/^$/d' "$tree/usr/src/oriel/packages.txt"
    tar --create --directory "$app" --owner=0 --group=0 . | tar --extract --directory "$tree/srv/app"
    name=$(basename "$image")
    mkdir -p "$tree/var/lib/oriel/images/$name"
    tar --create --numeric-owner --directory "$image" --owner-map=<(ids oriel) --group-map=<(ids oriel) --exclude=./disks . |
        tar --extract --numeric-owner --directory "$tree/var/lib/oriel/images/$name"
    chown "$service_id:$service_id" "$tree/var/lib/oriel/images"
    cp -L "$tree"/boot/vmlinuz-* "$work/vmlinuz"
    cp -L "$tree"/boot/initrd.img-* "$work/initrd"
    truncate --size=10G "$work/disk"
    mke2fs -q -t ext4 -E lazy_itable_init=1,root_owner=0:0 -d "$tree" "$work/disk"
    find "$tree" -mindepth 1 -delete
}

# The owners of the image's files as another user's: its root is that user, its n-th id the n-1st subordinate one.
ids() {
    local id
    echo "+0 $1:$service_id"
    for id in $(find "$image/rootfs" -printf '%U\n%G\n' | sort -un); do
        [ "$id" = 0 ] || echo "+$id s$id:$((first_subid + id - 1))"
    done
}

case ${5:-} in
    fill) fill ;;
    *)
        mkdir -p "$work/tmp"
        [ -f "$work/base.tar" ] || base
        exec unshare --map-root-user --map-auto --mount --propagation private "$0" "$work" "$root" "$app" "$image" fill
        ;;
esac
