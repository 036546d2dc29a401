using System.Diagnostics;
using System.Globalization;

namespace Oriel.WebRtc.Tests.Fuzz;

/// <summary>Takes one input; must not throw, whatever it is.</summary>
internal delegate void FuzzTarget(ReadOnlySpan<byte> input);

/// <summary>
/// Mutation fuzzing over a seed corpus in tests/fuzz-seeds/PARSER/. A short deterministic run belongs to the tests; ORIEL_FUZZ_SECONDS=600 makes it long,
/// with a random start that a failure names.
/// </summary>
internal static class Fuzz
{
    private const string SecondsVariable = "ORIEL_FUZZ_SECONDS";
    private const int MaxInput = 4096;
    private static readonly TimeSpan SlowInput = TimeSpan.FromSeconds(5);

    /// <summary>Runs <paramref name="iterations"/> mutations, or as long as ORIEL_FUZZ_SECONDS says. Fails the test with the input in hex.</summary>
    /// <param name="parser">Name of the seed folder; a missing one is an error.</param>
    /// <param name="target">The parser, as its caller uses it.</param>
    /// <param name="iterations">Of the short run. Default 20,000.</param>
    /// <param name="rngSeed">Of the short run. Default 1.</param>
    public static void Run(string parser, FuzzTarget target, int iterations = 20_000, int rngSeed = 1)
    {
        var seeds = Seeds(parser);
        Assert.NotEmpty(seeds);
        var seconds = int.TryParse(Environment.GetEnvironmentVariable(SecondsVariable), CultureInfo.InvariantCulture, out var given) ? given : 0;
        rngSeed = seconds > 0 ? Environment.TickCount : rngSeed;
        var mutator = new Mutator(seeds, MaxInput, rngSeed);
        var watch = Stopwatch.StartNew();
        var done = 0L;
        foreach (var seed in seeds)
        {
            RunOne(parser, target, seed, rngSeed, done++);
        }

        while (seconds > 0 ? watch.Elapsed.TotalSeconds < seconds : done < iterations)
        {
            RunOne(parser, target, mutator.Next(), rngSeed, done++);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{parser}: {done} inputs from {seeds.Count} seeds in {watch.Elapsed.TotalSeconds:F1} s, no fault");
    }

    /// <summary>The seed files of a parser, as bytes.</summary>
    public static IReadOnlyList<byte[]> Seeds(string parser)
    {
        var folder = Path.Combine(Root(), "tests", "fuzz-seeds", parser);
        return [.. Directory.EnumerateFiles(folder).Order(StringComparer.Ordinal).Select(File.ReadAllBytes)];
    }

    private static void RunOne(string parser, FuzzTarget target, byte[] input, int rngSeed, long number)
    {
        var start = Stopwatch.GetTimestamp();
        try
        {
            target(input);
        }
        catch (Exception e)
        {
            Assert.Fail($"{parser}, run {rngSeed}, input {number}: {Convert.ToHexString(input)}\n{e}");
        }

        if (Stopwatch.GetElapsedTime(start) > SlowInput)
        {
            Assert.Fail($"{parser}, run {rngSeed}, input {number} took {Stopwatch.GetElapsedTime(start)}: {Convert.ToHexString(input)}");
        }
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
            folder = Path.GetDirectoryName(folder) ?? throw new DirectoryNotFoundException("No oriel.slnx above " + AppContext.BaseDirectory);
        }

        return folder;
    }
}
