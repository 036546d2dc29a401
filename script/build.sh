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

npm_install() { (cd "$root/web" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error); }
install_web_packages() {
    [ "$root/web/node_modules/.package-lock.json" -nt "$root/web/package-lock.json" ] || step "web packages" npm_install
}
npm_build() { (cd "$root/web" && npm run build); }
# publish PROJECT FOLDER [OPTION...]
publish() {
    local project=$1 folder=$2
    shift 2
    dotnet publish "$root/src/$project" --configuration Release --disable-build-servers -v quiet --output "$folder" "$@"
}
# Compiled ahead of time, so that it starts sooner (docs/decisions/0094-ready-to-run.md).
publish_server() { publish Oriel.Server "$1" --use-current-runtime --self-contained false -p:PublishReadyToRun=true; }

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

# build TARGET: everything that runs, side by side in one folder: oriel.dll, wwwroot/, oriel-keeper, oriel-agent, images/.
build() {
    local stage=$root/artifacts/app
    rm -rf "$stage" "$stage.keeper" "$stage.agent"
    mkdir -p "$stage"
    install_web_packages
    step "web page" npm_build
    step "server" publish_server "$stage"
    step "keeper (native)" publish Oriel.Keeper "$stage.keeper"
    step "agent (native)" publish Oriel.Agent "$stage.agent"
    rm -rf "$stage/wwwroot"
    cp -r "$root/web/dist" "$stage/wwwroot"
    cp "$stage.keeper/oriel-keeper" "$stage.agent/oriel-agent" "$stage/"
    cp -r "$root/images" "$stage/images"
    hand_over "$1" -C "$stage" .
    rm -rf "$stage" "$stage.keeper" "$stage.agent"
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
