# ./oriel bench; sourced by ../oriel, whose functions it uses.
# Measures the application as ./oriel up runs it, as the unprivileged user. A run without options rewrites docs/measurements/bench.md.
# shellcheck shell=bash disable=SC2154

bench_build() {
    dotnet build "$root/bench/Oriel.Bench" --configuration Release --disable-build-servers -v quiet
    publish ../bench/Oriel.Bench.Draw "$root/artifacts/bench-draw"
}

command_bench() {
    local bench out word words=() code=0
    read_options bench "$@"
    locate
    check up build test bench
    prepare
    ensure_image
    alone step "bench" bench_build
    bench=$data/app/bench
    hand_over "$bench" -C "$root/artifacts/bin/Oriel.Bench/release" . -C "$root/artifacts/bench-draw" oriel-bench-draw
    out=$bench/bench.md
    for word in "${arguments[@]}"; do
        case $word in --*=*) words+=("${word%%=*}" "${word#*=}") ;; *) words+=("$word") ;; esac
    done
    as_service env "ORIEL_TEST_APP=$app" "ORIEL_TEST_DATA=$data" "ORIEL_BENCH_DRAW=$bench/oriel-bench-draw" "$bench/oriel-bench" "${words[@]}" --out "$out" || code=$?
    [ "$#" != 0 ] || [ "$code" != 0 ] || cp "$out" "$root/docs/measurements/bench.md"
    return "$code"
}
