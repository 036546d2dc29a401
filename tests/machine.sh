#!/bin/bash
# Tests in a whole machine with systemd, run by ./oriel test machine: machine.sh RESULT QEMU CONSOLE SHELL-PORT HTTP-PORT [NAME...]
# QEMU is the machine's process. The tests, or those named and what they stand on, run in their order; the outcome goes to RESULT (CTRF).
set -uo pipefail

root=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
result=$1 qemu=$2 console=$3 shell_port=$4
api=http://127.0.0.1:$5/api
place=$(mktemp -d)
unit=/sys/fs/cgroup/system.slice/oriel.service
: >"$place/results"
echo 0 >"$place/boots"

# shellcheck source=tests/shell.sh
. "$root/tests/shell.sh"

# Of the template "small": memory, processes, and one of the two processors.
memory=1342177280 pids=600
templates='[ { "name": "small", "memoryBytes": '$memory', "cpus": 1, "pids": '$pids' }, { "name": "plain", "memoryBytes": '$memory', "pids": '$pids' } ]'

tests=(machine_Debian13_BootsWithSystemd install_ByOneCommand_ServesAsItsUserAtOnceAndAtEachBoot desktop_OfTheService_IsReadyInAGroupWithItsLimits
    memory_GuestThatTakesTooMuch_IsTheOnlyOneToSuffer memory_WholeGuestEndedForIt_FailsWithOom
    processes_ForkBomb_StaysInItsGroup cpu_BusyGuest_IsHeldToItsShareAndOthersAnswer
    restart_OfTheService_DesktopsLiveOnAdopted upgrade_NewProgram_DesktopsLiveOnAdopted reboot_DesktopsOfBefore_AreDestroyedWithTheReason
    remove_Service_LeavesTheDataAlone user_WithoutAManager_IsToldWhatIsMissing user_InALoginSession_GetsAGroupByItself)
declare -A needs=(
    [install_ByOneCommand_ServesAsItsUserAtOnceAndAtEachBoot]=machine_Debian13_BootsWithSystemd
    [desktop_OfTheService_IsReadyInAGroupWithItsLimits]=install_ByOneCommand_ServesAsItsUserAtOnceAndAtEachBoot
    [memory_GuestThatTakesTooMuch_IsTheOnlyOneToSuffer]=desktop_OfTheService_IsReadyInAGroupWithItsLimits
    [memory_WholeGuestEndedForIt_FailsWithOom]=desktop_OfTheService_IsReadyInAGroupWithItsLimits
    [processes_ForkBomb_StaysInItsGroup]=desktop_OfTheService_IsReadyInAGroupWithItsLimits
    [cpu_BusyGuest_IsHeldToItsShareAndOthersAnswer]=desktop_OfTheService_IsReadyInAGroupWithItsLimits
    [restart_OfTheService_DesktopsLiveOnAdopted]=cpu_BusyGuest_IsHeldToItsShareAndOthersAnswer
    [upgrade_NewProgram_DesktopsLiveOnAdopted]=cpu_BusyGuest_IsHeldToItsShareAndOthersAnswer
    [reboot_DesktopsOfBefore_AreDestroyedWithTheReason]=cpu_BusyGuest_IsHeldToItsShareAndOthersAnswer
    [remove_Service_LeavesTheDataAlone]=install_ByOneCommand_ServesAsItsUserAtOnceAndAtEachBoot
    [user_WithoutAManager_IsToldWhatIsMissing]=remove_Service_LeavesTheDataAlone
    [user_InALoginSession_GetsAGroupByItself]=user_WithoutAManager_IsToldWhatIsMissing
)
choose_tests "${@:6}"

# --- in the machine -----------------------------------------------------------------------------------------------

# on SCRIPT: has root's bash in the machine run it; prints its output and ends as it did.
on() {
    local answer code
    exec 3<>"/dev/tcp/127.0.0.1/$shell_port" || fail "the machine's shell does not answer"
    printf '(\nset -e\n%s\n) </dev/null 2>&1\nprintf "\\n%%s" "$?"\nexit\n' "$1" >&3
    answer=$(timeout 1800 cat <&3)
    exec 3>&-
    code=${answer##*$'\n'}
    answer=${answer%$'\n'*}
    printf '%s\n' "${answer%$'\n'}"
    case $code in 0) ;; *[!0-9]* | '') fail "the machine's shell ended early, in: $1" ;; *) return "$code" ;; esac
}

# await_boot: until the console shows one more boot that was finished.
await_boot() {
    local boots
    boots=$(($(cat "$place/boots") + 1))
    timeout 900 grep -a -q -m1 . < <(exec tail --pid="$qemu" -n +1 -f "$console" 2>/dev/null | grep -a --line-buffered 'the machine is up' | sed -u -n "${boots}p") ||
        fail "the machine did not come up; its console ends with: $(tail -c 2000 "$console")"
    echo "$boots" >"$place/boots"
}

