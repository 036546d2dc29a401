using System.ComponentModel;
using System.Diagnostics;
using Oriel.Linux.Processes;

namespace Oriel.Server.Commands.Doctor;

/// <param name="ExitCode">-1: it could not be started, or did not end in time.</param>
/// <param name="Output">Standard output and errors, at most their first 2,000 characters.</param>
internal sealed record HostProgramResult(int ExitCode, string Output)
{
    public bool Succeeded => ExitCode == 0;

    public string FirstLine => Output.Split('\n', 2)[0].Trim();

    public string LastLine => Output.TrimEnd().Split('\n')[^1].Trim();
}

/// <summary>Runs a short program of the host with a deadline; one that hangs is killed and not waited for.</summary>
internal static class HostProgram
{
    private const int MaxOutput = 2000;

    public static async Task<HostProgramResult> RunAsync(TimeSpan deadline, CancellationToken cancellationToken, params string[] command)
    {
        var info = new ProcessStartInfo(command[0])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var argument in command.AsSpan(1))
        {
            info.ArgumentList.Add(argument);
        }

        info.Environment["LC_ALL"] = "C.UTF-8";
        Process process;
        try
        {
            process = Process.Start(info)!;
        }
        catch (Win32Exception)
        {
            return new HostProgramResult(-1, Programs.Problem(Programs.SearchPath, command[0]) ?? $"{command[0]} cannot be started");
        }

        using (process)
        using (var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
        {
            limit.CancelAfter(deadline);
            process.StandardInput.Close();
            try
            {
                var output = process.StandardOutput.ReadToEndAsync(limit.Token);
                var errors = process.StandardError.ReadToEndAsync(limit.Token);
                await process.WaitForExitAsync(limit.Token);
                var text = await output + await errors;
                return new HostProgramResult(process.ExitCode, text.Length > MaxOutput ? text[..MaxOutput] : text);
            }
            catch (OperationCanceledException)
            {
                ProcessTree.Kill(process);
                cancellationToken.ThrowIfCancellationRequested();
                return new HostProgramResult(-1, $"{command[0]} did not end within {deadline.TotalSeconds:0} s");
            }
        }
    }
}
