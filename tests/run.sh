# ./oriel test; sourced by ../oriel, whose functions it uses.
# Makes one golden image in a data directory of its own, runs each ring's test programs and closes with one line of totals.
# For tests that are named, only what they need is built: nothing for the page's, their project for those that need no image.
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

# Minutes without a word after which a test program counts as hung. It says when each test begins and ends, so a busy machine makes it
# slow and not silent.
silence_minutes=10

# find_tests WORD...: sets rings to those that are named or hold a test that is named, and chosen[RING] to these tests as find.mjs prints
# them; empty where all of the ring is meant.
find_tests() {
    local word line found all=("${test_rings[@]}" "${test_further[@]}") ring
    local -A named=()
    [ $# != 0 ] || set -- "${test_rings[@]}"
    for word; do
        case " ${all[*]} " in
            *" $word "*) named[$word]=ring ;;
            *)
                command -v node >/dev/null || die "Node.js 20 or newer is missing: https://nodejs.org"
                found=$(node "$root/tests/find.mjs" "$word") ||
                    refuse "there is no ring, class or test '$word'${found:+ (did you mean $found?)}; the rings are ${all[*]}"
                while IFS= read -r line; do
                    ring=${line%%$'\t'*}
                    named[$ring]=${named[$ring]-tests}
                    chosen[$ring]+=$line$'\n'
                done <<<"$found"
                ;;
        esac
    done
    for ring in "${all[@]}"; do
        [ -n "${named[$ring]-}" ] || continue
        rings+=("$ring")
        if [ "${named[$ring]}" = ring ]; then
            chosen[$ring]=
        else
            chosen[$ring]=$(sort -u <<<"${chosen[$ring]%$'\n'}")
        fi
    done
}

# chosen_column RING NUMBER: of find.mjs, without repetition; nothing where all of the ring is meant.
chosen_column() { awk -F'\t' -v number="$2" 'NF && !seen[$number]++ { print $number }' <<<"${chosen[$1]}"; }

chosen_names() { chosen_column "$1" 3; }

# What is to run, in words.
chosen_words() {
    local ring words=() count
    for ring in "${rings[@]}"; do
        count=$(grep -c . <<<"${chosen[$ring]}" || :)
        case $count in
            0) words+=("$ring") ;;
            1) words+=("$(chosen_names "$ring") ($ring)") ;;
            *) words+=("$count tests of $ring") ;;
        esac
    done
    printf '%s' "${words[0]}"
    [ "${#words[@]}" = 1 ] || printf ', %s' "${words[@]:1}"
}

# test_minutes RING...: what they take on two cores that do nothing else, with building and installing.
test_minutes() {
    local ring minutes=1 image=0
    for ring; do
        [ -n "${chosen[$ring]}" ] || [ "$ring" = web ] || minutes=3
    done
    for ring; do
        case ${chosen[$ring]:+some-}$ring in
            some-web) ;;
            some-webrtc | some-fast) minutes=$((minutes + 1)) ;;
            some-hosts | some-machine) minutes=$((minutes + 10)) image=5 ;;
            some-*) minutes=$((minutes + 2)) image=5 ;;
            webrtc | web) minutes=$((minutes + 1)) ;;
            fast) minutes=$((minutes + 4)) ;;
            linux) minutes=$((minutes + 4)) image=5 ;;
            desktop) minutes=$((minutes + 12)) image=5 ;;
            script) minutes=$((minutes + 3)) image=5 ;;
            hosts) minutes=$((minutes + 11)) image=5 ;;
            machine) minutes=$((minutes + 25)) image=5 ;;
        esac
    done
    minutes=$((minutes + image))
    printf '%s minute%s' "$minutes" "$([ "$minutes" = 1 ] || echo s)"
}

test_build() { dotnet build "$root/$1" --configuration Release --disable-build-servers -v quiet; }

# What the rings' programs are built from: all of it for a whole ring, else the projects of the chosen tests.
build_tests() {
    local ring projects=()
    for ring in "${rings[@]}"; do
        if [ -n "${chosen[$ring]}" ]; then
            [ -z "$(test_program "$ring")" ] || projects+=("tests/$(test_program "$ring")")
        elif [ "$ring" != web ]; then
            projects=(oriel.slnx)
            break
        fi
    done
    for ring in "${projects[@]}"; do
        alone step "tests${projects[1]+ (${ring#tests/})}" test_build "$ring"
    done
}

