# ./oriel doctor before the program has been built: what a shell alone can find out; sourced by ../oriel.
# shellcheck shell=bash disable=SC2154

found=()

# finding OUTCOME NAME SEEN [MEND]
finding() { found+=("$1"$'\t'"$2"$'\t'"$3"$'\t'"${4-}"); }

look_at_tools() {
    local version
    if ! command -v dotnet >/dev/null; then
        finding fail ".NET SDK" "not installed" "install the .NET SDK 10: https://dotnet.microsoft.com/download"
    elif version=$(cd "$root" && dotnet --version 2>&1); then
        finding ok ".NET SDK" "$version"
    else
        finding fail ".NET SDK" "$(grep -m1 . <<<"$version" || echo "it does not run")" "install the .NET SDK 10: https://dotnet.microsoft.com/download"
    fi
    version=$(node --version 2>/dev/null || :)
    version=${version#v}
    if [ "${version%%.*}" -ge 20 ] 2>/dev/null; then
        finding ok Node.js "$version"
    else
        finding fail Node.js "${version:-not installed}" "install Node.js 20 or newer: https://nodejs.org"
    fi
    if command -v npm >/dev/null; then finding ok npm "there"; else finding fail npm "not installed" "it comes with Node.js from https://nodejs.org (Debian's package: npm)"; fi
}

look_at_packages() {
    find_missing_packages up build
    if ! command -v apt-get >/dev/null; then
        finding warn "Debian packages" "this is not a Debian system" "install what packages.txt lists by hand"
    elif [ "${#missing[@]}" = 0 ]; then
        finding ok "Debian packages" "all there"
    elif is_root || command -v sudo >/dev/null; then
        finding warn "Debian packages" "missing: ${missing[*]}" "./oriel up installs them"
    else
        finding fail "Debian packages" "missing: ${missing[*]}" "there is no sudo here; ask the administrator to run: apt-get install --no-install-recommends ${missing[*]}"
    fi
    if [ "${#missing[@]}" = 0 ]; then
        return
    fi
    if reach_debian; then finding ok network "Debian's package server answers"; else finding fail network "$network_problem" "connect this machine to the network, or set http_proxy and apt's proxy"; fi
}

look_at_kernel() {
    local first mount
    if is_root || unshare --user --map-root-user true 2>/dev/null; then
        finding ok "user namespaces" "can be made"
    elif [ "$(cat /proc/sys/kernel/unprivileged_userns_clone 2>/dev/null)" = 0 ]; then
        finding fail "user namespaces" "switched off for ordinary users" "sudo sysctl -w kernel.unprivileged_userns_clone=1 (and in /etc/sysctl.d)"
    else
        finding fail "user namespaces" "they cannot be made" "inside a container, its seccomp profile must allow unshare; else see user.max_user_namespaces"
    fi
    if is_root; then
        finding ok "subordinate ids" "given to the user $service_user by ./oriel up"
    elif has_subids; then
        finding ok "subordinate ids" "$(grep "^$(id -un):" /etc/subuid | head -n 1)"
    else
        first=$(free_range)
        finding fail "subordinate ids" "user $(id -un) has none" "sudo usermod --add-subuids $first-$((first + 65535)) --add-subgids $first-$((first + 65535)) $(id -un)"
    fi
    mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    if [ -n "$mount" ]; then finding ok "cgroup v2" "$mount"; else finding warn "cgroup v2" "not mounted" "desktops cannot be paused or limited without it: mount -t cgroup2 cgroup2 /sys/fs/cgroup"; fi
    if [ ! -e /dev/kvm ]; then
        finding warn KVM "there is no /dev/kvm" "desktops run as containers. For virtual machines, switch virtualisation on in the firmware, or nested virtualisation at the host above"
    else
        finding ok KVM "/dev/kvm is there; whether it works is tried once Oriel is built"
    fi
}

look_at_room() {
    local place=$data mib problem
    if problem=$(check_data 2>&1); then
        finding ok "data directory" "$data"
    else
        problem=${problem#oriel: }
        finding fail "data directory" "${problem%%: *}" "${problem#*: }"
    fi
    while [ ! -e "$place" ]; do
        place=$(dirname "$place")
    done
    mib=$(df --output=avail -B1M "$place" | tail -n 1)
    if [ "$mib" -ge 6500 ]; then finding ok disk "$(in_gib "$mib") GiB free for $data"; else finding fail disk "$(in_gib "$mib") GiB free for $data" "the first start needs 6.5 GiB: make room, or take --data DIR on another disk"; fi
    mib=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
    if [ "$mib" -ge 2048 ]; then finding ok memory "$(in_gib "$mib") GiB available"; else finding warn memory "$(in_gib "$mib") GiB available" "a desktop takes about 0.7 GiB, building about 1.5 GiB"; fi
    finding warn program "not built yet" "./oriel up builds it and starts it; ./oriel doctor tries more then"
}

in_json() { sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/[[:cntrl:]]/ /g' <<<"$1"; }

bare_doctor() {
    local line outcome name seen mend separator='' code=0
    look_at_tools
    look_at_packages
    look_at_kernel
    look_at_room
    [ "${option[--json]-}" != yes ] || printf '['
    for line in "${found[@]}"; do
        outcome=${line%%$'\t'*} line=${line#*$'\t'}
        name=${line%%$'\t'*} line=${line#*$'\t'}
        seen=${line%%$'\t'*} mend=${line#*$'\t'}
        [ "$outcome" != fail ] || code=1
        if [ "${option[--json]-}" = yes ]; then
            printf '%s\n  { "name": "%s", "outcome": "%s", "seen": "%s", "mend": %s }' "$separator" "$(in_json "$name")" "$outcome" "$(in_json "$seen")" "$([ -n "$mend" ] && printf '"%s"' "$(in_json "$mend")" || echo null)"
            separator=,
        else
            printf '%-4s  %-16s  %s\n' "$outcome" "$name" "$seen"
            [ -z "$mend" ] || printf '                        → %s\n' "$mend"
        fi
    done
    [ "${option[--json]-}" != yes ] || printf '\n]\n'
    return "$code"
}
