# ./oriel service; sourced by ../oriel, whose functions it uses.
# The program goes to /opt/oriel/NAME with the runtime that it needs, and /opt/oriel/current points to it: an upgrade is another NAME.
# shellcheck shell=bash disable=SC2154

service_programs=/opt/oriel
service_data=/var/lib/oriel
service_unit=/etc/systemd/system/oriel.service
service_options=/etc/default/oriel

service_usage() {
    cat <<'HELP'
usage: ./oriel service install [--app DIR] [OPTION...]    (as root)
       ./oriel service remove

  install   build, copy the program to /opt/oriel, start it as the systemd unit oriel.service, now and at each boot; again: an upgrade,
            which desktops live through. The options are those of ./oriel up, kept in /etc/default/oriel; without any, that file stays.
            --app DIR takes a program that was built before, as /opt/oriel/current of another machine is; then neither SDK nor Node is needed.
  remove    end the server and its desktops, and take away unit and program; the data in /var/lib/oriel stays
HELP
}

command_service() {
    local name=${1:-}
    [ $# = 0 ] || shift
    case " $name $* " in *" --help "* | *" -h "*) service_usage && return ;; esac
    case $name in install | remove) ;; *)
        service_usage >&2
        die "'service' takes install or remove"
        ;;
    esac
    is_root || die "a service is root's to $name: sudo ./oriel service $name"
    [ -d /run/systemd/system ] || die "this machine was not booted with systemd, which runs the service; ./oriel up needs none"
    "service_$name" "$@"
}

service_install() {
    local given='' rest=() runtime version
    while [ $# != 0 ]; do
        case $1 in
            --app)
                [ $# -gt 1 ] || refuse "--app needs a value: a folder"
                given=$2
                shift
                ;;
            --app=*) given=${1#--app=} ;;
            --data | --data=*) refuse "the service keeps its data in $service_data" ;;
            *) rest+=("$1") ;;
        esac
        shift
    done
    read_options up "${rest[@]}"
    rest=("${arguments[@]}")
    option[--data]=$service_data
    locate
    if [ -n "$given" ]; then
        { [ -f "$given/oriel.dll" ] && [ -x "$given/dotnet/dotnet" ]; } || die "$given holds no built program (oriel.dll, dotnet/dotnet)"
        dotnet_root=$given/dotnet
        check_data
        check_packages up
        equip
        app=$service_programs/$(basename "$(readlink -f "$given")")
        [ -d "$app" ] || step "program" service_copy "$app" -C "$given" .
    else
        check up build
        prepare
        runtime=$dotnet_root
        given=$app
        app=$service_programs/$(basename "$given")
        [ -d "$app" ] || step "program" service_copy "$app" "${with_runtime[@]}" -C "$given" . -C "$runtime" dotnet host shared
    fi
    dotnet_root=$app/dotnet
    ensure_image
    remove_cgroup

    # Moved into place: at each moment there is one program or the other.
    ln -sfn "$app" "$service_programs/current.new"
    mv -T "$service_programs/current.new" "$service_programs/current"
    install -m 644 "$root/script/oriel.service" "$service_unit"
    if [ "${#rest[@]}" != 0 ] || [ ! -e "$service_options" ]; then
        printf "# Options of the server, as of ./oriel up; then: systemctl restart oriel\nORIEL_OPTIONS='%s'\n" "${rest[*]}" >"$service_options"
    fi
    systemctl daemon-reload
    systemctl enable --quiet oriel
    if ! systemctl restart oriel; then
        journalctl --unit oriel --lines 20 --no-pager --output cat >&2
        die "the service did not start (above: its last lines)"
    fi
    service_remove_old
    version=$(systemctl --version | awk 'NR == 1 { print $2 }')
    [ "${version%%.*}" -ge 254 ] || say "systemd $version cannot restart the service while desktops live (254 and later can): end them before."
    say "Oriel runs as a service (systemctl status oriel, journalctl -u oriel). Sign in (once, within 10 minutes):"
    oriel_command token --new-signin --data="$data"
}

# service_copy TARGET TAR-ARGUMENT...: root's, so that the service cannot change its own program.
service_copy() {
    local target=$1
    shift
    rm -rf "$target.partial"
    mkdir -p "$target.partial"
    tar --create --owner=0 --group=0 --mode=u=rwX,go=rX "$@" | tar --extract --no-same-owner --directory "$target.partial"
    mv "$target.partial" "$target"
}

# The two newest stay: keepers that were started by the one before still run from it.
service_remove_old() {
    local old
    find "$service_programs" -mindepth 1 -maxdepth 1 -type d -printf '%C@ %p\n' | sort -rn | tail -n +3 | cut -d' ' -f2- | while read -r old; do
        [ "$old" = "$(readlink "$service_programs/current")" ] || rm -rf "$old"
    done
}

service_remove() {
    [ -e "$service_unit" ] || die "the service is not installed"
    systemctl disable --quiet --now oriel
    if [ -d "$service_programs/current" ]; then
        read_options down
        option[--data]=$service_data
        locate
        app=$service_programs/current
        dotnet_root=$app/dotnet
        settle
        oriel_command down --data="$data" || :
        remove_cgroup
    fi
    rm -rf "$service_unit" "$service_options" "$service_programs"
    systemctl daemon-reload
    say "The service is gone. Its data stays; to remove that too: rm -r $service_data && userdel $service_user"
}