# test_clean_up: ends what a test left in the data directory's desktops, then removes the directory (it holds trees of subordinate ids).
test_clean_up() {
    local code=$?
    trap - EXIT INT TERM
    [ -z "${machine_pid:-}" ] || machine_end
    if [ -n "${scratch:-}" ] && [ -d "$scratch" ]; then
        [ ! -d "$scratch/data" ] ||
            as_service unshare --map-root-user --map-auto find "$scratch/data" "$scratch/tmp" -mindepth 1 -delete 2>/dev/null || :
        rm -rf "$scratch"
    fi
    exit "$code"
}

# A watched program's number comes before all that it prints.
# shellcheck disable=SC2016
announced=(sh -c 'echo "$$"; exec "$@"' -)

# run_watched LOG COMMAND...: runs what is announced; what it prints goes to the log.
run_watched() {
    local log=$1
    shift
    "$@" 2>&1 | watch_silence "$log"
    return "${PIPESTATUS[0]}"
}

# watch_silence LOG: hands on what comes. Once that has been silent for too long, its program is interrupted, as by Ctrl-C: the test that
# hangs fails by its name, and every other result is kept. If it is still there after a minute, it is killed.
watch_silence() {
    local log=$1 process line= code silent=0
    read -r process
    : >"$log"
    while :; do
        code=0
        # What was left running may hold the pipe open.
        IFS= read -r -t 5 line || code=$?
        if [ "$code" = 0 ]; then
            printf '%s\n' "$line" >>"$log"
            silent=0
        elif [ "$code" -le 128 ] || ! kill -0 "$process" 2>/dev/null; then
            return
        elif ((silent += 5, silent == 60 * silence_minutes)); then
            : >"$log.silent"
            kill -INT "$process" || :
        elif ((silent == 60 * (silence_minutes + 1))); then
            kill -KILL "$process" || :
        fi
    done
}

# run_ring RING: runs its program, results as CTRF into $scratch/results.
run_ring() {
    local ring=$1 program executable code=0 arguments place name kind
    program=$(test_program "$ring")
    executable=$root/artifacts/bin/$program/release/$program
    say ""
    say "== $program"
    arguments=(-noColor -noLogo -reporter verbose -result-ctrf "$results/$ring.json")
    # Most of `fast` waits for something. The other rings' tests share a screen, a guest or the host's cores.
    if [ "$ring" = fast ]; then
        arguments+=(-parallelMode collections -maxThreads 2)
    else
        arguments+=(-parallelMode none)
    fi
    while IFS=$'\t' read -r _ place name kind; do
        [ -z "$name" ] || arguments+=(-method "$place.$name")
        [ "$kind" != explicit ] || arguments+=(-explicit on)
    done <<<"${chosen[$ring]}"
    case $ring in
        linux | desktop)
            # Below a clone that the unprivileged user cannot read, nothing can be run: a copy.
            if is_root; then
                hand_over "$scratch/data/tests/$program" -C "$root/artifacts/bin/$program/release" .
                executable=$scratch/data/tests/$program/$program
            fi
            run_watched "$results/$ring.log" as_service env "${test_environment[@]}" "${announced[@]}" "$executable" "${arguments[@]}" || code=$?
            ;;
        *)
            run_watched "$results/$ring.log" env --chdir="$root" "${test_environment[@]}" "${announced[@]}" \
                "$executable" "${arguments[@]}" || code=$?
            ;;
    esac
    report_ring "$ring" "$code"
}

run_web() {
    local code=0 files arguments=() pattern=
    if [ -n "${chosen[web]}" ]; then
        # A test that is made of a table has its values in its name.
        pattern="(^| )($(chosen_names web | sed -E 's/[.+?(){}|^\\[]|\]/\\&/g; s/%[a-z]|\$\w+/.*/g' | paste -sd '|'))$"
        mapfile -t files < <(chosen_column web 2)
        arguments=("${files[@]}" --testNamePattern "$pattern")
    fi
    say ""
    say "== web"
    arguments+=(--reporter=json --outputFile="$results/web.json")
    (cd "$root/web" && timeout --kill-after=30 12m npm test -- "${arguments[@]}") >"$results/web.log" 2>&1 || code=$?
    report_ring web "$code" "$pattern"
}