# --- desktops -----------------------------------------------------------------------------------------------------

client() { node "$root/tests/script-client.mjs" "$@"; }
token() { cat "$place/token"; }
id_of() { cat "$place/$1.id"; }
field() { node -p "JSON.parse(require('fs').readFileSync(0, 'utf8').split('\n').slice(1).join('\n'))$1"; }

# create NAME TEMPLATE: returns when it is ready.
create() {
    client POST "$api/desktops" "$(token)" "{\"name\":\"$1\",\"template\":\"$2\"}" >"$place/$1.created"
    [ "$(head -n 1 "$place/$1.created")" = 201 ] || fail "no desktop: $(cat "$place/$1.created")"
    field .id <"$place/$1.created" >"$place/$1.id"
    await "$1" ready
}

await() { client "until:$2" "$api/desktops/$(id_of "$1")/events" "$(token)"; } # NAME STATE
desktop() { client GET "$api/desktops/$(id_of "$1")" "$(token)"; }              # NAME

# run NAME USER SCRIPT: in the desktop; prints the answer's JSON.
run() {
    client POST "$api/desktops/$(id_of "$1")/exec" "$(token)" "$(node -p 'JSON.stringify({ command: "sh", args: ["-c", process.argv[2]], user: process.argv[1], timeout: 1800 })' "$2" "$3")"
}

# answers NAME: it is ready and runs a command.
answers() {
    has "$(desktop "$1")" '"state":"ready"'
    has "$(run "$1" user 'echo here')" 200 '"exitCode":0' here
}

group_of() { on "sed -nE 's/.*\"cgroup\":\"([^\"]*)\".*/\1/p' /var/lib/oriel/desktops/$(id_of "$1")/spec.json"; } # NAME
keeper_of() { on "sed -nE 's/.*\"pid\":([0-9]+).*/\1/p' /var/lib/oriel/desktops/$(id_of "$1")/keeper.json"; }      # NAME
count_of() { on "awk '\$1 == \"$3\" { print \$2 }' $unit/$(id_of "$1")/$2"; }                                     # NAME FILE KEY

# --- the tests ----------------------------------------------------------------------------------------------------

machine_Debian13_BootsWithSystemd() {
    await_boot
    has "$(on 'systemctl is-system-running --wait; systemctl --version; cat /etc/debian_version; cat /sys/fs/cgroup/cgroup.controllers')" running "systemd 257" 13. cpu memory pids
    on "echo '$templates' >/var/lib/oriel/templates.json; chown oriel: /var/lib/oriel/templates.json"
}

install_ByOneCommand_ServesAsItsUserAtOnceAndAtEachBoot() {
    on 'cp -r /srv/app /srv/v1'
    has "$(on 'cd /usr/src/oriel; ./oriel service install --app /srv/v1 --driver container')" "Oriel runs as a service" signin#token=
    has "$(on 'systemctl is-active oriel; systemctl is-enabled oriel; ps_user=$(stat -c %U /proc/$(systemctl show -P MainPID oriel)); echo "user $ps_user"; cat /proc/$(systemctl show -P MainPID oriel)/cgroup')" \
        active enabled "user oriel" /system.slice/oriel.service/oriel-server
    on 'cat /var/lib/oriel/token' >"$place/token"
    has "$(client GET "$api/session" "$(token)")" 200 '"signedIn":true'
}

desktop_OfTheService_IsReadyInAGroupWithItsLimits() {
    create one plain
    create other small
    [ "$(group_of one)" = "$unit/$(id_of one)" ] || fail "its group is $(group_of one)"
    [ "$(on "cd $unit/$(id_of other); cat memory.max memory.swap.max cpu.max pids.max")" = "$memory"$'\n0\n'"100000 100000"$'\n'"$pids" ] || fail "limits: $(on "cd $unit/$(id_of other); cat memory.max cpu.max pids.max")"
    # The keeper is not in it: what a guest takes, its keeper does not lack.
    has "$(on "cat /proc/$(keeper_of other)/cgroup")" oriel.service/oriel-server
    answers one
    answers other
}

memory_GuestThatTakesTooMuch_IsTheOnlyOneToSuffer() {
    local server said
    server=$(on 'systemctl show -P MainPID oriel')
    said=$(run one user 'tail /dev/zero')
    has "$said" 200
    case $said in *'"exitCode":0'*) fail "it was not ended: $said" ;; esac
    [ "$(count_of one memory.events oom_kill)" -ge 1 ] || fail "nothing was killed: $(on "cat $unit/$(id_of one)/memory.events")"
    [ "$(on "cat $unit/$(id_of one)/memory.peak")" -le "$memory" ] || fail "it had $(on "cat $unit/$(id_of one)/memory.peak") bytes"
    client until-warning:oom "$api/desktops/$(id_of one)/events" "$(token)"
    answers one
    answers other
    [ "$(count_of other memory.events oom_kill)" = 0 ] || fail "the other one lost a program"
    [ "$(on 'systemctl show -P MainPID oriel')" = "$server" ] || fail "the server was restarted"
}

