using System.Diagnostics;
using System.Globalization;

namespace Oriel.Tests.Fuzzing;

/// <summary>Takes one input; must not throw, whatever it is.</summary>
internal delegate void FuzzTarget(ReadOnlySpan<byte> input);

/// <summary>
/// Mutation fuzzing over a seed corpus in tests/fuzz-seeds/PARSER/. A short deterministic run belongs to the tests; ORIEL_FUZZ_SECONDS=600
/// makes it long, with a random start that a failure names.
/// </summary>
internal static class Fuzzer
{
    private const string SecondsVariable = "ORIEL_FUZZ_SECONDS";

    /// <summary>No parser needs this much for one small input.</summary>
    private const long MaxAllocated = 64 * 1024 * 1024;

    private static readonly TimeSpan SlowInput = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Runs <paramref name="iterations"/> mutations, or as long as ORIEL_FUZZ_SECONDS says. Fails the test with the input in hex.
    /// </summary>
    /// <param name="parser">Name of the seed folder; a missing one is an error.</param>
    /// <param name="target">The parser, as its caller uses it.</param>
    /// <param name="iterations">Of the short run. Default 20,000.</param>
    /// <param name="rngSeed">Of the short run. Default 1.</param>
    /// <param name="form">What the seeds are.</param>
    public static void Run(string parser, FuzzTarget target, int iterations = 20_000, int rngSeed = 1, FuzzForm form = FuzzForm.Bytes)
    {
        var run = new FuzzRun(parser, iterations, rngSeed, form);
        foreach (var input in run.Inputs())
        {
            var start = Spent.Now;
            var allocated = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                target(input);
            }
            catch (Exception e)
            {
                run.Fail(input, e.ToString());
            }

            run.RequireWithin(input, start, SlowInput);
            if (GC.GetAllocatedBytesForCurrentThread() - allocated is > MaxAllocated and var much)
            {
                run.Fail(input, $"{much} bytes were allocated for it");
            }
        }

        run.Report();
    }

    /// <summary>The same for a target behind sockets.</summary>
    public static async Task RunAsync(
        string parser,
        Func<byte[], Task> target,
        int iterations,
        int rngSeed = 1,
        FuzzForm form = FuzzForm.Bytes
    )
    {
        var run = new FuzzRun(parser, iterations, rngSeed, form);
        foreach (var input in run.Inputs())
        {
            var start = Spent.Now;
            try
            {
                await target(input);
            }
            catch (Exception e)
            {
                run.Fail(input, e.ToString());
            }

            run.RequireWithin(input, start, SlowInput);
        }

        run.Report();
    }

    /// <summary>The seed files of a parser, as bytes.</summary>
    public static IReadOnlyList<byte[]> Seeds(string parser)
    {
        var folder = Path.Combine(Root(), "tests", "fuzz-seeds", parser);
        return [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
    }

    private static string Root()
    {
        var given = Environment.GetEnvironmentVariable("ORIEL_TEST_SOURCE");
        if (!string.IsNullOrEmpty(given))
        {
            return given;
        }

        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "oriel.slnx")))
        {
            folder =
                Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("No oriel.slnx above " + AppContext.BaseDirectory);
        }

        return folder;
    }

    private readonly record struct Spent(long Clock, TimeSpan Processor)
    {
        public static Spent Now => new(Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
    }

    /// <summary>One run: what it gives out, and how it tells what it found.</summary>
    private sealed class FuzzRun
    {
        private readonly string _parser;
        private readonly IReadOnlyList<byte[]> _seeds;
        private readonly int _iterations;
        private readonly int _seconds;
        private readonly int _rngSeed;
        private readonly Mutator _mutator;
        private readonly Stopwatch _watch = Stopwatch.StartNew();
        private long _done;

        public FuzzRun(string parser, int iterations, int rngSeed, FuzzForm form)
        {
            _parser = parser;
            _seeds = Seeds(parser);
            Assert.NotEmpty(_seeds);
            _iterations = iterations;
            _seconds = int.TryParse(Environment.GetEnvironmentVariable(SecondsVariable), CultureInfo.InvariantCulture, out var given)
                ? given
                : 0;
            _rngSeed = _seconds > 0 ? Environment.TickCount : rngSeed;
            _mutator = new Mutator(_seeds, form, _rngSeed);
        }

        public IEnumerable<byte[]> Inputs()
        {
            foreach (var seed in _seeds)
            {
                yield return seed;
                _done++;
            }

            for (; _seconds > 0 ? _watch.Elapsed.TotalSeconds < _seconds : _done < _iterations; _done++)
            {
                yield return _mutator.Next();
            }
        }

        public void RequireWithin(byte[] input, in Spent start, TimeSpan limit)
        {
            // Both, as a busy machine takes the time away, and other tests of the process the processor.
            if (
                Stopwatch.GetElapsedTime(start.Clock) is var clock
                && clock > limit
                && Environment.CpuUsage.TotalTime - start.Processor is var processor
                && processor > limit
            )
            {
                Fail(input, $"it took {clock}, {processor} of the processor");
            }
        }

        public void Fail(byte[] input, string why) =>
            Assert.Fail($"{_parser}, run {_rngSeed}, input {_done}: {Convert.ToHexString(input)}\n{why}");

        public void Report() =>
            TestContext.Current.TestOutputHelper?.WriteLine(
                $"{_parser}: {_done} inputs from {_seeds.Count} seeds in {_watch.Elapsed.TotalSeconds:F1} s, no fault"
            );
    }
}
