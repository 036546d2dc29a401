# What the machine must have, checked before anything is changed, and then made; sourced by ../oriel.
# shellcheck shell=bash disable=SC2154

# --- tools --------------------------------------------------------------------------------------------------------

require_dotnet() {
    local said
    command -v dotnet >/dev/null || die "the .NET SDK 10 is missing: https://dotnet.microsoft.com/download (or Debian packages from Microsoft), then again"
    dotnet_root=$(dirname "$(readlink -f "$(command -v dotnet)")")
    dotnet_version=$(cd "$root" && dotnet --version 2>&1) || {
        said=$(grep -m1 . <<<"$dotnet_version" || :)
        case $said in *"compatible .NET SDK"* | *global.json*) said="none that is 10 or newer is installed" ;; esac
        die "the .NET SDK does not run ($said): install the .NET SDK 10 anew from https://dotnet.microsoft.com/download"
    }
}

require_tools() {
    local version
    require_dotnet
    command -v node >/dev/null || die "Node.js 20 or newer is missing: https://nodejs.org"
    version=$(node --version) || die "Node.js does not work: node --version ended with $?"
    version=${version#v}
    [ "${version%%.*}" -ge 20 ] 2>/dev/null || die "Node.js must be 20 or newer; found: $version. Get it from https://nodejs.org"
    command -v npm >/dev/null || die "npm is missing: it comes with Node.js from https://nodejs.org (Debian has it as the package npm)"
}

# --- packages -----------------------------------------------------------------------------------------------------

packages_of() { # SECTION
    awk -v want="[$1]" '/^\[/ { on = ($0 == want); next } on && NF && !/^#/ { print $1 }' "$root/packages.txt"
}

# find_missing_packages SECTION...: sets missing.
find_missing_packages() {
    local section package
    missing=()
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        return
    fi
    for section; do
        while read -r package; do
            if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
                missing+=("$package")
            fi
        done < <(packages_of "$section")
    done
}

ask_administrator() { die "root is needed once for Debian's packages, and $(id -un) may not use sudo. Ask the administrator to run: apt-get install --no-install-recommends ${missing[*]}"; }

# Before anything is changed: whoever calls this can install what is missing.
check_packages() {
    sudo=()
    find_missing_packages "$@"
    if ! command -v dpkg-query >/dev/null; then
        say "Not a Debian system: packages.txt lists what must be installed by hand."
        return
    fi
    if [ "${#missing[@]}" = 0 ] || is_root; then
        return
    fi
    command -v sudo >/dev/null || ask_administrator
    sudo=(sudo)
    # Where sudo wants a password it is asked for once, when it is needed; where the user may not use it at all, that is known at once.
    if ! sudo -n true 2>/dev/null && ! (: </dev/tty) 2>/dev/null; then
        ask_administrator
    fi
}

install_packages() {
    [ "${#missing[@]}" != 0 ] || return 0
    say "Debian packages to install: ${missing[*]}"
    if [ "${#sudo[@]}" != 0 ] && ! sudo -n true 2>/dev/null; then
        say "(sudo asks for your password: root is needed for this only)"
        sudo -v || ask_administrator
    fi
    if ! apt-get install --simulate "${missing[@]}" >/dev/null 2>&1; then
        # Without this a list that could not be fetched counts as done.
        step "package lists" "${sudo[@]}" apt-get update -q -o APT::Update::Error-Mode=any
    fi
    step "install packages" "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"
}

# --- network ------------------------------------------------------------------------------------------------------

# Asks Debian's first package server for a file, the way apt would (proxy and all). Where apt has none, nothing can be said.
reach_debian() {
    local uri place code=0
    uri=$(apt-get update --print-uris 2>/dev/null | awk -F"'" '$2 ~ /^https?:/ && !found { print $2; found = 1 }') && [ -n "$uri" ] || return 0
    [ -x /usr/lib/apt/apt-helper ] || return 0
    place=$(mktemp -d)
    network_problem=$(timeout 60 /usr/lib/apt/apt-helper -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 download-file "$uri" "$place/InRelease" 2>&1) || code=$?
    rm -rf "$place"
    network_problem=$(grep -m1 '^E: ' <<<"$network_problem" | cut -c4- || :)
    network_problem="$uri: ${network_problem:-no answer within 60 s}"
    return "$code"
}

check_network() {
    reach_debian || die "Debian's package server does not answer ($network_problem). Connect this machine to the network, or set http_proxy and apt's proxy; then again"
}

# explain_network LOG: what a failed step's words mean, where they are of the network.
explain_network() {
    local line
    line=$(grep -m1 -oE '(Temporary failure resolving|Could not resolve|Could not connect|Unable to load the service index|NU1301|EAI_AGAIN|ENOTFOUND|ECONNREFUSED|ETIMEDOUT|Name or service not known|Resource temporarily unavailable)[^"]{0,120}' "$1" || :)
    [ -z "$line" ] || say "oriel: a server on the network was not reached ($line): connect this machine to the network, or set https_proxy; then again"
}

# --- the data directory -------------------------------------------------------------------------------------------

# locate: sets data, without making it.
locate() {
    if is_root; then
        data=${option[--data]:-/var/lib/oriel}
    else
        data=${option[--data]:-${XDG_DATA_HOME:-$HOME/.local/share}/oriel}
    fi
    data=$(readlink -m "$data")
}

# A directory of Oriel's: it says so itself; older ones are told by what is in them.
is_oriels() {
    [ -e "$1/.oriel" ] || [ -e "$1/oriel.db" ] || compgen -G "$1/app/[0-9a-f]*/oriel.dll" >/dev/null
}

# The user oriel, who may not be there yet, and desktops' ids, which are nobody's, get through every folder above.
check_passable() { # FOLDER
    local closed
    closed=$(closed_folder "$1")
    [ -z "$closed" ] || die "$data cannot be reached by the user $service_user, as $closed is closed to others: take another place with --data DIR, or chmod o+x $closed"
}

# closed_folder FOLDER: it, or the first above it, that others cannot pass; nothing where they can.
closed_folder() {
    local folder=$1
    while [ ! -e "$folder" ]; do
        folder=$(dirname "$folder")
    done
    while [ "$folder" != / ]; do
        [ "$((0$(stat -c %a "$folder") & 1))" = 1 ] || {
            echo "$folder"
            return
        }
        folder=$(dirname "$folder")
    done
}

# Refuses a directory that somebody else made: of the user oriel (as root) or of this user, and empty or Oriel's, it may be.
check_data() {
    local owner parent other="take another place with --data DIR"
    if [ -e "$data" ]; then
        [ -d "$data" ] || die "$data is not a folder: $other"
        owner=$(stat -c %U "$data")
        if is_root; then
            [ "$owner" = "$service_user" ] || die "$data is there already and belongs to $owner, not to Oriel's user $service_user: $other, which Oriel makes itself (or, if it is for Oriel alone: chown $service_user: $data)"
            return
        fi
        if [ "$owner" != "$(id -un)" ] || ! [ -w "$data" ]; then
            die "$data belongs to $owner: $other, or run this as $owner"
        fi
        [ -z "$(ls -A "$data")" ] || is_oriels "$data" || die "$data is not empty, and not a data directory of Oriel: $other"
        return
    fi
    parent=$data
    while [ ! -e "$parent" ]; do
        parent=$(dirname "$parent")
    done
    if is_root; then
        check_passable "$parent"
    fi
    { [ -d "$parent" ] && [ -w "$parent" ]; } || die "$data cannot be made, as $parent belongs to $(stat -c %U "$parent"): $other"
}

make_data() {
    if is_root; then
        [ -d "$data" ] || install -d -o "$service_user" -g "$service_user" -m 755 "$data"
    else
        mkdir -p "$data"
    fi
    as_service mkdir -p "$data/app"
    [ -e "$data/.oriel" ] || as_service touch "$data/.oriel"
}

# require_data: for commands that need one that is there.
require_data() {
    if [ ! -d "$data/app" ]; then
        die "there is nothing of Oriel in $data: ./oriel up makes it${option[--data]+; or name the right folder with --data DIR}"
    fi
    if ! is_root && [ "$(stat -c %U "$data")" != "$(id -un)" ]; then
        die "$data belongs to $(stat -c %U "$data"): run this as that user$([ "$(stat -c %U "$data")" != "$service_user" ] || printf ', or with sudo')"
    fi
}

# --- room and ports -----------------------------------------------------------------------------------------------

# check_room: what is still to be made fits on the disks that it goes to. In MiB.
check_room() {
    local -A needed=() purpose=()
    local place
    need() { # FOLDER MIB WHAT
        place=$1
        while [ ! -e "$place" ]; do
            place=$(dirname "$place")
        done
        place=$(df --output=target "$place" | tail -n 1)
        needed[$place]=$((${needed[$place]:-0} + $2))
        purpose[$place]="${purpose[$place]:+${purpose[$place]}, }$3"
    }
    if [ "$needs_image" = yes ]; then
        need "$data" 6144 "6 GiB for building the image in $data"
        # Where the builder unpacks when the data directory is closed to others.
        [ -z "$(closed_folder "$data")" ] || need /var/tmp 2048 "2 GiB for unpacking it in /var/tmp"
    fi
    if [ "$to_build" = yes ]; then
        need "$data" 300 "0.3 GiB for the program"
        need "$root" 1024 "1 GiB for building in $root"
        [ -d "${NUGET_PACKAGES:-$HOME/.nuget/packages}" ] || need "${NUGET_PACKAGES:-$HOME}" 2048 "2 GiB for NuGet's packages in ${NUGET_PACKAGES:-$HOME/.nuget}"
    fi
    [ "${#missing[@]}" = 0 ] || need /usr 1024 "1 GiB for Debian's packages"
    local free
    for place in "${!needed[@]}"; do
        free=$(df --output=avail -B1M "$place" | tail -n 1)
        if [ "$free" -lt "${needed[$place]}" ]; then
            die "$place has $(in_gib "$free") GiB free and $(in_gib "${needed[$place]}") GiB are needed (${purpose[$place]}): make room, or take --data DIR on another disk"
        fi
    done
}

in_gib() { awk -v mib="$1" 'BEGIN { printf "%.1f", mib / 1024 }'; }

# The server that runs on this data directory: sets server_url, or fails.
running_server() {
    local pid
    server_url=$(sed -nE 's/.*"url": *"([^"]*)".*/\1/p' "$data/run/server.json" 2>/dev/null) && [ -n "$server_url" ] || return 1
    pid=$(sed -nE 's/.*"pid": *([0-9]+).*/\1/p' "$data/run/server.json")
    grep -qa oriel "/proc/$pid/cmdline" 2>/dev/null
}

# Node is there already, and a bare Debian has no other program that could try a port.
check_port() { # OPTION ADDRESS PORT
    local code
    [ "$3" != 0 ] || return 0
    if [ "$3" -lt "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null || echo 1024)" ]; then
        die "port $3 is only for root, and Oriel's server never runs as root: take $1 N with a port from 1024 on (a proxy before it can have port $3)"
    fi
    code=$(node -e '
        const [address, port] = process.argv.slice(1);
        const told = (e) => { console.log(e ? e.code : ""); process.exit(); };
        const server = require("net").createServer().on("error", told).listen({ host: address, port: +port, exclusive: true }, () => {
            const udp = require("dgram").createSocket(address.includes(":") ? "udp6" : "udp4").on("error", told);
            udp.bind({ address, port: +port, exclusive: true }, () => told());
        });' "$2" "$3") || die "Node.js does not work: node ended with $? when it was to try port $3"
    case $code in
        EADDRINUSE) die "$2:$3 is taken by another program: take another with $1 N" ;;
        EADDRNOTAVAIL) die "this machine has no address $2: --bind takes one of its own (ip address shows them)" ;;
        ?*) die "$2:$3 cannot be listened on ($code): take another with $1 N" ;;
    esac
}

