# Builds what runs; sourced by ../oriel.
# shellcheck shell=bash disable=SC2154

source_hash() {
    (
        cd "$root"
        {
            echo "$dotnet_version"
            find src images web script/build.sh global.json Directory.* -type d \( -name node_modules -o -name dist -o -name bin -o -name obj \) -prune -o -type f -print0 |
                LC_ALL=C sort -z | xargs -0 sha256sum
        } | sha256sum | cut -c1-16
    )
}

# No package's own script runs (docs/decisions/0095-builds-without-root.md).
npm_ci=(ci --ignore-scripts --no-audit --no-fund --loglevel=error)
install_web_packages() {
    [ "$root/web/node_modules/.package-lock.json" -nt "$root/web/package-lock.json" ] || step "web packages" env --chdir="$root/web" npm "${npm_ci[@]}"
}
# publish PROJECT FOLDER [OPTION...]
publish() {
    local project=$1 folder=$2
    shift 2
    dotnet publish "$root/src/$project" --configuration Release --disable-build-servers -v quiet --output "$folder" "$@"
}

# alone COMMAND...: one build in this clone at a time, with a folder for temporary files that goes with it (MSBuild leaves some). Ends with this script.
alone() {
    local job='' code=0
    mkdir -p "$root/artifacts"
    trap 'end_job "$job"; exit 130' INT TERM
    in_build_room "$@" &
    job=$!
    wait "$job" || code=$?
    trap - INT TERM
    [ "$code" = 0 ] || exit "$code"
}

# In a process of its own.
in_build_room() {
    exec 9>"$root/artifacts/.lock"
    if ! flock --nonblock 9; then
        say "Another build is at work in $root: waiting for it."
        flock 9
    fi
    TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/oriel-build.XXXXXX")
    export TMPDIR
    trap 'rm -rf "$TMPDIR"' EXIT
    "$@"
}

check_clone() {
    [ -w "$root" ] || die "$root belongs to $(stat -c %U "$root"), and building writes to it: clone it as $(id -un)"
}

# --- the program --------------------------------------------------------------------------------------------------

# Packages bring code that runs while a program is built. As root it is built by the service user, in a copy of the sources that is that user's.
find_room() {
    room=$root
    ! is_root || room=$data/build
}

# builder COMMAND...: in the room, as whom it belongs to.
builder() {
    local name given=(PATH="$node_path:$PATH" DOTNET_ROOT="$sdk_root" MSBUILDDISABLENODEREUSE=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1)
    for name in SSL_CERT_FILE SSL_CERT_DIR NODE_EXTRA_CA_CERTS NUGET_CERT_REVOCATION_MODE; do
        [ -z "${!name+x}" ] || given+=("$name=${!name}")
    done
    ! is_root || given+=(TMPDIR="$room/artifacts/tmp")
    as_service env --chdir="$room" "${given[@]}" "$@"
}

# What was built and downloaded there before stays, so that the next build is short.
take_sources() {
    # shellcheck disable=SC2016
    tar --create -C "$root" --mode=u=rwX,go=rX --exclude=node_modules --exclude=dist --exclude=bin --exclude=obj src images web global.json .editorconfig Directory.{Build.props,Build.targets,Packages.props} |
        as_service sh -euc 'mkdir -p "$1" && cd "$1"
            find . \( -path ./artifacts -o -path ./web/node_modules \) -prune -o \( -type f -o -type l \) -exec rm -f {} +
            tar --extract; rm -rf artifacts/tmp; mkdir -p artifacts/tmp' - "$room"
}

# The service user may not be able to read an SDK or a Node.js that is root's own: copies.
share_tools() {
    local node npm copy
    sdk_root=$(shared_dotnet sdk "$(dirname "$(readlink -f "$(command -v dotnet)")")" dotnet host shared sdk sdk-manifests packs)
    node=$(readlink -f "$(command -v node)") npm=$(readlink -f "$(command -v npm)")
    node_path=$(dirname "$(command -v node)")
    npm_command=("$node" "$npm")
    if as_service test -x "$node" -a -r "$npm"; then
        return
    fi
    copy=$data/node-$(node --version)
    [ -d "$copy" ] || hand_over "$copy" --transform='s,^node$,bin/node,' -C "$(dirname "$node")" node -C "$(dirname "$npm")/../.." npm
    node_path=$copy/bin
    npm_command=("$copy/bin/node" "$copy/npm/bin/npm-cli.js")
}

