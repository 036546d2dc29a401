# The ring "machine": a whole Debian 13 with systemd, emulated, with the program and the image copied into it; sourced by ../run.sh.
# shellcheck shell=bash disable=SC2154

# machine_disk: everything that the disk is made of, for the service user, who may not be able to read the clone.
machine_disk() {
    as_service mkdir -p "$machine/tmp"
    hand_over "$machine/source" -C "$root" --exclude=web/node_modules --exclude=web/dist \
        oriel options.txt packages.txt script src images web tests/machine global.json Directory.Build.props Directory.Packages.props
    hand_over "$machine/app" "${with_runtime[@]}" -C "$app" . -C "$dotnet_root" dotnet host shared
    as_service sh -c "echo $dotnet_version >'$machine/app/sdk-version'"
    as_service "$machine/source/tests/machine/disk.sh" "$machine" "$machine/source" "$machine/app" "$image"
}

machine_boot() {
    unprivileged qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 5120 -nodefaults -no-user-config -display none \
        -kernel "$machine/vmlinuz" -initrd "$machine/initrd" -append "root=/dev/vda rw console=ttyS0 quiet" \
        -drive "file=$machine/disk,format=raw,if=virtio,cache=unsafe" -device virtio-rng-pci -serial "file:$machine/console" \
        -netdev "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:$1-:2222,hostfwd=tcp:127.0.0.1:$2-:4080" -device virtio-net-pci,netdev=net,romfile= \
        </dev/null >"$results/machine-qemu.log" 2>&1 &
    machine_pid=$!
}

machine_end() {
    [ -z "${machine_pid:-}" ] || kill "$machine_pid" 2>/dev/null || :
    machine_pid=
}

run_machine() {
    local code=0 ports arguments machine=$data/machine
    say ""
    say "== machine"
    step "machine's disk" machine_disk
    read -ra ports < <(free_ports 2)
    as_service touch "$machine/console"
    machine_boot "${ports[@]}"
    mapfile -t arguments < <(printf '%s\n' "$results/machine.json" "$machine_pid" "$machine/console" "${ports[@]}" && chosen_names machine)
    CLIENT_SECONDS=1800 timeout --kill-after=30 60m "$root/tests/machine.sh" "${arguments[@]}" >"$results/machine.log" 2>&1 || code=$?
    machine_end
    report_ring machine "$code"
}
