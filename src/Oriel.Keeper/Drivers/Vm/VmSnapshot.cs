using Oriel.Keeper.Tools;

namespace Oriel.Keeper.Drivers.Vm;

/// <summary>The files of a machine's snapshot.</summary>
internal sealed class VmSnapshot(string directory)
{
    public string Directory { get; } = directory;

    public string Memory => Path.Combine(Directory, VmDirectory.Memory);

    public string State => Path.Combine(Directory, VmDirectory.State);

    public string Scratch => Path.Combine(Directory, VmDirectory.Scratch);

    /// <summary>Holes stay holes, and where the file system shares blocks between files nothing is copied.</summary>
    /// <exception cref="IOException">The disk is full, a file is not there, or cp did nothing.</exception>
    public static async Task CopyAsync(string from, string to, CancellationToken cancellationToken)
    {
        try
        {
            await Commands.RunAsync("cp", ["--reflink=auto", "--sparse=always", "--", from, to], null, cancellationToken);
        }
        catch (InvalidOperationException e)
        {
            throw new IOException(e.Message, e);
        }

        if (new FileInfo(to) is not { Exists: true } copy || copy.Length != new FileInfo(from).Length)
        {
            throw new IOException($"cp told of no error and did not make {to} whole");
        }
    }
}
