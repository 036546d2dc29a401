# ./oriel bench; sourced by ../oriel, whose functions it uses.
# Measures the application as ./oriel up runs it, as the unprivileged user. A run without options rewrites docs/performance.md.
# shellcheck shell=bash disable=SC2154

bench_build() {
    dotnet build "$root/bench/Oriel.Bench" --configuration Release --disable-build-servers -v quiet
    publish ../bench/Oriel.Bench.Draw "$root/artifacts/bench-draw"
}

command_bench() {
    local bench out code=0
    require_packages up test bench
    require_tools
    require_user
    locate
    ensure_built
    ensure_image
    step "bench" bench_build
    bench=$data/app/bench
    hand_over "$bench" -C "$root/artifacts/bin/Oriel.Bench/release" . -C "$root/artifacts/bench-draw" oriel-bench-draw
    out=$bench/performance.md
    as_service env "ORIEL_TEST_APP=$app" "ORIEL_TEST_DATA=$data" "ORIEL_BENCH_DRAW=$bench/oriel-bench-draw" "$bench/oriel-bench" "$@" --out "$out" || code=$?
    [ "$#" != 0 ] || [ "$code" != 0 ] || cp "$out" "$root/docs/performance.md"
    return "$code"
}