check_ports() {
    local bind=${option[--bind]:-127.0.0.1}
    if running_server; then
        die "a server runs on $data already: $server_url (./oriel token --new-signin prints an address that signs in; ./oriel down ends it)"
    fi
    command -v node >/dev/null || return 0
    check_port --port "$bind" "${option[--port]:-4000}"
    check_port --media-port "$bind" "${option[--media-port]:-4001}"
}

free_ports() { # COUNT
    node -e '
        const servers = Array.from({ length: +process.argv[1] }, () => require("net").createServer().listen(0, "127.0.0.1"));
        Promise.all(servers.map((s) => new Promise((listening) => s.on("listening", listening)))).then(() => {
            console.log(servers.map((s) => s.address().port).join(" "));
            servers.forEach((s) => s.close());
        });' "$1"
}

# --- the unprivileged user ----------------------------------------------------------------------------------------

free_subids() { # FILE: first id after all ranges given away, at least 200000
    awk -F: 'BEGIN { top = 200000 } $2 + $3 > top { top = $2 + $3 } END { print top }' "$1" 2>/dev/null || echo 200000
}

has_subids() { grep -qs "^$(id -un):" /etc/subuid && grep -qs "^$(id -un):" /etc/subgid; }

# The first of 65536 ids that neither file has given away.
free_range() {
    local uids gids
    uids=$(free_subids /etc/subuid) gids=$(free_subids /etc/subgid)
    echo "$((uids > gids ? uids : gids))"
}

