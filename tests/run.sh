# ./oriel test; sourced by ../oriel, whose functions it uses.
# Builds everything, makes one golden image in a data directory of its own, runs each ring's test programs and closes with one line of totals.
# shellcheck shell=bash disable=SC2154

test_rings=(webrtc fast linux web desktop script hosts)
# By name only: it takes longer than all the others together.
test_further=(machine)

test_program() {
    case $1 in
        webrtc) echo Oriel.WebRtc.Tests ;;
        fast) echo Oriel.Tests ;;
        linux) echo Oriel.Linux.Tests ;;
        desktop) echo Oriel.Desktop.Tests ;;
    esac
}

# Minutes after which a ring counts as hung: about four times what it takes on two cores that do nothing else.
test_deadline() {
    case $1 in
        desktop) echo 45 ;;
        *) echo 20 ;;
    esac
}

# test_minutes RING...: what they take on two cores that do nothing else, with building and installing.
test_minutes() {
    local ring minutes=3 image=0
    for ring; do
        case $ring in
            webrtc | web) minutes=$((minutes + 1)) ;;
            fast) minutes=$((minutes + 4)) ;;
            linux) minutes=$((minutes + 4)) image=5 ;;
            desktop) minutes=$((minutes + 9)) image=5 ;;
            script) minutes=$((minutes + 1)) image=5 ;;
            hosts) minutes=$((minutes + 11)) image=5 ;;
            machine) minutes=$((minutes + 25)) image=5 ;;
        esac
    done
    echo "$((minutes + image))"
}

test_build() { dotnet build "$root/oriel.slnx" --configuration Release --disable-build-servers -v quiet; }

# test_clean_up: ends what a test left in the data directory's desktops, then removes the directory (it holds trees of subordinate ids).
test_clean_up() {
    local code=$?
    trap - EXIT INT TERM
    [ -z "${machine_pid:-}" ] || machine_end
    if [ -n "${scratch:-}" ] && [ -d "$scratch" ]; then
        as_service unshare --map-root-user --map-auto find "$scratch/data" "$scratch/tmp" -mindepth 1 -delete 2>/dev/null || :
        rm -rf "$scratch"
    fi
    exit "$code"
}

# run_ring RING: runs its program, results as CTRF into $scratch/results.
run_ring() {
    local ring=$1 program executable code=0 minutes limit arguments
    program=$(test_program "$ring")
    minutes=$(test_deadline "$ring")
    executable=$root/artifacts/bin/$program/release/$program
    say ""
    say "== $program"
    # At its deadline a program is interrupted once, as by Ctrl-C: what hangs fails by its name, and every other result is kept.
    # (Without --foreground the signal comes twice, and the second ends it at once.)
    limit=(timeout --foreground --signal=INT --kill-after=60 "${minutes}m")
    arguments=(-noColor -noLogo -parallel none -longRunning 120 -ctrf "$results/$ring.json")
    case $ring in
        linux | desktop)
            # Below a clone that the unprivileged user cannot read, nothing can be run: a copy.
            if is_root; then
                hand_over "$scratch/data/tests/$program" -C "$root/artifacts/bin/$program/release" .
                executable=$scratch/data/tests/$program/$program
            fi
            as_service env "${test_environment[@]}" "${limit[@]}" "$executable" "${arguments[@]}" >"$results/$ring.log" 2>&1 || code=$?
            ;;
        *) (cd "$root" && env "${test_environment[@]}" "${limit[@]}" "$executable" "${arguments[@]}") >"$results/$ring.log" 2>&1 || code=$? ;;
    esac
    report_ring "$ring" "$code" "$minutes"
}

run_web() {
    local code=0
    say ""
    say "== web"
    (cd "$root/web" && timeout --kill-after=30 12m npm test -- --reporter=json --outputFile="$results/web.json") >"$results/web.log" 2>&1 || code=$?
    report_ring web "$code" 12
}

# The script's own tests, as whoever called it: root sees it drop to the unprivileged user.
run_script() {
    local code=0
    say ""
    say "== script"
    # Where this was started in the background, Ctrl-C would be ignored by all that it runs.
    env --default-signal=INT,QUIT timeout --kill-after=30 8m "$root/tests/script.sh" "$results/script.json" "$data" >"$results/script.log" 2>&1 || code=$?
    grep '^second start' "$results/script.log" >&2 || :
    report_ring script "$code" 8
}

