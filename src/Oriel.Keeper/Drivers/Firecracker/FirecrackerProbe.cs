namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>The VMM that is installed, found by asking the program itself.</summary>
/// <param name="Program">As it is to be started.</param>
internal sealed record FirecrackerProbe(string Program, FirecrackerVersion Version, FirecrackerCapabilities Capabilities)
{
    public const string DefaultProgram = "firecracker";

    private const int MaxOutput = 4096;
    private const string Word = "Firecracker ";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    /// <exception cref="InvalidOperationException">It is not there, does not answer or cannot be used; says why and what to do.</exception>
    public static async Task<FirecrackerProbe> RunAsync(string program, CancellationToken cancellationToken)
    {
        var asked = new HostProgram(program, "--version") { Deadline = Deadline, MaxOutput = MaxOutput };
        var end = await asked.RunAsync(cancellationToken);
        return end.Outcome switch
        {
            ProgramOutcome.NotStarted => throw new InvalidOperationException(
                $"{end.Fault}; install Firecracker {FirecrackerVersion.Oldest} or later, below {FirecrackerVersion.End}, on the PATH, or start the server with --driver qemu."
            ),
            ProgramOutcome.TimedOut => throw new InvalidOperationException(
                $"{program} --version did not end within {Deadline.TotalSeconds:0} s."
            ),
            _ => Judge(program, end.Output, end.Exit.ExitCode),
        };
    }

    /// <summary>For the server, which chooses the driver: the version on the first line, or why not, and 0 or 1.</summary>
    public static async Task<int> TellAsync()
    {
        try
        {
            Console.WriteLine((await RunAsync(DefaultProgram, CancellationToken.None)).Version);
            return 0;
        }
        catch (InvalidOperationException e)
        {
            Console.WriteLine(e.Message);
            return 1;
        }
    }

    /// <param name="output">What <c>--version</c> printed: the first line counts.</param>
    /// <exception cref="InvalidOperationException"/>
    internal static FirecrackerProbe Judge(string program, string output, int exitCode)
    {
        var end = output.IndexOf('\n');
        var line = (end < 0 ? output : output[..end]).Trim();
        if (
            exitCode != 0
            || !line.StartsWith(Word, StringComparison.Ordinal)
            || !FirecrackerVersion.TryParse(line[Word.Length..], out var version)
        )
        {
            throw new InvalidOperationException(
                $"{program} --version ended with {exitCode} and named no version of Firecracker: \"{Shortened(line)}\"."
            );
        }

        return version.Refusal() is { } refusal
            ? throw new InvalidOperationException(refusal)
            : new FirecrackerProbe(program, version, FirecrackerCapabilities.Of(version));
    }

    private static string Shortened(string line) => line.Length > 100 ? line[..100] : line;
}
