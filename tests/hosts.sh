#!/bin/bash
# Machines as people have them, made here and thrown away; run by ./oriel test hosts: hosts.sh RESULT SCRATCH DATA DOTNET [NAME...]
# Each is a bare Debian of its own root file system, with what README names and nothing more, in mount, pid, ipc, uts and cgroup namespaces of its own;
# cgroup2 is at /sys/fs/cgroup, as systemd mounts it. host-life.sh lives in it through what README says. DATA holds the application and the image's base
# that this run has built: a machine of this host's release is given them, any other builds them itself. The outcome goes to RESULT (CTRF).
# With names: these tests, and what they stand on.
set -uo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
result=$1
scratch=$2
data=$3
dotnet=$4
shift 4
machines=$scratch/hosts
place=$machines/outcome
mkdir -p "$machines/share" "$place"
: >"$place/results"

# RELEASE-USER; the other two combinations by ORIEL_ALL_HOSTS=1, or those that ORIEL_HOSTS names.
wanted=(trixie-user bookworm-root)
[ "${ORIEL_ALL_HOSTS-}" != 1 ] || wanted+=(trixie-root bookworm-user)
[ -z "${ORIEL_HOSTS-}" ] || read -ra wanted <<<"$ORIEL_HOSTS"

# shellcheck source=tests/shell.sh
. "$root/tests/shell.sh"

# record NAME CODE MILLISECONDS FILE: a test's outcome, and its last words.
record() {
    tail -c 6000 "$4" >"$place/$1"
    printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$place/results"
}

# What a machine of this network needs to be told: proxies and certificates.
environment() {
    local name
    for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY SSL_CERT_FILE NODE_EXTRA_CA_CERTS NUGET_CERT_REVOCATION_MODE; do
        [ -z "${!name+x}" ] || printf '%s=%s\n' "$name" "${!name}"
    done
}

# make_machine RELEASE FOLDER: its root file system, from the mirrors that the image's recipe names.
make_machine() {
    local release=$1 folder=$2 mirrors=() line
    while read -r line; do
        mirrors+=("$line")
    done < <(sed -nE "s/.*\"(deb [^\"]*)\".*/\1/p" "$root/images/desktop/image.json" | sed "s/trixie/$release/")
    mmdebstrap --mode=root --variant=minbase --include=ca-certificates,git,sudo,adduser,curl,jq --dpkgopt=force-unsafe-io \
        --aptopt='Acquire::Languages "none"' "$release" "$folder" "${mirrors[@]}" || return
    cp /usr/local/share/ca-certificates/*.crt "$folder/usr/local/share/ca-certificates/" 2>/dev/null || :
    chroot "$folder" update-ca-certificates >/dev/null || return
    environment >>"$folder/etc/environment"
    mkdir -p "$folder/opt/dotnet" "$folder/usr/local/lib/node_modules/npm" "$folder/srv/share"
    cp "$(readlink -f "$(command -v node)")" "$folder/usr/local/bin/node"
    ln -s ../lib/node_modules/npm/bin/npm-cli.js "$folder/usr/local/bin/npm"
    ln -s /opt/dotnet/dotnet "$folder/usr/local/bin/dotnet"
    rm -f "$folder/etc/resolv.conf"
    cat /etc/resolv.conf >"$folder/etc/resolv.conf"
    printf '127.0.0.1 localhost bare\n' | cat - /etc/hosts >"$folder/etc/hosts"
    chroot "$folder" useradd --create-home --shell /bin/bash ann
    chroot "$folder" useradd --create-home --shell /bin/bash eve
    echo 'ann ALL=(ALL) NOPASSWD: ALL' >"$folder/etc/sudoers.d/ann"
}

# run_machine FOLDER COMMAND...: in namespaces of its own, with a cgroup of its own as their root; everything ends with the command.
run_machine() {
    local folder=$1 groups group code=0
    shift
    groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    if [ -z "$groups" ]; then
        groups=$scratch/cgroup
        mkdir -p "$groups" && mount -t cgroup2 cgroup2 "$groups" || return
    fi
    group=$groups/oriel-host-$$
    mkdir "$group" || return
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        exec unshare --mount --pid --ipc --uts --cgroup --fork --kill-child --propagation private bash "$root/tests/host-boot.sh" "$folder" "$machines/share" "$dotnet" "$@"
    ) || code=$?
    # The last of its processes may still be ending.
    until [ "$(grep -c 'populated 0' "$group/cgroup.events")" = 1 ]; do read -rt 0.05 _ <> <(:) || :; done
    find "$group" -depth -type d -exec rmdir {} +
    return "$code"
}

seed() {
    local release
    release=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    mkdir -p "$machines/share/app" "$machines/share/cache"
    echo "$release" >"$machines/share/release"
    cp -al "$data"/app/????????????????/ "$machines/share/app/" 2>/dev/null || cp -a "$data"/app/????????????????/ "$machines/share/app/"
    cp "$data"/cache/base-*.tar "$machines/share/cache/"
    bundle_clone
    cp "$root"/tests/{host-life,shell}.sh "$machines/share/"
    chmod -R go=rX "$machines/share"
}

# What a fresh clone is made from; with what is not committed yet, so that it can be tried.
bundle_clone() {
    local commit bare=$machines/bare.git
    commit=$(git -C "$root" stash create)
    git init --quiet --bare --initial-branch=main "$bare"
    git -C "$root" push --quiet "$bare" "${commit:-HEAD}:refs/heads/main"
    git -C "$bare" bundle create --quiet "$machines/share/oriel.bundle" HEAD main
}

if [ "$(id -u)" != 0 ]; then
    echo "only root makes machines (mount namespaces with devices)" >"$machines/reason"
    for name in "${wanted[@]}"; do
        record "$name" 77 0 "$machines/reason"
    done
    write_result hosts.sh
    exit 0
fi

clean_up() {
    rm -rf --one-file-system "$machines"
    [ ! -d "$scratch/cgroup" ] || umount "$scratch/cgroup"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

seed
failed=0
for name in "${wanted[@]}"; do
    release=${name%-*} kind=${name#*-}
    folder=$machines/$name
    began=$SECONDS code=0
    make_machine "$release" "$folder" >"$machines/$name.log" 2>&1 || code=$?
    record "${name}_made" "$code" "$(((SECONDS - began) * 1000))" "$machines/$name.log"
    if [ "$code" != 0 ]; then
        failed=1
        continue
    fi
    mkdir -p "$machines/share/results/$name"
    chmod 1777 "$machines/share/results/$name"
    run_machine "$folder" bash /srv/share/host-life.sh "$release" "$kind" "/srv/share/results/$name" "$@" || failed=1
    while IFS=$'\t' read -r test code duration; do
        record "${name}_$test" "$code" "$duration" "$machines/share/results/$name/$test"
        [ "$code" = 0 ] || [ "$code" = 77 ] || failed=1
        printf '%-70s %4d s\n' "${name}_$test" "$((duration / 1000))"
    done <"$machines/share/results/$name/results"
    rm -rf --one-file-system "$folder"
done
write_result hosts.sh
exit "$failed"
