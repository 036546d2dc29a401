using System.ComponentModel;
using System.Diagnostics;
using Oriel.Linux;

namespace Oriel.Keeper.Tools;

/// <summary>
/// Runs the few binaries that the keeper leaves work to (ip, nft, crun). Each has a bounded time; a failure says what it printed.
/// </summary>
internal static class Commands
{
    private const int MaxErrorCharacters = 1000;

    /// <returns>Standard output.</returns>
    /// <exception cref="InvalidOperationException">It could not be started, or its exit code was not 0.</exception>
    public static async Task<string> RunAsync(
        string program,
        IEnumerable<string> arguments,
        string? input,
        CancellationToken cancellationToken
    )
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Start(start);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            var isRead = await TellAsync(process, input, cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            if (process.ExitCode != 0)
            {
                var said = (await errors).Trim();
                throw new InvalidOperationException(
                    $"{program} exited with {process.ExitCode}: {(said.Length > MaxErrorCharacters ? said[..MaxErrorCharacters] : said)}"
                );
            }

            return isRead
                ? await output
                : throw new InvalidOperationException($"{program} reported success but did not read what it was to do");
        }
        catch
        {
            process.Kill();
            throw;
        }
    }

    /// <returns>False where the program ended before: then its exit code and its words say why.</returns>
    private static async Task<bool> TellAsync(Process process, string? input, CancellationToken cancellationToken)
    {
        try
        {
            await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
            process.StandardInput.Close();
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e) when (e.NativeErrorCode == Errno.ENOENT)
        {
            throw new InvalidOperationException(Programs.Missing(start.FileName), e);
        }
    }
}