check_user() {
    local first
    is_root || has_subids || {
        first=$(free_range)
        die "user $(id -un) has no subordinate ids, which desktops need: sudo usermod --add-subuids $first-$((first + 65535)) --add-subgids $first-$((first + 65535)) $(id -un)"
    }
}

require_user() {
    local first
    is_root || return 0
    if ! id -u "$service_user" >/dev/null 2>&1; then
        say "Creating the user $service_user that server, keepers and desktops run as."
        useradd --system --user-group --create-home --home-dir /var/lib/oriel --shell /usr/sbin/nologin "$service_user"
        # Desktops' ids, which are others, pass through it to the image.
        chmod 755 /var/lib/oriel
    fi
    if ! grep -q "^$service_user:" /etc/subuid; then
        first=$(free_subids /etc/subuid)
        usermod --add-subuids "$first-$((first + 65535))" "$service_user"
    fi
    if ! grep -q "^$service_user:" /etc/subgid; then
        first=$(free_subids /etc/subgid)
        usermod --add-subgids "$first-$((first + 65535))" "$service_user"
    fi
    if [ -c /dev/kvm ] && getent group kvm >/dev/null && [ "$(stat -c %G /dev/kvm)" = kvm ]; then
        usermod --append --groups kvm "$service_user"
    fi
}

