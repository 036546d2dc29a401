#!/bin/bash
# Tests of the script ./oriel itself, run by ./oriel test script: script.sh RESULT DATA [NAME...]
# DATA holds the built application and an image, as ./oriel up leaves them. The tests, or those named and what they stand on, run in their
# order; the outcome goes to RESULT (CTRF).
set -uo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
result=$1
data=$2
place=$(mktemp -d)
log=$place/server.log
: >"$place/results"

tests=(help_EachCommand_TellsItsOptions command_Unknown_IsRefusedAndNamed mistakes_Each_IsOneLineThatSaysWhatToDo data_OfSomebodyElse_IsRefusedAndUnchanged
    data_Relative_IsTakenFromWhereTheCallerStands tools_ThatFail_AreNamed build_BesideAnother_Waits attended_ScriptIsEnded_EndsWhatItRuns packages_Missing_AreShownAndInstalledOnce user_FreshHost_IsMadeOnceWithIdsOfItsOwn build_AsRoot_IsTheServiceUsers build_ToolsOfRootsOwn_AreCopied step_ThatTakesSeconds_CountsThemOnATerminal
    test_Named_RunsAlone test_ThatStandsOnOthers_TakesThemAlong dev_PageIsChanged_ServesItAndCtrlCLeavesNothing
    up_FirstStart_ServesThePageAndPrintsAUrlThatSignsIn up_Processes_AreNeverRoot up_CtrlC_StopsAndNamesTheDesktopsThatLiveOn
    up_SecondStart_FindsTheDesktop token_OfARunningServer_IsTheFilesAndANewSignInWorks down_RunningServer_EndsItAndItsDesktops
    down_NextServer_KnowsTheRecordsClosed egress_HostsOwnNetworks_AreRefusedByARuleWhateverTheirAddress
    egress_HostsOwnNetworksFromAMachine_AreRefusedAsWell)
# A server's life: each goes on from where the one before left it.
declare -A needs=(
    [up_Processes_AreNeverRoot]=up_FirstStart_ServesThePageAndPrintsAUrlThatSignsIn
    [up_CtrlC_StopsAndNamesTheDesktopsThatLiveOn]=up_Processes_AreNeverRoot
    [up_SecondStart_FindsTheDesktop]=up_CtrlC_StopsAndNamesTheDesktopsThatLiveOn
    [token_OfARunningServer_IsTheFilesAndANewSignInWorks]=up_SecondStart_FindsTheDesktop
    [down_RunningServer_EndsItAndItsDesktops]=up_SecondStart_FindsTheDesktop
    [down_NextServer_KnowsTheRecordsClosed]=down_RunningServer_EndsItAndItsDesktops
)

# shellcheck source=tests/shell.sh
. "$root/tests/shell.sh"
choose_tests "${@:3}"

client() { node "$root/tests/script-client.mjs" "$@"; }

# --- commands -----------------------------------------------------------------------------------------------------

help_EachCommand_TellsItsOptions() {
    local text
    text=$("$root/oriel" help)
    has "$text" up dev down test bench doctor image token
    [ "$("$root/oriel" test --help)" = "$text" ] || fail "./oriel test --help is not the help"
    [ "$("$root/oriel" bench --help)" = "$text" ] || fail "./oriel bench --help is not the help"
    has "$("$root/oriel" up --help --data "$data")" --bind 127.0.0.1 --port 4000 --media-port 4001 --cert --key --public-address --max-desktops
    has "$("$root/oriel" dev --help)" --data --port --media-port --driver
    has "$("$root/oriel" down --help --data "$data")" --data
    has "$("$root/oriel" token --help --data "$data")" --rotate --new-signin
    has "$("$root/oriel" doctor --help --data "$data")" --json --port
    has "$("$root/oriel" image --help --data "$data")" build test warm list verify rm
}

command_Unknown_IsRefusedAndNamed() {
    local text code=0
    text=$("$root/oriel" fly 2>&1) || code=$?
    [ "$code" = 2 ] || fail "exit code $code"
    has "$text" "oriel: there is no command 'fly'" "./oriel help"
}