npm_install() { builder env --chdir="$room/web" "${npm_command[@]}" "${npm_ci[@]}"; }
npm_build() { builder env --chdir="$room/web" "${npm_command[@]}" run build; }
# publish_part PROJECT FOLDER [OPTION...]
publish_part() {
    local project=$1 folder=$2
    shift 2
    builder "$sdk_root/dotnet" publish "src/$project" --configuration Release --disable-build-servers -v quiet --output "$folder" "$@"
}
# Compiled ahead of time, so that it starts sooner (docs/decisions/0094-ready-to-run.md).
publish_server() { publish_part Oriel.Server "$1" --use-current-runtime --self-contained false -p:PublishReadyToRun=true; }

# build TARGET: everything that runs, side by side in one folder: oriel.dll, wwwroot/, oriel-keeper, oriel-agent, images/.
build() {
    local stage=artifacts/app room node_path npm_command sdk_root
    # Another clone may build into the same data directory.
    exec 8<"$data"
    flock 8
    find_room
    share_tools
    ! is_root || take_sources
    builder rm -rf "$stage" "$stage.keeper" "$stage.agent"
    builder test web/node_modules/.package-lock.json -nt web/package-lock.json || step "web packages" npm_install
    step "web page" npm_build
    step "server" publish_server "$stage"
    step "keeper (native)" publish_part Oriel.Keeper "$stage.keeper"
    step "agent (native)" publish_part Oriel.Agent "$stage.agent"
    # shellcheck disable=SC2016
    builder sh -euc 'rm -rf "$2.partial" "$2"
        mkdir -p "$2.partial"
        cp -rT "$1" "$2.partial"
        cp "$1.keeper/oriel-keeper" "$1.agent/oriel-agent" "$2.partial"
        cd "$2.partial"
        rm -rf wwwroot
        cp -r "$3/web/dist" wwwroot
        cp -r "$3/images" .
        chmod -R u=rwX,go=rX .
        mv "$2.partial" "$2"
        cd "$3"
        rm -rf "$1" "$1.keeper" "$1.agent" artifacts/tmp' - "$stage" "$1" "$room"
}

build_unless_built() {
    [ -f "$app/oriel.dll" ] || build "$app"
}

# Sets app, and to_build and needs_image to what is not there yet.
find_build() {
    app=$data/app/$(source_hash)
    to_build=no
    needs_image=no
    [ -f "$app/oriel.dll" ] || to_build=yes
    has_image || needs_image=yes
}

has_image() { compgen -G "$data/images/[0-9a-f]*/manifest.json" >/dev/null; }

ensure_built() {
    if [ "$to_build" = yes ]; then
        say "Building Oriel (once for these sources; about four minutes):"
        alone build_unless_built
        remove_old_builds
    fi
}

# Sets app to the build of these sources, else to the newest that is there; fails where there is none. Builds nothing.
find_any_build() {
    app=$data/app/$(source_hash)
    [ -f "$app/oriel.dll" ] || app=$(find "$data/app" -mindepth 2 -maxdepth 2 -path "$data/app/????????????????/oriel.dll" -printf '%T@ %h\n' 2>/dev/null | sort -rn | head -n 1 | cut -d' ' -f2-)
    [ -n "$app" ]
}

# The three newest stay: a server that still runs loads assemblies from its own.
remove_old_builds() {
    # shellcheck disable=SC2016
    as_service sh -c 'find "$1" -mindepth 1 -maxdepth 1 -type d -printf "%T@ %p\n" | sort -rn | tail -n +4 | cut -d" " -f2- | xargs -r rm -rf' - "$data/app"
}
