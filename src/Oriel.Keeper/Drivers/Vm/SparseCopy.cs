namespace Oriel.Keeper.Drivers.Vm;

/// <summary>Copies a machine's disk.</summary>
internal static class SparseCopy
{
    /// <summary>Holes stay holes, and where the file system shares blocks between files nothing is copied.</summary>
    /// <exception cref="IOException">The disk is full, a file is not there, or cp did nothing.</exception>
    public static async Task MakeAsync(string from, string to, CancellationToken cancellationToken)
    {
        var end = await new HostProgram("cp", "--reflink=auto", "--sparse=always", "--", from, to).RunAsync(cancellationToken);
        if (end.Problem is { } problem)
        {
            throw new IOException(problem);
        }

        if (new FileInfo(to) is not { Exists: true } copy || copy.Length != new FileInfo(from).Length)
        {
            throw new IOException($"cp reported no error and did not make {to} whole");
        }
    }
}
