# A cgroup for an ordinary user's server, by which desktops are paused and limited; sourced by ../oriel.
# shellcheck shell=bash disable=SC2154

# What a program is started through to get one, and why there is none or a part is missing, with what mends it.
scope=()
scope_problem=

# This process is alone in a group that its user may divide: somebody gave it one.
has_own_cgroup() {
    local group processes
    group=$(cgroup_directory) && [ -w "$group/cgroup.subtree_control" ] || return 1
    mapfile -t processes <"$group/cgroup.procs"
    [ "${processes[*]}" = "$$" ]
}

cgroup_mount() { awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts; }

cgroup_directory() {
    local mount
    mount=$(cgroup_mount)
    [ -n "$mount" ] && sed -n "s,^0::,$mount,p" "/proc/$$/cgroup"
}

# As root the script makes one itself: delegate_cgroup. The program, too, tells what was found missing.
find_scope() {
    look_for_scope
    export ORIEL_SCOPE_PROBLEM=$scope_problem
}

look_for_scope() {
    local run controllers name lacking=()
    if is_root || has_own_cgroup; then
        return
    fi
    if [ ! -d /run/systemd/system ] || ! command -v systemd-run >/dev/null; then
        scope_problem="desktops have neither, as this machine was not booted with systemd, which would give a user a cgroup; start Oriel as root"
        return
    fi
    # A login by su has a user manager beside it, and no variable that tells so.
    run=(env "XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}" systemd-run --user --scope --quiet --property=Delegate=yes)
    # shellcheck disable=SC2016
    if ! controllers=$("${run[@]}" sh -c 'cat "$0$(sed -n s/^0:://p /proc/self/cgroup)/cgroup.controllers"' "$(cgroup_mount)" 2>&1); then
        if [ -S "/run/user/$(id -u)/systemd/private" ]; then
            scope_problem="desktops have neither, as systemd-run --user gives no cgroup: $(head -n 1 <<<"$controllers")"
        else
            scope_problem="desktops have neither, as no systemd user manager runs for $(id -un): sudo loginctl enable-linger $(id -un), then again"
        fi
        return
    fi
    scope=("${run[@]}")
    for name in cpu memory pids; do
        case " $controllers " in *" $name "*) ;; *) lacking+=("$name") ;; esac
    done
    [ "${#lacking[@]}" = 0 ] ||
        scope_problem="desktops have no limit of ${lacking[*]}, which systemd does not give to users here: sudo systemctl edit user@.service, lines [Service] and Delegate=cpu memory pids, then sign in again"
}
