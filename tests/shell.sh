# What test programs in bash share: a test is a function of its own process, which fails, or skips, by its exit code. Sourced.
# shellcheck shell=bash disable=SC2154

fail() {
    echo "$*"
    exit 1
}

# has TEXT WORD...: TEXT must contain each word.
has() {
    local text=$1 word
    shift
    for word; do
        case $text in *"$word"*) ;; *) fail "'$word' is missing in: $text" ;; esac
    done
}

# skip REASON: what cannot be shown here; told, and counted apart.
skip() {
    echo "$*"
    exit 77
}

# choose_tests NAME...: leaves in tests these and the one that each stands on (the array needs), in their order. Without a name all stay.
choose_tests() {
    local wanted=" $* " i name
    [ $# != 0 ] || return 0
    for ((i = ${#tests[@]} - 1; i >= 0; i--)); do
        name=${tests[i]}
        case $wanted in *" $name "*) wanted+="${needs[$name]-} " ;; *) unset "tests[i]" ;; esac
    done
}

# run_test NAME: its words go to NAME in the folder place, its outcome to a line of results there; sets code.
run_test() {
    local began=${EPOCHREALTIME/[.,]/}
    # Not before an ||, where the shell would ignore set -e. A command that fails without a word is named with its line.
    (
        set -eE
        trap 'echo "exit code $? of: $BASH_COMMAND (${BASH_SOURCE[0]##*/}, line $LINENO)"' ERR
        "$1"
    ) >"$place/$1" 2>&1
    code=$?
    printf '%s\t%s\t%s\n' "$1" "$code" "$(((${EPOCHREALTIME/[.,]/} - began) / 1000))" | tee -a "$place/results"
}

# run_tests TOOL: runs those named in tests, one after the other, with a folder in place; the outcome goes to the file result (CTRF).
run_tests() {
    local tool=$1 failed=0 name code
    for name in "${tests[@]}"; do
        run_test "$name"
        [ "$code" = 0 ] || [ "$code" = 77 ] || failed=1
    done
    write_result "$tool"
    return "$failed"
}

# write_result TOOL: from results and the tests' words in the folder place to the file result (CTRF).
write_result() {
    node -e '
        const { readFileSync, writeFileSync } = require("fs");
        const [place, result, tool] = process.argv.slice(1);
        const tests = readFileSync(`${place}/results`, "utf8").trim().split("\n").map((line) => {
            const [name, code, duration] = line.split("\t");
            const message = readFileSync(`${place}/${name}`, "utf8");
            if (code === "77") return { name, status: "skipped", duration: +duration, message };
            return code === "0" ? { name, status: "passed", duration: +duration } : { name, status: "failed", duration: +duration, message: `exit code ${code}\n${message}` };
        });
        writeFileSync(result, JSON.stringify({ results: { tool: { name: tool }, tests } }));
    ' "$place" "$result" "$1"
}
