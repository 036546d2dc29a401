using Oriel.Linux.Processes;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Keepers;

/// <summary>Removes bundles, whose scratch holds files of subordinate ids that the user itself may not remove.</summary>
public static class BundleRemover
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    /// <summary>Removes the whole directory. The keeper must have ended. Succeeds where there is nothing.</summary>
    /// <exception cref="IOException">Something could not be removed; the message names it.</exception>
    public static async Task RemoveAsync(Bundle bundle, CancellationToken cancellationToken)
    {
        if (!bundle.Exists)
        {
            return;
        }

        var full = Path.GetFullPath(bundle.Path);
        var removal = new HostProgram(
            "unshare",
            ["--user", "--map-root-user", "--map-auto", "--", "rm", "-rf", "--one-file-system", "--", full]
        )
        {
            Deadline = Deadline,
        };
        var end = await removal.RunAsync(cancellationToken);
        if (!end.Succeeded || Directory.Exists(full))
        {
            throw new IOException($"{full} could not be removed: {end.Problem ?? "rm reported success but left it"}");
        }
    }
}
