namespace Oriel.Images.Tools;

/// <summary>
/// Runs tools in a user namespace that maps root to this user and all other ids to its subordinate ones, so that an ordinary user
/// can own, read and remove a tree with many owners.
/// </summary>
internal static class MappedNamespace
{
    /// <summary>The command, wrapped; the namespace ends with it.</summary>
    public static IReadOnlyList<string> Wrap(params IEnumerable<string> command) =>
        ["unshare", "--map-root-user", "--map-auto", "--", .. command];

    /// <summary>
    /// The same with mount and process namespaces of its own: what it mounts and starts is gone when it ends, by whatever end.
    /// </summary>
    public static IReadOnlyList<string> WrapIsolated(params IEnumerable<string> command) =>
        ["unshare", "--map-root-user", "--map-auto", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", .. command];

    public static async Task RemoveTreeAsync(string path, CancellationToken cancellationToken)
    {
        if (Directory.Exists(path))
        {
            await Command.RunAsync(Wrap("rm", "-rf", "--one-file-system", "--", path), null, cancellationToken);
        }
    }
}
