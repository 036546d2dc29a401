#!/bin/bash
# The life of one bare machine, as its first process: host-life.sh RELEASE user|root RESULTS [NAME...]
# Does what README says, word for word, and judges what a person would see. Each test's words go to RESULTS/TEST, the outcomes to RESULTS/results.
# With names: these tests, and what they stand on.
set -uo pipefail

release=$1
kind=$2
place=$3
: >"$place/results"

if [ "$kind" = root ]; then
    account=root home=/root data=/var/lib/oriel service=oriel
else
    account=ann home=/home/ann data=/home/ann/.local/share/oriel service=ann
fi
clone="$home/my oriel"
log=$place/up.log
base=http://127.0.0.1:4000

# shellcheck source=tests/shell.sh
. "$(dirname "$0")/shell.sh"

# one_line TEXT: a refusal is one line that begins with the program's name.
one_line() {
    [ "$(grep -c . <<<"$1")" = 1 ] || fail "more than one line: $1"
    case $1 in "oriel: "*) ;; *) fail "it does not begin with 'oriel: ': $1" ;; esac
}

# run WORDS...: in the clone, in the account's own login shell.
run() { su -l "$account" -c "cd $(printf %q "$clone") && $*"; }

# What is installed and what is there of Oriel: must not change by what only asks.
state() {
    dpkg-query -W | sha256sum
    find "$clone/artifacts" "$data" /var/lib/oriel -maxdepth 1 2>/dev/null | sort || :
    stat -c '%n %U %G %a' /srv /srv/* /tmp /home/* /opt
}

asks_only() {
    state >"$place/before"
    "$@"
    state | diff "$place/before" - || fail "it changed the machine"
}

# --- before the first start ---------------------------------------------------------------------------------------

clone_IntoAPathWithABlank_Works() {
    su -l "$account" -c "git clone --quiet /srv/share/oriel.bundle 'my oriel'"
    [ -x "$clone/oriel" ] || fail "no clone"
}

questions_OnABareMachine_InstallAndBuildNothing() {
    asks_only ask_questions
}

ask_questions() {
    local text code
    has "$(run ./oriel help)" "up " "doctor"
    has "$(run ./oriel up --help)" --port --bind --data
    has "$(run ./oriel image build --help)" --agent
    has "$(run ./oriel --version)" "oriel "
    for words in token "image list" down "image list --data /srv/none" "token --data /srv/none"; do
        code=0
        text=$(run "./oriel $words" 2>&1) || code=$?
        [ "$code" != 0 ] || [ "$words" = down ] || fail "./oriel $words ended with 0: $text"
        [ "$(grep -c . <<<"$text")" = 1 ] || fail "./oriel $words: $text"
    done
    code=0
    text=$(run ./oriel doctor 2>&1) || code=$?
    [ "$code" = 0 ] || fail "doctor ended with $code: $text"
    has "$text" "missing: " "crun" "./oriel up installs them" "not built yet"
    case $text in *"apt-get install libicu"* | *fail*) fail "$text" ;; esac
    run ./oriel doctor --json | jq -e 'length > 8 and all(.[]; .name and .outcome and .seen)' >/dev/null || fail "no JSON"
}

mistakes_AreToldInOneLineBeforeAnythingIsInstalled() {
    asks_only make_mistakes
}

make_mistakes() {
    local text words
    for words in "up --prot 4730" "up --port" "up --port abc" "up --driver docker" "up --bind localhost" "up --port 80" "up --max-desktops none" \
        "image buidl" "bench nosuch" "test lniux" "fly" "up --data /srv/shared" "up --data /etc/passwd"; do
        text=$(run "./oriel $words" 2>&1) && fail "./oriel $words was accepted: $text"
        one_line "$text"
    done
    # Another program has the port.
    nc_listen
    text=$(run ./oriel up --port 4555 2>&1) && fail "a taken port was accepted: $text"
    kill "$listener"
    one_line "$text"
    has "$text" 4555 "taken" "--port N"
}

nc_listen() {
    mkfifo "$place/listening" 2>/dev/null
    node -e 'require("net").createServer().listen(4555, "127.0.0.1", () => require("fs").writeFileSync(process.argv[1], "x"))' "$place/listening" &
    listener=$!
    read -rN1 _ <"$place/listening"
}

network_ThatIsNotThere_IsNamedBeforeAnythingIsInstalled() {
    asks_only try_without_network
}

try_without_network() {
    local text
    text=$(unshare --net su -l "$account" -c "cd $(printf %q "$clone") && ./oriel up" 2>&1) && fail "it came up without a network: $text"
    one_line "$text"
    has "$text" "package server does not answer" "network"
}

disk_ThatIsTooSmall_IsNamedBeforeAnythingIsInstalled() {
    mkdir -p /srv/small
    mount -t tmpfs -o size=700m small /srv/small
    [ "$kind" = root ] || chown ann: /srv/small
    asks_only try_small_disk
    umount /srv/small
}

try_small_disk() {
    local text
    text=$(run ./oriel up --data /srv/small/data 2>&1) && fail "it took a small disk: $text"
    one_line "$text"
    has "$text" "GiB free" "needed" "--data DIR"
}

user_WithoutSudo_IsToldWhatTheAdministratorRuns() {
    local text
    [ "$kind" = user ] || skip "root needs no sudo"
    su -l eve -c "cp -r $(printf %q "$clone") mine" 2>/dev/null || { cp -r "$clone" /home/eve/mine && chown -R eve: /home/eve/mine; }
    text=$(su -l eve -c "cd mine && ./oriel up" 2>&1) && fail "it came up: $text"
    one_line "$text"
    has "$text" "Ask the administrator to run: apt-get install" crun
}

# --- the server's life --------------------------------------------------------------------------------------------

# start SECONDS WORDS...: ./oriel WORDS in a process group of its own, as a terminal runs it, and in a cgroup of its own that belongs to the account, as
# systemd gives one; returns when the sign-in address is printed.
start() {
    local patience=$1 scope=/sys/fs/cgroup/run-$RANDOM.scope line server
    shift
    : >"$log"
    mkdir "$scope"
    [ "$kind" = root ] || chown ann: "$scope" "$scope"/cgroup.{procs,threads,subtree_control}
    su -l "$account" -c 'env -0' >"$place/environment"
    mapfile -d '' -t environment <"$place/environment"
    set -m
    (
        cd "$clone" || exit
        [ "$kind" = root ] || echo "$BASHPID" >"$scope/cgroup.procs"
        exec setpriv --reuid "$account" --regid "$account" --init-groups env -i "${environment[@]}" ./oriel "$@"
    ) >"$log" 2>&1 &
    server=$!
    set +m
    echo "$server" >"$place/pid"
    line=$(grep -m1 'signin#token=' < <(exec timeout "$patience" tail --pid="$server" -n +1 -f "$log" 2>/dev/null)) || fail "no sign-in address within $patience s; it printed: $(cat "$log")"
    has "$line" "$base/signin#token="
}

# stop: Ctrl-C, to the whole process group; returns when it has ended.
stop() {
    local server
    server=$(cat "$place/pid")
    kill -INT -- "-$server"
    timeout 60 tail --pid="$server" -f /dev/null || fail "it did not end within 60 s; it printed: $(cat "$log")"
}

api() { # METHOD PATH [BODY]
    curl -sS -X "$1" -H "Authorization: Bearer $(run ./oriel token)" ${3+--json "$3"} "$base/api$2"
}

# until_state ID STATE SECONDS
until_state() {
    timeout "$3" curl -sSN -H "Authorization: Bearer $(run ./oriel token)" "$base/api/desktops/$1/events" | sed -n "/\"state\":\"\($2\|failed\|destroyed\)\"/{p;q}" >"$place/state" || :
    grep -q "\"state\":\"$2\"" "$place/state" || fail "not $2 within $3 s, but: $(cat "$place/state") $(api GET "/desktops/$1")"
}

# until_none SECONDS: no desktop is there any more.
until_none() {
    local end=$((SECONDS + $1))
    until [ "$(api GET /desktops | jq '.desktops | length')" = 0 ]; do
        [ "$SECONDS" -lt "$end" ] || fail "a desktop is there still: $(api GET /desktops)"
        read -rt 0.2 _ <> <(:) || :
    done
}

create() { # NAME SECONDS
    api POST /desktops "{\"name\":\"$1\"}" | jq -r .id >"$place/id"
    grep -q '^d-' "$place/id" || fail "no desktop was made"
    until_state "$(cat "$place/id")" ready "$2"
}

# As a machine that has run Oriel of these sources before: the run's own build is used, where this release runs it.
seed() {
    [ "$kind" = root ] && [ "$(cat /srv/share/release)" = "$release" ] || return 0
    useradd --system --user-group --create-home --home-dir /var/lib/oriel --shell /usr/sbin/nologin oriel
    chmod 755 /var/lib/oriel
    cp -r /srv/share/app /srv/share/cache /var/lib/oriel/
    chown -R oriel: /var/lib/oriel
}

up_OnABareMachine_EndsWithAnAddress() {
    seed
    start 1500 up
    has "$(cat "$log")" "Debian packages to install:" crun "Desktops: container" "Oriel is ready"
    [ "$kind" != user ] || has "$(cat "$log")" "Building Oriel"
    has "$(curl -sS "$base/signin")" "<html"
    cat "$log"
}

readme_TheApiInFiveLines_WorkAsTheyStand() {
    local lines
    lines=$(sed -n '/^## The API in five lines/,/^    /{/^    /p}; /^## The API in five lines/,/^## [^T]/{/^    /p}' "$clone/README.md" | awk '!seen[$0]++' | sed 's/^    //')
    [ "$(grep -c . <<<"$lines")" = 5 ] || fail "README has not five lines but: $lines"
    printf '%s\n' "$lines" >"$place/lines"
    chmod 644 "$place/lines"
    # As typed: a line's exit code is its last program's.
    run "bash $place/lines" >"$place/said" 2>&1 || fail "they failed: $(cat "$place/said")"
    has "$(cat "$place/said")" '"state":"ready"' Linux
    until_none 60
    head -c 8 "$clone/shot.png" | grep -q PNG || fail "the screenshot is no PNG"
    rm "$clone/shot.png"
}

pause_And_Resume_Work() {
    create lives-on 240
    has "$(api POST "/desktops/$(cat "$place/id")/pause" '{}')" '"state":"paused"'
    has "$(api POST "/desktops/$(cat "$place/id")/resume" '{}')" '"state":"ready"'
    has "$(api POST "/desktops/$(cat "$place/id")/exec" '{"command":"echo","args":["awake"]}')" awake
}

processes_AreNeverRoot() {
    local keeper pid
    keeper=$(jq .pid "$data/desktops/$(cat "$place/id")/keeper.json")
    echo "$keeper" >"$place/keeper"
    for pid in "$(cat "$place/pid")" "$keeper"; do
        [ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" = "$(id -u "$service")" ] || fail "process $pid is not $service's"
    done
}

ctrlC_StopsTheServerAndNamesTheDesktop() {
    stop
    has "$(cat "$log")" "1 desktop lives on" "./oriel down" "$(cat "$place/id")"
    kill -0 "$(cat "$place/keeper")" || fail "its keeper has ended"
}

up_Again_AdoptsTheDesktop() {
    start 120 up
    until_state "$(cat "$place/id")" ready 60
    [ "$(jq .pid "$data/desktops/$(cat "$place/id")/keeper.json")" = "$(cat "$place/keeper")" ] || fail "another keeper"
    has "$(api POST "/desktops/$(cat "$place/id")/exec" '{"command":"echo","args":["again"]}')" again
}

doctor_OfARunningOne_AdvisesNothingThatDoesNotHelp() {
    local text code=0
    text=$(run ./oriel doctor --json 2>"$place/doctor.err") || code=$?
    [ "$code" = 0 ] || fail "doctor ended with $code: $(jq -c 'map(select(.outcome == "fail"))' <<<"$text") $(cat "$place/doctor.err")"
    jq -e 'map(select(.outcome == "fail")) == []' <<<"$text" >/dev/null || fail "$text"
    jq -e 'map(select((.mend // "") | test("apt-get install"))) | all(.[]; .name == "chromium" or (.name | test("firecracker"; "i")))' <<<"$text" >/dev/null || fail "it advises to install what is installed: $text"
}

down_EndsAllAndLeavesNothing() {
    local text pid
    text=$(run ./oriel down 2>&1) || fail "exit code $?: $text"
    has "$text" "1 of 1 desktops ended."
    timeout 30 tail --pid="$(cat "$place/keeper")" -f /dev/null || fail "its keeper lives on"
    [ -z "$(ls -A "$data/desktops")" ] || fail "left: $(ls -A "$data/desktops")"
    for pid in /proc/[0-9]*; do
        pid=${pid#/proc/}
        [ "$pid" = 1 ] || [ "$pid" = "$BASHPID" ] || [ "$pid" = "$PPID" ] || case $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null) in *oriel-keeper* | *oriel-agent* | *oriel.dll* | *crun* | *qemu-system*) fail "process $pid is left: $(tr '\0' ' ' <"/proc/$pid/cmdline")" ;; esac
    done
    [ ! -e /sys/fs/cgroup/oriel ] || fail "its cgroup is left: $(find /sys/fs/cgroup/oriel -type d)"
    text=$(find /tmp -mindepth 1 -maxdepth 1 ! -name .dotnet ! -name clr-debug-pipe\* ! -name dotnet-diagnostic\*)
    [ -z "$text" ] || fail "left in /tmp: $text"
}

root_ChangesNothingThatOrielDidNotMake() {
    [ "$(stat -c '%U %G %a' /srv/shared)" = "ann ann 1777" ] || fail "/srv/shared is now $(stat -c '%U %G %a' /srv/shared)"
    [ "$(stat -c '%U %a' /tmp /home/ann /srv | paste -sd ' ')" = "$(cat "$place/modes")" ] || fail "$(stat -c '%n %U %a' /tmp /home/ann /srv)"
}

qemu_ByEmulation_BringsADesktopToReady() {
    [ "$release" = trixie ] || skip "each test run has this release's QEMU in its desktop ring"
    start 240 up --driver qemu
    has "$(cat "$log")" "Desktops: qemu"
    create emulated 600
    has "$(api POST "/desktops/$(cat "$place/id")/exec" '{"command":"uname"}')" Linux
    has "$(run ./oriel down 2>&1)" "1 of 1 desktops ended."
}

mkdir -p /srv/shared
chown ann: /srv/shared
chmod 1777 /srv/shared
touch /srv/shared/something
stat -c '%U %a' /tmp /home/ann /srv | paste -sd ' ' >"$place/modes"

tests=(clone_IntoAPathWithABlank_Works questions_OnABareMachine_InstallAndBuildNothing mistakes_AreToldInOneLineBeforeAnythingIsInstalled
    network_ThatIsNotThere_IsNamedBeforeAnythingIsInstalled disk_ThatIsTooSmall_IsNamedBeforeAnythingIsInstalled user_WithoutSudo_IsToldWhatTheAdministratorRuns
    up_OnABareMachine_EndsWithAnAddress readme_TheApiInFiveLines_WorkAsTheyStand pause_And_Resume_Work processes_AreNeverRoot ctrlC_StopsTheServerAndNamesTheDesktop
    up_Again_AdoptsTheDesktop doctor_OfARunningOne_AdvisesNothingThatDoesNotHelp down_EndsAllAndLeavesNothing root_ChangesNothingThatOrielDidNotMake
    qemu_ByEmulation_BringsADesktopToReady)
declare -A needs=(
    [questions_OnABareMachine_InstallAndBuildNothing]=clone_IntoAPathWithABlank_Works
    [mistakes_AreToldInOneLineBeforeAnythingIsInstalled]=clone_IntoAPathWithABlank_Works
    [network_ThatIsNotThere_IsNamedBeforeAnythingIsInstalled]=clone_IntoAPathWithABlank_Works
    [disk_ThatIsTooSmall_IsNamedBeforeAnythingIsInstalled]=clone_IntoAPathWithABlank_Works
    [user_WithoutSudo_IsToldWhatTheAdministratorRuns]=clone_IntoAPathWithABlank_Works
    [up_OnABareMachine_EndsWithAnAddress]=clone_IntoAPathWithABlank_Works
    [readme_TheApiInFiveLines_WorkAsTheyStand]=up_OnABareMachine_EndsWithAnAddress
    [pause_And_Resume_Work]=up_OnABareMachine_EndsWithAnAddress
    [processes_AreNeverRoot]=pause_And_Resume_Work
    [ctrlC_StopsTheServerAndNamesTheDesktop]=processes_AreNeverRoot
    [up_Again_AdoptsTheDesktop]=ctrlC_StopsTheServerAndNamesTheDesktop
    [doctor_OfARunningOne_AdvisesNothingThatDoesNotHelp]=up_OnABareMachine_EndsWithAnAddress
    [down_EndsAllAndLeavesNothing]=up_Again_AdoptsTheDesktop
    [root_ChangesNothingThatOrielDidNotMake]=down_EndsAllAndLeavesNothing
    [qemu_ByEmulation_BringsADesktopToReady]=down_EndsAllAndLeavesNothing
)
choose_tests "${@:4}"
failed=0
for name in "${tests[@]}"; do
    run_test "$name" >/dev/null
    [ "$code" = 0 ] || [ "$code" = 77 ] || failed=1
    # Without a clone or a server the rest says nothing.
    case $name in clone_* | up_OnABare*) [ "$code" = 0 ] || break ;; esac
done
exit "$failed"