# As root: virtual machines run as users of their own, who open this node for their tap. Debian gives it to everyone, a bare container to root.
# What it gives is a network device in a namespace of one's own. One that is there and does not open is left as it is: doctor tells of it.
require_tun() {
    is_root || return 0
    [ -e /dev/net/tun ] || modprobe tun 2>/dev/null || :
    if [ ! -e /dev/net/tun ]; then
        mkdir -p /dev/net
        mknod -m 666 /dev/net/tun c 10 200 2>/dev/null || :
    fi
}

# What the unprivileged side may see of our environment, NAME=VALUE a line.
clean_environment() {
    local name
    printf '%s\n' "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" "DOTNET_ROOT=$dotnet_root" "DOTNET_NOLOGO=1" \
        "DOTNET_CLI_TELEMETRY_OPTOUT=1" "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1" "HOME=$service_home" "DOTNET_CLI_HOME=$service_home"
    for name in LANG TERM TZ http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY CI ${!ORIEL_@} ${!OTEL_@}; do
        [ -z "${!name+x}" ] || printf '%s=%s\n' "$name" "${!name}"
    done
}

# As root: sets cgroup to one that the service user may divide, by which desktops are paused and limited. On a hybrid host the controllers
# may all be elsewhere; pausing works there as well. Where there is no cgroup v2, doctor says so.
delegate_cgroup() {
    local mount group name controllers
    cgroup=
    is_root || return 0
    mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    [ -n "$mount" ] || return 0
    group=$mount/oriel
    mkdir -p "$group/oriel-server" 2>/dev/null || return 0
    controllers=$(cat "$mount/cgroup.controllers")
    for name in cpu memory pids; do
        case " $controllers " in *" $name "*) echo "+$name" 2>/dev/null >"$mount/cgroup.subtree_control" || : ;; esac
    done
    chown "$service_user:$service_user" "$group" "$group"/cgroup.{procs,threads,subtree_control} "$group/oriel-server" "$group"/oriel-server/cgroup.{procs,threads}
    cgroup=$group/oriel-server
}

