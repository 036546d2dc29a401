# ./oriel dev; sourced by ../oriel, whose functions it uses.
# Vite serves the page from its sources and passes /api on to the server, which `dotnet watch` builds and starts from its sources.
# The address that signs in leads to the page. Keeper, image and data are those that ./oriel up has made.
# shellcheck shell=bash disable=SC2154

command_dev() {
    local configuration=${ORIEL_DEV_CONFIGURATION:-Debug} sources project built program page media server name reload=() command
    read_options dev "$@"
    locate
    require_tools
    require_data
    find_any_build || die "Oriel has not been built in $data: ./oriel up builds it"
    has_image || die "there is no golden image in $data: ./oriel up makes one${option[--data]+, with the same --data}"
    check_clone
    check_ports
    read -r page media server < <(free_ports 3)
    [ "${option[--port]:-4000}" = 0 ] || page=${option[--port]:-4000}
    [ "${option[--media-port]:-4001}" = 0 ] || media=${option[--media-port]:-4001}
    settle
    share_dotnet
    find_scope
    [ -z "$scope_problem" ] || say "Limits and pause: $scope_problem"
    alone install_web_packages

    sources=$(readlink -f "$root/src")
    project=$sources/Oriel.Server/Oriel.Server.csproj
    built=$(dirname "$sources")/artifacts/bin/Oriel.Server/${configuration,,}
    program=$built
    # Without hot reload a change starts the server anew. What sends the changes is for one user alone, and optimised code takes none.
    if is_root || [ "$configuration" != Debug ]; then
        reload=(--no-hot-reload)
    fi
    if is_root; then
        program=$data/app/dev
    fi
    command=("${scope[@]}" "$dotnet_root/dotnet" "$program/oriel.dll" serve "--data=$data" "--port=$server" "--media-port=$media"
        "--keeper=$app/oriel-keeper" "--web=$app/wwwroot")
    for name in --driver --max-desktops --warm; do
        [ -z "${option[$name]+x}" ] || command+=("$name=${option[$name]}")
    done

    dev_jobs=() dev_place=$(mktemp -d)
    trap 'dev_end; exit 0' INT TERM HUP
    # Each in a process group of its own, so that this script ends them in order.
    set -m
    dev_page "$page" "$server" </dev/null &
    dev_jobs=($!)
    dev_server "$page" "$server" </dev/null &
    dev_jobs=($! "${dev_jobs[@]}")
    set +m
    wait -n "${dev_jobs[@]}" || :
    dev_end
    die "one of the two ended by itself (see above), so the other was ended"
}

dev_page() { # PAGE-PORT SERVER-PORT
    cd "$root/web" || exit
    exec env "ORIEL=http://127.0.0.1:$2" node node_modules/vite/bin/vite.js --port "$1" --strictPort --logLevel warn
}

# Its words go on until its last process has ended.
dev_server() { # PAGE-PORT SERVER-PORT
    trap : INT TERM
    export root data service_user service_home cgroup dotnet_root built program
    # There is no browser for it to reload, and what cannot be changed in place starts the server anew.
    export DOTNET_WATCH_SUPPRESS_BROWSER_REFRESH=1 DOTNET_WATCH_SUPPRESS_LAUNCH_BROWSER=1 DOTNET_WATCH_RESTART_ON_RUDE_EDIT=1
    export TMPDIR=$dev_place
    dotnet watch --project "$project" --non-interactive "${reload[@]}" run --configuration "$configuration" \
        --property:UseSharedCompilation=false --property:RunCommand="$root/script/dev-server.sh" -- "${command[@]}" 2>&1 |
        (
            trap '' INT TERM
            exec sed -u "s,http://127.0.0.1:$2/,http://127.0.0.1:$1/,"
        )
}

# The server first, which says what lives on.
dev_end() {
    local job
    trap '' INT TERM HUP
    for job in "${dev_jobs[@]}"; do
        end_group "$job"
    done
    rm -rf "$dev_place"
    ! is_root || as_service rm -rf "$data/app/dev"
}
