# The options of ./oriel's commands, read from options.txt; sourced by ../oriel.
# They are checked here because the program that takes them may not have been built yet.
# shellcheck shell=bash disable=SC2154

# A wrong option or argument: one line and exit code 2.
refuse() {
    say "oriel: $*"
    exit 2
}

# rows_of COMMAND: its lines of options.txt, without the command's name.
rows_of() { awk -v command="$1" '$1 == command { print $2, $3, $4 }' "$root/options.txt"; }

image_commands() { awk -F'[/ ]' '/^image\// { print $2 }' "$root/options.txt" | uniq | paste -sd ' '; }

# nearest WORD CANDIDATE...: the candidate that the word was probably meant to be, or nothing (Levenshtein distance of two at most).
nearest() {
    printf '%s\n' "${@:2}" | awk -v word="$1" '
        function least(a, b, c) { return a < b ? (a < c ? a : c) : (b < c ? b : c) }
        function distance(s, t,    i, j, row, last, corner) {
            for (j = 0; j <= length(t); j++) row[j] = j
            for (i = 1; i <= length(s); i++) {
                corner = row[0]; row[0] = i
                for (j = 1; j <= length(t); j++) {
                    last = row[j]
                    row[j] = least(row[j] + 1, row[j - 1] + 1, corner + (substr(s, i, 1) != substr(t, j, 1)))
                    corner = last
                }
            }
            return row[length(t)]
        }
        { d = distance(word, $0); if (d <= 2 && d < length(word) - 1 && (best == "" || d < lowest)) { best = $0; lowest = d } }
        END { if (best != "") print best }'
}

meant() { # WORD CANDIDATE...
    local near
    near=$(nearest "$@")
    [ -z "$near" ] || printf ' (did you mean %s?)' "$near"
}

is_number() { [[ $1 =~ ^[0-9]{1,9}$ ]]; }

# Host addresses only; what slips through here the program refuses.
is_address() {
    local part
    case $1 in
        *:*) [[ $1 =~ ^[0-9a-fA-F:.]+(%[a-zA-Z0-9_.-]+)?$ ]] ;;
        *)
            [[ $1 =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$ ]] || return 1
            for part in "${BASH_REMATCH[@]:1}"; do
                [ "$part" -le 255 ] || return 1
            done
            ;;
    esac
}

# check_value NAME KIND VALUE: refuses a value that is not of the kind.
check_value() {
    local name=$1 kind=$2 value=$3 least most choice
    [ -n "$value" ] || refuse "$name needs a value: it is empty"
    case $kind in
        port) { is_number "$value" && [ "$value" -le 65535 ]; } || refuse "$name takes a port from 0 to 65535 (0 = any free one), not '$value'" ;;
        int:*)
            least=${kind#int:} most=${kind#*-}
            least=${least%%-*}
            { is_number "$value" && [ "$value" -ge "$least" ] && [ "$value" -le "$most" ]; } || refuse "$name takes a number from $least to $most, not '$value'"
            ;;
        ip) is_address "$value" || refuse "$name takes an IP address such as 127.0.0.1, not '$value'" ;;
        cidr) is_address "${value%/*}" && [ "$value" != "${value%/*}" ] && is_number "${value##*/}" || refuse "$name takes a network such as 10.0.0.0/8, not '$value'" ;;
        pair) [ "${value%%=*}" != "$value" ] && [ -n "${value%%=*}" ] && is_address "${value#*=}" || refuse "$name takes NAME=ADDRESS such as db.example=10.0.0.5, not '$value'" ;;
        endpoint) [[ $value =~ ^(.+):([0-9]{1,5})$ ]] && [ "${BASH_REMATCH[2]}" -ge 1 ] && [ "${BASH_REMATCH[2]}" -le 65535 ] || refuse "$name takes HOST:PORT such as proxy.example:3128, not '$value'" ;;
        driver) [[ $value =~ ^(auto|firecracker|qemu|container)$ ]] || refuse "$name takes auto, firecracker, qemu or container, not '$value'$(meant "$value" auto firecracker qemu container)" ;;
        choice:*)
            IFS=, read -ra choice <<<"${kind#choice:}"
            case ",${kind#choice:}," in *",$value,"*) ;; *) refuse "there is no $name '$value'$(meant "$value" "${choice[@]}"): ${choice[*]}" ;; esac
            ;;
        file) [ -f "$value" ] || refuse "$name: there is no file $value" ;;
        folder) [ -d "$value" ] || refuse "$name: there is no folder $value" ;;
        dir) [ ! -e "$value" ] || [ -d "$value" ] || refuse "$name: $value is not a folder" ;;
    esac
}