# The groups that delegate_cgroup made, once nothing is in them.
remove_cgroup() {
    [ -z "$cgroup" ] || rmdir "$cgroup" "$(dirname "$cgroup")" 2>/dev/null || :
}

# unprivileged COMMAND...: as root, drops for good to the service user (setuid helpers still work: newuidmap is one).
unprivileged() {
    if is_root; then
        local environment
        mapfile -t environment < <(clean_environment)
        [ -z "$cgroup" ] || echo "$BASHPID" 2>/dev/null >"$cgroup/cgroup.procs" || :
        cd "$service_home"
        exec setpriv --reuid "$service_user" --regid "$service_user" --init-groups -- env -i "${environment[@]}" "$@"
    fi
    export DOTNET_ROOT=$dotnet_root
    exec "$@"
}

as_service() { (unprivileged "$@"); }

end_job() {
    [ -n "$1" ] || return 0
    kill -TERM "$1" 2>/dev/null || :
    wait "$1" || :
}

# attended COMMAND...: as as_service, and a signal to this script ends it and is waited for.
attended() {
    local job='' code=0
    trap 'end_job "$job"; exit 130' INT TERM
    unprivileged "$@" <&0 &
    job=$!
    wait "$job" || code=$?
    trap - INT TERM
    return "$code"
}

# Sets service_home, and makes what is below it reachable: what every command does before it runs the program.
settle() {
    if is_root; then
        id -u "$service_user" >/dev/null 2>&1 || die "there is no user $service_user, which Oriel runs as: ./oriel up makes it"
        service_home=$(getent passwd "$service_user" | cut -d: -f6)
    else
        service_home=$HOME
    fi
    delegate_cgroup
}

# shared_dotnet NAME FOLDER PART...: where the service user can run it; one below /root cannot be read by others, and these parts of it are copied.
shared_dotnet() {
    local copy=$data/$1-$dotnet_version folder=$2
    shift 2
    if as_service test -x "$folder/dotnet"; then
        echo "$folder"
        return
    fi
    [ -d "$copy" ] || hand_over "$copy" -C "$folder" "$@"
    echo "$copy"
}

# The runtime alone: about 200 MB.
share_dotnet() { dotnet_root=$(shared_dotnet dotnet "$dotnet_root" dotnet host shared); }

# For tar: a program's files as they are, and of a .NET installation its dotnet, host and shared in a folder dotnet.
with_runtime=(--transform='s,^\(dotnet\|host\|shared\)\(/\|$\),dotnet/\1\2,')

# hand_over TARGET TAR-ARGUMENT...: a copy that belongs to the service user, who writes it: root writes nothing in that user's folders.
hand_over() {
    local target=$1
    shift
    # shellcheck disable=SC2016
    tar --create --mode=u=rwX,go=rX "$@" |
        as_service sh -c 'trap "rm -rf \"\$1.partial\"" EXIT; rm -rf "$1.partial" "$1" && mkdir -p "$1.partial" && tar --extract -C "$1.partial" && mv "$1.partial" "$1"' - "$target"
}
