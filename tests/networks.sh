#!/bin/bash
# A host with addresses and networks that are global by number, and beside it all else, for tests/script.sh: networks.sh COMMAND... (root only)
# runs COMMAND there. The host has 5.5.5.5 and 2a0a:dead::1, is linked to 5.6.7.0/24 and 2a0a:beef::/64, reaches 6.6.0.0/16 by a route of its own and
# the rest by its default route. The other side has an address of each, and at each a web server: "/" says "reached", "/to/URL" leads to URL.
set -euo pipefail

# Of the host, of its links, by its own route, of platforms, of a cloud; the last two are the internet.
here=(5.5.5.5/32 2a0a:dead::1/64)
there=(5.6.7.9/24 2a0a:beef::9/64 6.6.6.6/32 168.63.129.16/32 161.26.0.10/32 166.9.9.9/32 169.254.169.254/32 9.9.9.1/24 7.7.7.7/32 2b0a::7/128)

case ${NETWORKS_SIDE-} in
    host)
        ip link set lo up
        ip link add lan type veth peer name far-lan
        ip link add wan type veth peer name far-wan
        coproc other { NETWORKS_SIDE=other exec unshare --net "$0" "$@"; }
        # shellcheck disable=SC2154
        trap 'kill "$other_PID" 2>/dev/null; wait "$other_PID" 2>/dev/null' EXIT
        read -r _ <&"${other[0]}"
        for link in lan wan; do
            ip link set "far-$link" netns "$other_PID"
            ip link set "$link" up
        done
        for address in "${here[@]}"; do ip address add "$address" dev lo; done
        ip address add 5.6.7.1/24 dev lan
        ip address add 2a0a:beef::1/64 dev lan nodad
        ip address add 9.9.9.2/24 dev wan
        ip address add 2b0a:99::2/64 dev wan nodad
        ip route add 6.6.0.0/16 via 5.6.7.9
        ip route add default via 9.9.9.1
        ip route add default via 2b0a:99::1
        echo go >&"${other[1]}"
        read -r _ <&"${other[0]}"
        node "$(dirname "$0")/networks.mjs" &
        server=$!
        trap 'kill "$other_PID" "$server" 2>/dev/null; wait "$other_PID" "$server" 2>/dev/null' EXIT
        "$@"
        ;;
    other)
        echo ready
        read -r _
        ip link set lo up
        ip link set far-lan up
        ip link set far-wan up
        for address in "${there[@]}"; do
            case $address in 5.6.* | 2a0a:beef::*) link=far-lan ;; 9.9.9.*) link=far-wan ;; *) link=lo ;; esac
            case $address in *:*) ip address add "$address" dev "$link" nodad ;; *) ip address add "$address" dev "$link" ;; esac
        done
        ip address add 2b0a:99::1/64 dev far-wan nodad
        ip route add 5.5.5.5 via 5.6.7.1
        echo ready
        exec node "$(dirname "$0")/networks.mjs"
        ;;
    *) NETWORKS_SIDE=host exec unshare --net "$0" "$@" ;;
esac