# ARGUMENTS | what the line must say
mistakes_Each_IsOneLineThatSaysWhatToDo() {
    local arguments expected text code
    while IFS='|' read -r arguments expected; do
        code=0
        # shellcheck disable=SC2086
        text=$(cd "$place" && "$root/oriel" $arguments 2>&1) || code=$?
        [ "$code" = 1 ] || [ "$code" = 2 ] || fail "./oriel $arguments ended with $code: $text"
        [ "$(grep -c . <<<"$text")" = 1 ] || fail "./oriel $arguments: more than one line: $text"
        has "$text" "oriel: " "$expected"
    done <<'MISTAKES'
up --prot 4730|did you mean --port?
up --port|--port needs a value
up --port=|--port needs a value
up --port abc|a port from 0 to 65535
up --port 65536|a port from 0 to 65535
up --port 99999999999999999999|a port from 0 to 65535
up --port 80|only for root
up --port 4000 --port 4001|given twice
up --port 4001|they must differ
up --driver docker|auto, firecracker, qemu or container
up --driver conatiner|did you mean container?
up --bind localhost|an IP address such as 127.0.0.1
up --bind 256.1.1.1|an IP address such as 127.0.0.1
up --bind 192.0.2.77|this machine has no address 192.0.2.77
up --max-desktops 0|a number from 1 to 1000
up --warm -1|a number from 0
up --cert results|--cert and --key go together
up --cert nothing.pem --key results|there is no file nothing.pem
up --web nothing|there is no folder nothing
up --egress-allow 10.0.0.0|a network such as 10.0.0.0/8
up --egress-deny 10.0.0.0|a network such as 10.0.0.0/8
up --upstream-allow proxy|HOST:PORT
up --egress-host db|NAME=ADDRESS
up --images results|results is not a folder
up somewhere|takes no argument 'somewhere'
down --force|no option --force
token --new-signin=yes|takes no value
token --data nowhere|there is nothing of Oriel in
image|takes one of
image buidl|did you mean build?
image list --data nowhere|there is nothing of Oriel in
image rm|needs its <image>
image build nowhere|there is no folder nowhere
bench netwrok|did you mean network?
test lniux|did you mean linux?
test SpecificatonTests|did you mean SpecificationTests?
test nothing_OfThisName_*|there is no ring, class or test 'nothing_OfThisName_*'
dev --data nowhere|there is nothing of Oriel in
dev --prot 4730|did you mean --port?
dwon|did you mean down?
MISTAKES
    [ ! -e "$place/nowhere" ] || fail "a folder was made for a mistake"
}

data_OfSomebodyElse_IsRefusedAndUnchanged() {
    local strange=$place/strange before text folder
    chmod 755 "$place"
    mkdir -p "$strange"/{full,open,closed/below}
    touch "$strange/full/of-somebody"
    chmod 1777 "$strange/open"
    chmod 700 "$strange/closed"
    if [ "$(id -u)" = 0 ]; then
        mkdir "$strange/empty"
        chown nobody: "$strange"/{full,open,empty}
    fi
    before=$(find "$strange" -printf '%p %u %g %m\n' | sort)
    for folder in "$strange"/full "$strange"/open "$strange"/empty "$strange"/closed/below/new "$strange/full/of-somebody" /; do
        [ -e "$folder" ] || [ "$(id -u)" = 0 ] || continue
        case $(id -u):$folder in 0:* | *:*/full* | *:/) ;; *) continue ;; esac
        text=$("$root/oriel" up --port 0 --media-port 0 --data "$folder" 2>&1) && fail "$folder was taken: $text"
        [ "$(grep -c . <<<"$text")" = 1 ] || fail "$folder: more than one line: $text"
        has "$text" "oriel: " "--data"
        "$root/oriel" doctor --data "$folder" >/dev/null 2>&1 || :
    done
    [ "$(find "$strange" -printf '%p %u %g %m\n' | sort)" = "$before" ] || fail "it was changed: $(find "$strange" -printf '%p %u %g %m\n' | sort)"
}

data_Relative_IsTakenFromWhereTheCallerStands() {
    local text
    text=$(cd "$data/.." && "$root/oriel" image list --data "$(basename "$data")" 2>&1) || fail "exit code $?: $text"
    has "$text" desktop
}