# Bare machines of both releases, in which Oriel is started from nothing. It outlives no interruption: all of a machine ends with its first process.
run_hosts() {
    local code=0
    say ""
    say "== hosts"
    timeout --kill-after=60 40m "$root/tests/hosts.sh" "$results/hosts.json" "$scratch" "$data" "$dotnet_sdk" >"$results/hosts.log" 2>&1 || code=$?
    grep ' s$' "$results/hosts.log" >&2 || :
    report_ring hosts "$code" 40
}

# report_ring RING EXIT-CODE MINUTES: counts into passed, failed and skipped; prints failures and the reason of each skip.
report_ring() {
    local ring=$1 code=$2 counts
    if [ "$code" = 124 ] || [ "$code" = 137 ]; then
        say "   still running after $3 minutes: ended"
    fi
    if ! counts=$(node "$root/tests/report.mjs" "$results/$ring.json"); then
        say "   no result (exit code $code); the end of its output:"
        tail -n 60 "$results/$ring.log" >&2
        failed=$((failed + 1))
        return
    fi
    read -r ring_passed ring_failed ring_skipped <<<"$counts"
    # A program that ends badly without a failed test (a crash at the end, a clean-up that threw) is a failure of its own.
    if [ "$code" != 0 ] && [ "$ring_failed" = 0 ]; then
        say "   ended with exit code $code; the end of its output:"
        tail -n 60 "$results/$ring.log" >&2
        ring_failed=1
    fi
    say "   $ring_passed passed, $ring_failed failed, $ring_skipped skipped"
    passed=$((passed + ring_passed))
    failed=$((failed + ring_failed))
    skipped=$((skipped + ring_skipped))
}

command_test() {
    local rings=("$@") ring passed=0 failed=0 skipped=0 image test_environment=()
    [ $# != 0 ] || rings=("${test_rings[@]}")
    for ring in "${rings[@]}"; do
        case " ${test_rings[*]} ${test_further[*]} " in *" $ring "*) ;; *) refuse "there is no ring '$ring'$(meant "$ring" "${test_rings[@]}" "${test_further[@]}"): ${test_rings[*]} ${test_further[*]}" ;; esac
    done
    read_options test
    scratch=$(mktemp -u /var/tmp/oriel-test.XXXXXX)
    option[--data]=$scratch/data
    locate
    check up build test
    case " ${rings[*]} " in *" linux "* | *" desktop "* | *" script "* | *" hosts "* | *" machine "*) ;; *) to_build=no needs_image=no ;; esac
    say "Running ${rings[*]}: $(test_minutes "${rings[@]}") minutes or so on two cores. To install: ${missing[*]:-nothing}."
    mkdir -m 755 "$scratch"
    trap test_clean_up EXIT
    trap 'exit 130' INT TERM
    results=$scratch/results
    mkdir -m 1777 "$results" "$scratch/tmp"
    equip
    local dotnet_sdk=$dotnet_root
    share_dotnet

    say "Building:"
    alone step "tests" test_build
    if [ "$to_build" = yes ]; then
        # Under the name that ./oriel up looks for.
        alone build "$app"
        ensure_image
        image=$(find "$data/images" -mindepth 1 -maxdepth 1 -type d -name '[0-9a-f]*' | head -n 1)
        test_environment=("ORIEL_TEST_APP=$app" "ORIEL_TEST_DATA=$data" "ORIEL_TEST_ROOTFS=$image/rootfs")
    elif [ ! -d "$root/web/node_modules" ]; then
        alone step "web packages" npm_install
    fi
    test_environment+=("ORIEL_TEST_SOURCE=$root")

    for ring in "${rings[@]}"; do
        case $ring in
            web) run_web ;;
            script) run_script ;;
            hosts) run_hosts ;;
            machine)
                # shellcheck source=tests/machine/run.sh
                . "$root/tests/machine/run.sh"
                run_machine
                ;;
            *) run_ring "$ring" ;;
        esac
    done
    say ""
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
