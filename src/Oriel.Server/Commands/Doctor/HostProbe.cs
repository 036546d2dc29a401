using Oriel.Linux.Processes;

namespace Oriel.Server.Commands.Doctor;

/// <param name="ExitCode">-1: it could not be started, or did not end by itself.</param>
/// <param name="Output">Standard output and errors, at most their first 2,000 characters; why there are none where the code is -1.</param>
internal sealed record HostProbeResult(int ExitCode, string Output)
{
    public bool Succeeded => ExitCode == 0;

    public string FirstLine => Output.Split('\n', 2)[0].Trim();

    public string LastLine => Output.TrimEnd().Split('\n')[^1].Trim();
}

/// <summary>Asks a program of the host what there is to know, by a short run with a deadline.</summary>
internal static class HostProbe
{
    private const int MaxOutput = 2000;

    public static async Task<HostProbeResult> RunAsync(TimeSpan deadline, CancellationToken cancellationToken, params string[] command)
    {
        var end = await new HostProgram(command[0], command[1..]) { Deadline = deadline }.RunAsync(cancellationToken);
        if (end.Outcome != ProgramOutcome.Ended)
        {
            return new HostProbeResult(-1, end.Fault!);
        }

        var text = end.Output + end.Errors;
        return new HostProbeResult(end.Exit.ExitCode, text.Length > MaxOutput ? text[..MaxOutput] : text);
    }
}