# The script's own tests, as whoever called it: root sees it drop to the unprivileged user.
run_script() {
    local code=0 arguments
    mapfile -t arguments < <(printf '%s\n' "$results/script.json" "$data" && chosen_names script)
    say ""
    say "== script"
    # Where this was started in the background, Ctrl-C would be ignored by all that it runs.
    env --default-signal=INT,QUIT timeout --kill-after=30 8m "$root/tests/script.sh" "${arguments[@]}" >"$results/script.log" 2>&1 || code=$?
    grep '^second start' "$results/script.log" >&2 || :
    report_ring script "$code"
}

# Bare machines of both releases, in which Oriel is started from nothing. It outlives no interruption: all of a machine ends with its first process.
run_hosts() {
    local code=0 arguments
    mapfile -t arguments < <(printf '%s\n' "$results/hosts.json" "$scratch" "$data" "$dotnet_sdk" && chosen_names hosts)
    say ""
    say "== hosts"
    timeout --kill-after=60 40m "$root/tests/hosts.sh" "${arguments[@]}" >"$results/hosts.log" 2>&1 || code=$?
    grep ' s$' "$results/hosts.log" >&2 || :
    report_ring hosts "$code"
}

# report_ring RING EXIT-CODE [PATTERN]: counts into passed, failed and skipped; prints failures and the reason of each skip.
report_ring() {
    local ring=$1 code=$2 counts
    if [ -e "$results/$ring.log.silent" ]; then
        say "   silent for $silence_minutes minutes: ended. The end of its output:"
        tail -n 3 "$results/$ring.log" >&2
    elif [ "$code" = 124 ] || [ "$code" = 137 ]; then
        say "   still running at its deadline: ended"
    fi
    if ! counts=$(node "$root/tests/report.mjs" "$results/$ring.json" "${3-}"); then
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
    local seconds=$(($(date +%s) - ring_began))
    say "   $ring_passed passed, $ring_failed failed, $ring_skipped skipped, in $((seconds / 60)) min $((seconds % 60)) s"
    passed=$((passed + ring_passed))
    failed=$((failed + ring_failed))
    skipped=$((skipped + ring_skipped))
}

command_test() {
    local rings=() ring ring_began passed=0 failed=0 skipped=0 image test_environment=()
    local -A chosen=()
    find_tests "$@"
    read_options test
    scratch=$(mktemp -u /var/tmp/oriel-test.XXXXXX)
    option[--data]=$scratch/data
    locate
    if [ "${rings[*]}" = web ]; then
        require_tools
        check_clone
        missing=() to_build=no
    else
        check up build test
    fi
    case " ${rings[*]} " in *" linux "* | *" desktop "* | *" script "* | *" hosts "* | *" machine "*) ;; *) to_build=no needs_image=no ;; esac
    say "Running $(chosen_words): $(test_minutes "${rings[@]}") or so on two cores. To install: ${missing[*]:-nothing}."
    mkdir -m 755 "$scratch"
    trap test_clean_up EXIT
    trap 'exit 130' INT TERM
    results=$scratch/results
    mkdir -m 1777 "$results" "$scratch/tmp"
    local dotnet_sdk=$dotnet_root
    if [ "${rings[*]}" != web ]; then
        equip
        share_dotnet
        say "Building:"
        build_tests
    fi
    if [ "$to_build" = yes ]; then
        # Under the name that ./oriel up looks for.
        alone build "$app"
        ensure_image
        image=$(find "$data/images" -mindepth 1 -maxdepth 1 -type d -name '[0-9a-f]*' | head -n 1)
        test_environment=("ORIEL_TEST_APP=$app" "ORIEL_TEST_DATA=$data" "ORIEL_TEST_ROOTFS=$image/rootfs")
    fi
    # The program's own are where it was built, which is not here when root calls.
    if [[ " ${rings[*]} " = *" web "* ]]; then
        alone install_web_packages
    fi
    test_environment+=("ORIEL_TEST_SOURCE=$root")

    for ring in "${rings[@]}"; do
        ring_began=$(date +%s)
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