# Paths are taken from where the caller stands: the server runs elsewhere.
absolute() { # KIND VALUE
    case $1 in file | folder | dir) realpath -ms -- "$2" ;; *) printf '%s\n' "$2" ;; esac
}

# read_options COMMAND ARGUMENT...: checks them. Sets arguments (one option a word: NAME=VALUE, paths absolute; without --data) and option[NAME] to the last value given.
read_options() {
    local command=$1 word name value kind often positional='' shown names=()
    shift
    shown="./oriel ${command/\// }"
    declare -gA option=()
    declare -A kinds=() many=()
    arguments=()
    while read -r name kind often; do
        case $name in
            --*)
                kinds[$name]=$kind
                many[$name]=$often
                names+=("$name")
                ;;
            *) positional="$name $kind $often" ;;
        esac
    done < <(rows_of "$command")
    local taken=0
    while [ $# != 0 ]; do
        word=$1
        shift
        case $word in
            --*)
                name=${word%%=*}
                kind=${kinds[$name]-}
                [ -n "$kind" ] || refuse "$shown has no option $name$(meant "$name" "${names[@]}"); $shown --help lists its options"
                if [ "$kind" = flag ]; then
                    [ "$word" = "$name" ] || refuse "$name takes no value"
                    option[$name]=yes
                    arguments+=("$name")
                    continue
                fi
                if [ "$word" != "$name" ]; then
                    value=${word#*=}
                elif [ $# != 0 ] && [[ $1 != --* ]]; then
                    value=$1
                    shift
                else
                    refuse "$name needs a value; $shown --help says which"
                fi
                [ -z "${option[$name]+x}" ] || [ "${many[$name]}" = many ] || refuse "$name is given twice"
                check_value "$name" "$kind" "$value"
                option[$name]=$(absolute "$kind" "$value")
                [ "$name" = --data ] || arguments+=("$name=${option[$name]}")
                ;;
            *)
                read -r name kind often <<<"$positional"
                [ -n "$name" ] || refuse "$shown takes no argument '$word'; $shown --help lists its options"
                [ "$taken" = 0 ] || [ "$often" = many ] || refuse "$shown takes one argument, not '$word' as well"
                taken=$((taken + 1))
                name=${name#<}
                check_value "${name%>}" "$kind" "$word"
                arguments+=("$(absolute "$kind" "$word")")
                ;;
        esac
    done
    read -r name kind often <<<"$positional"
    [ "$often" != needed ] || [ "$taken" != 0 ] || refuse "$shown needs its $name; $shown --help says which"
    [ -z "${kinds[--media-port]+x}" ] || [ "${option[--port]:-4000}" != "${option[--media-port]:-4001}" ] || [ "${option[--port]:-4000}" = 0 ] ||
        refuse "--port and --media-port are both ${option[--port]:-4000}: they must differ"
    [ "${option[--cert]+x}" = "${option[--key]+x}" ] || refuse "--cert and --key go together"
}

wants_help() { # ARGUMENT...
    local argument
    for argument; do
        case $argument in --help | -h) return 0 ;; esac
    done
    return 1
}

# show_help COMMAND: its options, from the table.
show_help() {
    local name kind often
    printf 'usage: ./oriel %s' "${1/\// }"
    while read -r name kind often; do
        case $name in --*) ;; *) printf ' %s%s' "$name" "$([ "$often" != many ] || printf '...')" ;; esac
    done < <(rows_of "$1")
    printf ' [option...]\n\n'
    while read -r name kind often; do
        case $name in --*) ;; *) continue ;; esac
        printf '  %-24s %s%s\n' "$name$(value_of_kind "$kind")" "$(description_of "$1" "$name")" "$([ "$often" != many ] || case $(description_of "$1" "$name") in *repeatable) ;; *) printf '; repeatable' ;; esac)"
    done < <(rows_of "$1")
}

value_of_kind() {
    case $1 in
        flag) ;;
        port | int:*) printf ' N' ;;
        ip) printf ' ADDR' ;;
        cidr) printf ' CIDR' ;;
        pair) printf ' NAME=ADDR' ;;
        endpoint) printf ' HOST:PORT' ;;
        driver) printf ' NAME' ;;
        file) printf ' FILE' ;;
        folder | dir) printf ' DIR' ;;
        *) printf ' TEXT' ;;
    esac
}

description_of() { # COMMAND NAME
    awk -v command="$1" -v name="$2" '$1 == command && $2 == name { $1 = $2 = $3 = $4 = ""; sub(/^ +/, ""); print }' "$root/options.txt"
}
