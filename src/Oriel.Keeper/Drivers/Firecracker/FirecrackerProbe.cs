using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>The VMM that is installed, found by asking the program itself.</summary>
/// <param name="Program">As it is to be started.</param>
internal sealed record FirecrackerProbe(string Program, FirecrackerVersion Version, FirecrackerCapabilities Capabilities)
{
    public const string DefaultProgram = "firecracker";

    private const int MaxOutputBytes = 4096;
    private const string Word = "Firecracker ";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    /// <exception cref="InvalidOperationException">It is not there, does not answer or cannot be used; says why and what to do.</exception>
    public static async Task<FirecrackerProbe> RunAsync(string program, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Deadline);
        using var process = Start(program);
        try
        {
            var output = await ReadAsync(process.StandardOutput.BaseStream, limit.Token);
            // One that has more to say ends by the broken pipe.
            process.StandardOutput.Close();
            await process.WaitForExitAsync(limit.Token);
            return Judge(program, output, process.ExitCode);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException($"{program} --version did not end within {Deadline.TotalSeconds:0} s.");
        }
        finally
        {
            Kill(process);
        }
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

    private static Process Start(string program)
    {
        try
        {
            return Process.Start(
                new ProcessStartInfo(program, ["--version"]) { RedirectStandardOutput = true, RedirectStandardInput = true }
            )!;
        }
        catch (Win32Exception e)
        {
            throw new InvalidOperationException(
                $"{program} cannot be started ({e.Message}): install Firecracker {FirecrackerVersion.Oldest} or later, below {FirecrackerVersion.End}, on the PATH, or start the server with --driver qemu.",
                e
            );
        }
    }

    private static async Task<string> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxOutputBytes];
        var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken);
        return Encoding.UTF8.GetString(buffer, 0, length);
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill();
        }
        catch (InvalidOperationException)
        {
            // It has ended.
        }
    }

    private static string Shortened(string line) => line.Length > 100 ? line[..100] : line;
}