# functions LINE (in the background, whose process it takes): it runs with the script's functions, as a user whom nothing has to be dropped for.
# TOOL | what stands in for it | what the line must say
tools_ThatFail_AreNamed() {
    local tool script expected text code
    mkdir "$place/bin"
    while IFS='|' read -r tool script expected; do
        printf '#!/bin/sh\n%s\n' "$script" >"$place/bin/$tool"
        chmod 755 "$place/bin/$tool"
        code=0
        text=$(PATH=$place/bin:$PATH "$root/oriel" up --data "$place/none" 2>&1) || code=$?
        rm "$place/bin/$tool"
        [ "$code" = 1 ] || fail "with a $tool that does '$script' it ended with $code: $text"
        [ "$(grep -c . <<<"$text")" = 1 ] || fail "more than one line: $text"
        has "$text" "oriel: " "$expected"
    done <<'TOOLS'
node|exit 3|Node.js does not work
node|[ "$1" != --version ] && exit 3; echo v20.0.0|Node.js does not work
node|[ "$1" = --version ] && exit 3; exit 0|Node.js
dotnet|exit 3|.NET
TOOLS
}

functions() {
    exec bash -euo pipefail -c 'root=$1 service_home=/tmp dotnet_root=/nowhere cgroup=
say() { printf "%s\n" "$*" >&2; }
is_root() { false; }
logs=$root/artifacts/log
'"$(sed -n '/^end_group()/,/^}/p; /^step()/,/^}/p' "$root/oriel")"'
. "$1/script/host.sh"
. "$1/script/build.sh"
'"$1" functions "$place/clone"
}

build_BesideAnother_Waits() {
    local first
    mkdir -p "$place/clone/artifacts"
    ln -sfn "$root/script" "$place/clone/script"
    mkfifo "$place/begun" "$place/end"
    functions "alone bash -c 'echo >$place/begun; read -r _ <$place/end; echo first >>$place/order'" &
    first=$!
    read -r _ <"$place/begun"
    functions 'alone bash -c "echo second >>'"$place"'/order"' 2>"$place/waiting" &
    grep -q -m1 "waiting for it" < <(exec timeout 30 tail --pid=$! -n +1 -F "$place/waiting" 2>/dev/null) || fail "the second did not say that it waits"
    echo >"$place/end"
    wait
    [ "$(paste -sd ' ' "$place/order")" = "first second" ] || fail "they ran as $(paste -sd ' ' "$place/order")"
    kill -0 "$first" 2>/dev/null && fail "the first lives on"
    return 0
}

# What makes the image, and what builds: SIGTERM to the script alone, as a service manager or a supervisor sends it.
attended_ScriptIsEnded_EndsWhatItRuns() {
    local script ran words
    mkdir -p "$place/clone/artifacts"
    ln -sfn "$root/script" "$place/clone/script"
    mkfifo "$place/started"
    for words in attended "alone step long"; do
        functions "$words bash -c 'echo \$\$ >$place/started; sleep infinity; echo not ended'" &
        script=$!
        read -r ran <"$place/started"
        kill -TERM "$script"
        wait "$script" && fail "$words: it ended well"
        timeout 20 tail --pid="$ran" -f /dev/null || fail "$words: what it ran lives on"
    done
}