# The agent is what the kernel takes first: the guest's root has seen to it.
memory_WholeGuestEndedForIt_FailsWithOom() {
    run one root 'echo 1000 >/proc/1/oom_score_adj; tail /dev/zero' || :
    await one destroyed
    has "$(desktop one | tail -n +2)" '"code":"oom"' "for want of memory"
    answers other
    on "! [ -e $unit/$(id_of one) ] && ! [ -e /var/lib/oriel/desktops/$(id_of one) ]" || fail "left: $(on "ls -d $unit/d-* /var/lib/oriel/desktops/*")"
}

# Each sleeps, so that they all stay until the shell is refused another.
processes_ForkBomb_StaysInItsGroup() {
    local peak
    create one plain
    run one user 'while sleep 3600 & do :; done' >"$place/bomb" &
    # Its own desktop may end of it, and the group with that: the peak is read as soon as one was refused.
    peak=$(on "cd $unit/$(id_of one); until awk '\$1 == \"max\" && \$2 > 0 { found = 1 } END { exit !found }' pids.events; do read -rt 0.5 <> <(:) || :; done; cat pids.peak")
    [ "$peak" -le "$pids" ] || fail "it had $peak processes"
    answers other
    [ "$(count_of other pids.events max)" = 0 ] || fail "the other one was refused a process"
    client DELETE "$api/desktops/$(id_of one)" "$(token)" >/dev/null
    await one destroyed
    wait
}

cpu_BusyGuest_IsHeldToItsShareAndOthersAnswer() {
    local before after busy
    create one plain
    before=$(on "awk '\$1 == \"usage_usec\" || \$1 == \"nr_throttled\" { printf \"%s \", \$2 } END { print \"\" }' $unit/$(id_of other)/cpu.stat; cut -d' ' -f1 /proc/uptime")
    run other user 'for i in 1 2 3 4; do until [ -e /tmp/enough ]; do :; done & done; wait' >"$place/busy" &
    busy=$!
    on "cd $unit/$(id_of other); first=\$(awk '\$1 == \"nr_throttled\" { print \$2 }' cpu.stat); until awk -v first=\"\$first\" '\$1 == \"nr_throttled\" { exit !(\$2 > first + 100) }' cpu.stat; do read -rt 0.5 <> <(:) || :; done"
    answers one
    after=$(on "awk '\$1 == \"usage_usec\" || \$1 == \"nr_throttled\" { printf \"%s \", \$2 } END { print \"\" }' $unit/$(id_of other)/cpu.stat; cut -d' ' -f1 /proc/uptime")
    run other user 'touch /tmp/enough' >/dev/null
    wait "$busy"
    # One processor, and what one period's slices may be over it.
    node -e '
        const [before, after] = process.argv.slice(1).map((text) => text.trim().split(/\s+/).map(Number));
        const share = (after[0] - before[0]) / 1e6 / (after[2] - before[2]);
        console.log(`it took ${share.toFixed(3)} processors of 1, held back ${after[1] - before[1]} times`);
        process.exit(share <= 1.1 && after[1] > before[1] ? 0 : 1);' "$before" "$after" || fail "before: $before; after: $after"
    has "$(cat "$place/busy")" 200 '"exitCode":0'
}

# keeps NAME COMMAND: what the command does to the server, the desktop does not notice: same keeper, same limits, ready again and answering.
keeps() {
    local keeper server
    keeper=$(keeper_of "$1") server=$(on 'systemctl show -P MainPID oriel')
    on "$2"
    [ "$(on 'systemctl show -P MainPID oriel')" != "$server" ] || fail "it is the same server"
    await "$1" ready
    [ "$(keeper_of "$1")" = "$keeper" ] || fail "another keeper"
    on "kill -0 $keeper"
    [ "$(on "cat $unit/$(id_of "$1")/memory.max")" = "$memory" ] || fail "another limit: $(on "cat $unit/$(id_of "$1")/memory.max")"
    answers "$1"
}

restart_OfTheService_DesktopsLiveOnAdopted() { keeps one 'systemctl restart oriel'; }

upgrade_NewProgram_DesktopsLiveOnAdopted() {
    on 'cp -r /srv/app /srv/v2'
    keeps one 'cd /usr/src/oriel; ./oriel service install --app /srv/v2'
    has "$(on 'readlink /opt/oriel/current; tr "\0" " " </proc/$(systemctl show -P MainPID oriel)/cmdline; grep -c /opt/oriel/v2/ /proc/$(systemctl show -P MainPID oriel)/maps')" /opt/oriel/v2 "--driver=container"
}

reboot_DesktopsOfBefore_AreDestroyedWithTheReason() {
    answers one
    on 'systemctl reboot --no-block'
    await_boot
    on 'systemctl start oriel; systemctl is-active oriel'
    await one destroyed
    has "$(desktop one | tail -n +2)" '"state":"destroyed"' '"code":"host-restarted"'
    on "! [ -e /var/lib/oriel/desktops/$(id_of one) ] && ! [ -e $unit/$(id_of one) ]" || fail "left: $(on "ls -d $unit/d-* /var/lib/oriel/desktops/*")"
    has "$(client GET "$api/desktops" "$(token)")" '"desktops":[]'
    create next plain
    answers next
}

remove_Service_LeavesTheDataAlone() {
    local keeper
    [ -e "$place/next.id" ] || create next plain
    keeper=$(keeper_of next)
    has "$(on 'cd /usr/src/oriel; ./oriel service remove')" "$(id_of next): ended" "The service is gone"
    on "! systemctl cat oriel >/dev/null 2>&1 && ! [ -e /opt/oriel ] && ! kill -0 $keeper && ! [ -e $unit ] && ls /var/lib/oriel/images/*/manifest.json" >/dev/null || fail "not as told"
}

