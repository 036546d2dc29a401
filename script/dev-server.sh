#!/bin/bash
# What `dotnet watch` starts for ./oriel dev: dev-server.sh COMMAND...
# As root the server runs as the service user, from a copy of what was built, as that user may not be able to read the clone.
# dev.sh exports what is used here.
# shellcheck disable=SC2154
set -euo pipefail

is_root() { [ "$(id -u)" = 0 ]; }
# shellcheck source=script/host.sh
. "$root/script/host.sh"

[ "$program" = "$built" ] || hand_over "$program" -C "$built" .
unprivileged "$@"
