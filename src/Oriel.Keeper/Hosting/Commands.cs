using System.Diagnostics;

namespace Oriel.Keeper.Hosting;

/// <summary>Runs the few binaries that the keeper leaves work to (ip, nft, crun). Each has a bounded time; a failure says what it printed.</summary>
internal static class Commands
{
    private const int MaxErrorCharacters = 1000;

    /// <returns>Standard output.</returns>
    /// <exception cref="InvalidOperationException">It could not be started, or its exit code was not 0.</exception>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, string? input, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var errors = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken).ConfigureAwait(false);
            process.StandardInput.Close();
            await process.WaitForExitAsync(cancellationToken).ConfigureAwait(false);
            if (process.ExitCode != 0)
            {
                var said = (await errors.ConfigureAwait(false)).Trim();
                throw new InvalidOperationException($"{program} exited with {process.ExitCode}: {(said.Length > MaxErrorCharacters ? said[..MaxErrorCharacters] : said)}");
            }

            return await output.ConfigureAwait(false);
        }
        catch
        {
            process.Kill();
            throw;
        }
    }
}