# The tools of Debian are played: one package is missing until apt-get has been told to install it.
packages_Missing_AreShownAndInstalledOnce() {
    local stub=$place/stub first second
    mkdir "$stub"
    : >"$stub/calls"
    cat >"$stub/dpkg-query" <<'STUB'
#!/bin/sh
for package; do :; done
[ "$package" != crun ] || grep -q '^install -qy' "$STUB/calls" || exit 1
printf installed
STUB
    cat >"$stub/apt-get" <<'STUB'
#!/bin/sh
[ "$*" = "update --print-uris" ] || printf '%s\n' "$*" >>"$STUB/calls"
STUB
    cat >"$stub/sudo" <<'STUB'
#!/bin/sh
[ "$1" = -v ] || exec "$@"
STUB
    chmod 755 "$stub"/*
    first=$(PATH=$stub:$PATH STUB=$stub "$root/oriel" image build "$root/images/desktop" --if-missing --data "$data" 2>&1) || fail "exit code $?: $first"
    has "$first" "Debian packages to install: crun"
    [ "$(grep -c '^install -qy' "$stub/calls")" = 1 ] || fail "apt-get was called: $(cat "$stub/calls")"
    grep -qx 'install -qy --no-install-recommends crun' "$stub/calls" || fail "apt-get was called: $(cat "$stub/calls")"
    case ${first%%install packages*} in *"to install: crun"*) ;; *) fail "installed before it was shown: $first" ;; esac
    second=$(PATH=$stub:$PATH STUB=$stub "$root/oriel" image build "$root/images/desktop" --if-missing --data "$data" 2>&1) || fail "exit code $?: $second"
    case $second in *"to install"*) fail "a second time: $second" ;; esac
    [ "$(grep -c '^install -qy' "$stub/calls")" = 1 ] || fail "a second time: $(cat "$stub/calls")"
}

# A host that has never seen Oriel: in a mount namespace, /etc is a copy without its user, whose home is empty.
user_FreshHost_IsMadeOnceWithIdsOfItsOwn() {
    local fresh=$place/fresh
    [ "$(id -u)" = 0 ] || skip "only root makes users"
    mkdir "$fresh"
    cp -a /etc "$fresh/etc"
    sed -i '/^oriel:/d' "$fresh"/etc/{passwd,shadow,group,gshadow,subuid,subgid}
    echo "someone:300000:65536" | tee -a "$fresh/etc/subuid" >>"$fresh/etc/subgid"
    unshare --mount --propagation private bash -euo pipefail -s "$root/oriel" "$fresh" <<'FRESH'
mount --bind "$2/etc" /etc
mkdir -p /var/lib/oriel
mount -t tmpfs home /var/lib/oriel
rmdir /var/lib/oriel 2>/dev/null || :
source <(sed -n '/^service_user=/p; /^is_root()/,/}$/p; /^say()/,/}$/p' "$1")
source "$(dirname "$1")/script/host.sh"
require_user 2>"$2/first"
sha256sum /etc/passwd /etc/group /etc/subuid /etc/subgid >"$2/made"
require_user 2>"$2/second"
sha256sum --check --quiet "$2/made"
getent passwd oriel >"$2/passwd"
grep -h '^oriel:' /etc/subuid /etc/subgid >"$2/ids"
FRESH
    has "$(cat "$fresh/first")" "Creating the user oriel"
    [ ! -s "$fresh/second" ] || fail "a second time: $(cat "$fresh/second")"
    has "$(cat "$fresh/passwd")" /var/lib/oriel /usr/sbin/nologin
    [ "$(sort -u "$fresh/ids")" = "oriel:365536:65536" ] || fail "its ids are $(cat "$fresh/ids")"
}

# What ran as root to make this run's program would have left files of root's.
build_AsRoot_IsTheServiceUsers() {
    local strange
    [ "$(id -u)" = 0 ] || skip "built by whoever calls it, who is not root"
    [ -d "$data/build/web/node_modules" ] && compgen -G "$data/build/artifacts/obj/Oriel.Keeper/*" >/dev/null || fail "it was not built in $data/build"
    strange=$(find "$data/build" "$data/app" ! -user oriel -print -quit)
    [ -z "$strange" ] || fail "$strange belongs to $(stat -c %U "$strange")"
}

# An SDK and a Node.js that only root can read, as installers put them below /root.
build_ToolsOfRootsOwn_AreCopied() {
    local own=$place/own text
    [ "$(id -u)" = 0 ] || skip "built by whoever calls it, who is not root"
    chmod 755 "$place"
    mkdir -p "$own"/{dotnet/{host,shared,sdk,sdk-manifests,packs},bin,lib/node_modules/npm/bin}
    chmod 700 "$own"
    printf '#!/bin/sh\necho "an SDK as $(id -un)"\n' >"$own/dotnet/dotnet"
    printf '#!/bin/sh\n[ "$1" = --version ] && echo v20.1.2 || echo "$(cat "$1") as $(id -un)"\n' >"$own/bin/node"
    echo "npm" >"$own/lib/node_modules/npm/bin/npm-cli.js"
    chmod 755 "$own/dotnet/dotnet" "$own/bin/node" "$own/lib/node_modules/npm/bin/npm-cli.js"
    ln -s ../dotnet/dotnet ../lib/node_modules/npm/bin/npm-cli.js "$own/bin/"
    ln -s npm-cli.js "$own/bin/npm"
    install -d -o oriel -m 755 "$place/tools"
    text=$(PATH=$own/bin:$PATH bash -euo pipefail -c 'root=$1 data=$2 room=$2 service_user=oriel service_home=$2 dotnet_root=/nowhere dotnet_version=10.0.1 cgroup=
        is_root() { true; }
        . "$1/script/host.sh"
        . "$1/script/build.sh"
        share_tools
        builder "$sdk_root/dotnet"
        builder "${npm_command[@]}"
        share_tools' build "$root" "$place/tools" 2>&1) || fail "exit code $?: $text"
    [ "$text" = $'an SDK as oriel\nnpm as oriel' ] || fail "$text"
    [ -z "$(find "$place/tools" ! -user oriel)" ] || fail "not all of it is oriel's"
}

# On a terminal of its own; what is installed takes until its seconds have been seen to count.
step_ThatTakesSeconds_CountsThemOnATerminal() {
    local stub=$place/slow screen=$place/screen job line counted=no
    mkdir "$stub"
    mkfifo "$stub/go"
    : >"$screen"
    printf '#!/bin/sh\nfor package; do :; done\n[ "$package" != crun ] || [ -e "$STUB/installed" ] || exit 1\nprintf installed\n' >"$stub/dpkg-query"
    printf '#!/bin/sh\ncase $* in "install -qy"*) read -r _ <"$STUB/go"; : >"$STUB/installed" ;; esac\n' >"$stub/apt-get"
    printf '#!/bin/sh\n[ "$1" = -v ] || exec "$@"\n' >"$stub/sudo"
    chmod 755 "$stub"/*
    PATH=$stub:$PATH STUB=$stub script --quiet --flush --return --command "'$root/oriel' image build '$root/images/desktop' --if-missing --data '$data'" "$screen" >/dev/null </dev/null &
    job=$!
    # A return begins each second's line.
    while IFS= read -r -d $'\r' line; do
        [[ ! $line =~ install\ packages\ +[1-9][0-9]*\ s ]] || counted=yes
        [ "$counted" != yes ] || break
    done < <(exec timeout 60 tail --pid="$job" -n +1 -f "$screen")
    [ "$counted" = yes ] || fail "no seconds were counted: $(cat -v "$screen")"
    echo >"$stub/go"
    wait "$job" || fail "exit code $?: $(cat -v "$screen")"
}

# --- one test, and the server from its sources --------------------------------------------------------------------

# NAME | what is shown of it
test_Named_RunsAlone() {
    local name expected text
    while IFS='|' read -r name expected; do
        text=$("$root/oriel" test "$name" 2>&1) || fail "./oriel test $name ended with $?: $text"
        has "$text" "Running $expected" "To install: nothing."
        [ "${text##*$'\n'}" = "1 passed, 0 failed, 0 skipped" ] || fail "./oriel test $name: $text"
        case $text in *image* | *keeper* | *"web page"*) fail "./oriel test $name built what it needs not: $text" ;; esac
    done <<'NAMES'
ProgramTests.Program_ThatIs*|Program_ThatIsStarted_HasItsPackageInTheTable (fast)
close_OpenAsks_AreNotTakenForAnswered|close_OpenAsks_AreNotTakenForAnswered (web)
NAMES
}

test_ThatStandsOnOthers_TakesThemAlong() {
    local script name
    tests=(first second third other) needs=([second]=first [third]=second)
    choose_tests third
    [ "${tests[*]}" = "first second third" ] || fail "chosen: ${tests[*]}"
    for script in script host-life machine; do
        eval "$(sed -n '/^tests=(/,/)$/p; /^declare -A needs=(/,/^)$/p' "$root/tests/$script.sh")"
        [ "${#needs[@]}" -gt 4 ] || fail "$script.sh: ${#needs[@]} that stand on others"
        for name in "${!needs[@]}" "${needs[@]}"; do
            case " ${tests[*]} " in *" $name "*) ;; *) fail "there is no test $name" ;; esac
        done
    done
}

# In a copy of the tree: the page's sources are its own, what is built is shared. Each process is told by a variable.
dev_PageIsChanged_ServesItAndCtrlCLeavesNothing() {
    local copy=$place/tree mark=ORIEL_DEV_TEST=$place base url dev server end
    mkdir -p "$copy/web" "$place/dev-tmp" "$place/imageless/app/0123456789abcdef"
    cp -a "$root"/{oriel,options.txt,packages.txt,global.json,Directory.Build.props,script} "$copy"
    tar --create -C "$root/web" --exclude=./node_modules --exclude=./dist . | tar --extract -C "$copy/web"
    ln -s "$root/web/node_modules" "$copy/web/"
    ln -s "$root"/{src,artifacts} "$copy/"
    : >"$place/imageless/app/0123456789abcdef/oriel.dll"
    has "$("$copy/oriel" dev --data "$place/imageless" --port 0 --media-port 0 2>&1)" "oriel: there is no golden image in" "./oriel up"

    : >"$log"
    set -m
    # What ./oriel test has built already.
    env "$mark" TMPDIR="$place/dev-tmp" ORIEL_DEV_CONFIGURATION=Release \
        "$copy/oriel" dev --data "$data" --port 0 --media-port 0 >"$log" 2>&1 &
    dev=$!
    set +m
    echo "$dev" >"$place/dev"
    url=$(grep -m1 'signin#token=' < <(exec timeout 240 tail --pid="$dev" -n +1 -f "$log" 2>/dev/null)) ||
        fail "no sign-in URL; it printed: $(cat "$log")"
    base=${url%/signin*}
    has "$base" http://127.0.0.1:
    has "$(client GET "$base/signin")" 200 /src/signin/signin.ts
    [ "$(client POST "$base/api/session" "" "{\"token\":\"${url#*#token=}\"}" | head -n 1)" = 200 ] || fail "it does not sign in: $url"
    server=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).pid' "$data/run/server.json")
    [ "$(stat -c %u "/proc/$server")" != 0 ] || fail "the server is root's"

    has "$(client GET "$base/src/route.ts")" 200 parseRoute
    echo 'export const added = "seen at once";' >>"$copy/web/src/route.ts"
    end=$((SECONDS + 30))
    until case $(client GET "$base/src/route.ts") in *"seen at once"*) ;; *) false ;; esac; do
        [ "$SECONDS" -lt "$end" ] || fail "the change is not served: $(client GET "$base/src/route.ts")"
    done

    kill -INT -- "-$dev"
    timeout 30 tail --pid="$dev" -f /dev/null || fail "it did not end within 30 s; it printed: $(cat "$log")"
    has "$(cat "$log")" "Stopped. No desktop is left."
    ! grep -lsa "$mark" /proc/[0-9]*/environ || fail "these processes are left"
    [ -z "$(ls -A "$place/dev-tmp")" ] || fail "left: $(ls -A "$place/dev-tmp")"
    [ ! -e "$data/app/dev" ] || fail "$data/app/dev is left"
}