# ann has the service's ids and image from here on, and the program as an earlier build.
user_WithoutAManager_IsToldWhatIsMissing() {
    on 'sed -i "/^ann:/d; s/^oriel:/ann:/" /etc/subuid /etc/subgid
        data=/home/ann/.local/share/oriel
        mkdir -p $data/app
        mv /var/lib/oriel/images /var/lib/oriel/templates.json $data/
        find $data -user oriel -exec chown -h ann {} + ; find $data -group oriel -exec chgrp -h ann {} +
        chown -R ann: /usr/src/oriel
        hash=$(cd /usr/src/oriel && . script/build.sh && root=$PWD dotnet_version=$(dotnet --version) && source_hash)
        cp -r /srv/app $data/app/$hash; touch $data/.oriel
        chown ann: /home/ann/.local /home/ann/.local/share $data $data/.oriel; chown -R ann: $data/app'
    has "$(on 'cd /home/ann; setpriv --reuid ann --regid ann --init-groups env -i HOME=/home/ann PATH=/usr/local/bin:/usr/bin:/bin /usr/src/oriel/oriel doctor --json || :')" \
        "cgroup v2 delegation" "no systemd user manager runs for ann: sudo loginctl enable-linger ann"
}

user_InALoginSession_GetsAGroupByItself() {
    local scope desktops=/home/ann/.local/share/oriel/desktops
    on 'loginctl enable-linger ann; systemctl start user@$(id -u ann).service'
    has "$(on 'su -l ann -c "/usr/src/oriel/oriel doctor --json" || :')" "cgroup v2 delegation" "run-" "cpu"
    on 'ORIEL_TIME_SCALE=8 systemd-run --quiet --unit=login --setenv=ORIEL_TIME_SCALE=8 --property=KillMode=process su -w ORIEL_TIME_SCALE -l ann -c "exec /usr/src/oriel/oriel up --driver container >/home/ann/log 2>&1"
        timeout 600 tail -n +1 -F /home/ann/log 2>/dev/null | grep -m1 signin#token= || { cat /home/ann/log; systemctl status login; exit 1; }'
    on 'cat /home/ann/.local/share/oriel/token' >"$place/token"
    create users small
    scope=$(on "sed -nE 's/.*\"cgroup\":\"([^\"]*)\".*/\1/p' $desktops/$(id_of users)/spec.json")
    has "$scope" /user.slice/ /run- .scope/
    [ "$(on "cd $scope; cat memory.max cpu.max pids.max")" = "$memory"$'\n'"100000 100000"$'\n'"$pids" ] || fail "limits: $(on "cd $scope; cat memory.max cpu.max pids.max")"
    has "$(client POST "$api/desktops/$(id_of users)/pause" "$(token)")" 200
    await users paused
    has "$(on "cat $scope/cgroup.events")" "frozen 1"
    has "$(client POST "$api/desktops/$(id_of users)/resume" "$(token)")" 200
    answers users
    has "$(on 'su -l ann -c "/usr/src/oriel/oriel down"')" "1 of 1 desktops ended."
}

trap '[ -n "${KEEP:-}" ] || rm -rf "$place"' EXIT
trap 'exit 130' INT TERM
run_tests machine.sh