# --- a server's life ----------------------------------------------------------------------------------------------

# start [OPTION...]: ./oriel up in a process group of its own, as a terminal runs it; returns when the sign-in URL is printed.
start() {
    local began=$EPOCHREALTIME line server
    : >"$log"
    set -m
    "$root/oriel" up --data "$data" --port 0 --media-port 0 "$@" >"$log" 2>&1 &
    server=$!
    set +m
    echo "$server" >"$place/pid"
    line=$(grep -m1 'signin#token=' < <(exec timeout 120 tail --pid="$server" -n +1 -f "$log" 2>/dev/null)) || fail "no sign-in URL; it printed: $(cat "$log")"
    echo "$line" >"$place/url"
    echo "${line%/signin*}" >"$place/base"
    node -p "((${EPOCHREALTIME/,/.} - ${began/,/.}) * 1000).toFixed(0)" >"$place/start-ms"
}

# stop: Ctrl-C, to the whole process group; returns when it has ended.
stop() {
    local server
    server=$(cat "$place/pid")
    kill -INT -- "-$server"
    timeout 30 tail --pid="$server" -f /dev/null || fail "it did not end within 30 s; it printed: $(cat "$log")"
}

up_FirstStart_ServesThePageAndPrintsAUrlThatSignsIn() {
    local url base token
    start
    url=$(cat "$place/url") base=$(cat "$place/base")
    has "$base" http://127.0.0.1:
    has "$(client GET "$base/signin")" 200 "<html"
    has "$(client GET "$base/api/desktops")" 401 signed-out
    token=${url#*#token=}
    [ "$(client POST "$base/api/session" "" "{\"token\":\"$token\"}" | head -n 1)" = 200 ] || fail "the printed URL does not sign in"
    [ "$(client POST "$base/api/session" "" "{\"token\":\"$token\"}" | head -n 1)" = 401 ] || fail "the printed URL signs in twice"
    token=$(cat "$data/token")
    client POST "$base/api/desktops" "$token" '{"name":"lives-on"}' >"$place/created"
    [ "$(head -n 1 "$place/created")" = 201 ] || fail "no desktop: $(cat "$place/created")"
    tail -n +2 "$place/created" | node -p 'JSON.parse(require("fs").readFileSync(0)).id' >"$place/id"
    client until:ready "$base/api/desktops/$(cat "$place/id")/events" "$token"
}

# As root, it has dropped to the user oriel; in either case nothing of it is root.
up_Processes_AreNeverRoot() {
    local keeper pid uids expected
    keeper=$(node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).pid' "$data/desktops/$(cat "$place/id")/keeper.json")
    echo "$keeper" >"$place/keeper"
    node -p 'JSON.parse(require("fs").readFileSync(process.argv[1])).limits.cgroup ?? ""' "$data/desktops/$(cat "$place/id")/spec.json" >"$place/cgroup"
    for pid in "$(cat "$place/pid")" "$keeper" $(cat "/proc/$keeper/task/$keeper/children"); do
        uids=$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$pid/status")
        case " $uids " in *" 0 "* | "  ") fail "process $pid has the uids '$uids'" ;; esac
    done
    expected=$(id -u)
    [ "$expected" != 0 ] || expected=$(id -u oriel)
    uids=$(awk '/^Uid:/ { print $2, $3, $4, $5 }' "/proc/$(cat "$place/pid")/status")
    [ "$uids" = "$expected $expected $expected $expected" ] || fail "the server has the uids '$uids', not $expected"
}

up_CtrlC_StopsAndNamesTheDesktopsThatLiveOn() {
    stop
    has "$(cat "$log")" "1 desktop lives on" "./oriel down" "$(cat "$place/id")  lives-on  ready"
    kill -0 "$(cat "$place/keeper")" || fail "its keeper has ended"
}

up_SecondStart_FindsTheDesktop() {
    start
    echo "second start: $(cat "$place/start-ms") ms" | tee "$place/second-start"
    client until:ready "$(cat "$place/base")/api/desktops/$(cat "$place/id")/events" "$(cat "$data/token")"
    has "$(client GET "$(cat "$place/base")/api/desktops/$(cat "$place/id")" "$(cat "$data/token")")" 200 lives-on
}

token_OfARunningServer_IsTheFilesAndANewSignInWorks() {
    local url old new
    [ "$("$root/oriel" token --data "$data")" = "$(cat "$data/token")" ] || fail "another token than the file's"
    url=$("$root/oriel" token --new-signin --data "$data")
    has "$url" "$(cat "$place/base")/signin#token="
    [ "$(client POST "$(cat "$place/base")/api/session" "" "{\"token\":\"${url#*#token=}\"}" | head -n 1)" = 200 ] || fail "$url does not sign in"
    old=$(cat "$data/token")
    new=$("$root/oriel" token --rotate --data "$data")
    [ "$new" = "$(cat "$data/token")" ] || fail "it printed $new, which is not the file's"
    has "$(client GET "$(cat "$place/base")/api/sessions" "$old")" 401 token-unknown
    has "$(client GET "$(cat "$place/base")/api/sessions" "$new")" 200 '"sessions":[]'
}

down_RunningServer_EndsItAndItsDesktops() {
    local text pid
    text=$("$root/oriel" down --data "$data" 2>&1) || fail "exit code $?: $text"
    has "$text" "Stopping the server" "$(cat "$place/id"): ended" "1 of 1 desktops ended."
    for pid in "$(cat "$place/pid")" "$(cat "$place/keeper")"; do
        timeout 20 tail --pid="$pid" -f /dev/null || fail "process $pid lives on: $(tr '\0' ' ' <"/proc/$pid/cmdline")"
    done
    [ -z "$(ls -A "$data/desktops")" ] || fail "left: $(ls -A "$data/desktops")"
    # Empty where no cgroup v2 could be had.
    [ ! -s "$place/cgroup" ] || [ ! -e "$(cat "$place/cgroup")" ] || fail "its cgroup is left: $(cat "$place/cgroup")"
    has "$("$root/oriel" down --data "$data" 2>&1)" "No desktop was left."
}

down_NextServer_KnowsTheRecordsClosed() {
    start
    has "$(client GET "$(cat "$place/base")/api/desktops/$(cat "$place/id")" "$(cat "$data/token")")" 200 '"state":"destroyed"' '"code":"requested"' "oriel down"
    has "$(client GET "$(cat "$place/base")/api/desktops" "$(cat "$data/token")")" 200 '"desktops":[]'
    stop
    has "$(cat "$log")" "No desktop is left."
}

# --- a host of other networks -------------------------------------------------------------------------------------

# HOW the guest asks for each target; one line where it got through.
guest_tries() {
    cat <<'GUEST'
for target in 5.5.5.5 '[2a0a:dead::1]' 5.6.7.1 5.6.7.9 '[2a0a:beef::1]' '[2a0a:beef::9]' 6.6.6.6 9.9.9.1 168.63.129.16 161.26.0.10 166.9.9.9 169.254.169.254 \
    own.test own6.test link.test route.test platform.test 84215045 0x05050505 005.5.5.5 5.5.1285 '[::ffff:5.5.5.5]' '[::5.5.5.5]' '[64:ff9b::505:505]' '[2a0a:dead::1%251]' \
    7.7.7.7:8000/to/http://5.5.5.5 7.7.7.7:8000/to/http://own.test world.test:8000/to/http://168.63.129.16 7.7.7.7 '[2b0a::7]' world.test; do
    for way in "" "--proxytunnel" "--noproxy *"; do
        set -f
        [ "$(curl -sgL -m 20 $way "http://$target:8000/" 2>/dev/null)" = reached ] && echo "$target $way"
        set +f
    done
done
true
GUEST
}

live_in_networks() {
    local base id token entries
    start "$@"
    base=$(cat "$place/base") token=$(cat "$data/token")
    id=$(client POST "$base/api/desktops" "$token" '{"egress":{"mode":"internet"}}' | tail -n +2 | node -p 'JSON.parse(require("fs").readFileSync(0)).id')
    client until:ready "$base/api/desktops/$id/events" "$token"
    client POST "$base/api/desktops/$id/exec" "$token" "$(guest_tries | node -p 'JSON.stringify({ command: "bash", args: ["-c", require("fs").readFileSync(0, "utf8")], timeout: 560 })')" >"$place/tried"
    client GET "$base/api/desktops/$id/egress" "$token" >"$place/egress-log"
    "$root/oriel" down --data "$data" >/dev/null 2>&1
}

# judge_networks [OPTION...]: of up.
judge_networks() {
    [ "$(id -u)" = 0 ] || skip "only root makes a host with other networks"
    export -f live_in_networks start client guest_tries fail
    export root data place log
    "$root/tests/networks.sh" bash -euo pipefail -c 'live_in_networks "$@"' - --egress-host own.test=5.5.5.5 --egress-host own6.test=2a0a:dead::1 \
        --egress-host link.test=5.6.7.9 --egress-host route.test=6.6.6.6 --egress-host platform.test=161.26.0.10 --egress-host world.test=7.7.7.7 "$@"
    node "$root/tests/networks-judge.mjs" "$place/tried" "$place/egress-log"
}

# Own addresses, on-link prefixes, routes of the host's own, platforms' services; by address in every spelling, by name and by redirect.
egress_HostsOwnNetworks_AreRefusedByARuleWhateverTheirAddress() { judge_networks; }
egress_HostsOwnNetworksFromAMachine_AreRefusedAsWell() {
    # Emulated, each of the hundred programs takes its time.
    export CLIENT_SECONDS=600
    judge_networks --driver qemu
}

# --- running them -------------------------------------------------------------------------------------------------

clean_up() {
    if [ -s "$place/dev" ] && kill -TERM "$(cat "$place/dev")" 2>/dev/null; then
        timeout 30 tail --pid="$(cat "$place/dev")" -f /dev/null
    fi
    if [ -s "$place/pid" ] && kill -0 "$(cat "$place/pid")" 2>/dev/null; then
        "$root/oriel" down --data "$data" >/dev/null 2>&1
    fi
    rm -rf "$place"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

code=0
run_tests script.sh || code=$?
[ ! -f "$place/second-start" ] || cat "$place/second-start"
exit "$code"
