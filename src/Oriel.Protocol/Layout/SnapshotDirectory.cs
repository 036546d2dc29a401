namespace Oriel.Protocol.Layout;

/// <summary>
/// The directory of one saved machine (0700): golden in <see cref="ImageDirectory.Snapshots"/>, of a fork <see cref="Bundle.Fork"/>. A
/// keeper writes the machine's files, and those of a golden one are never written to afterwards.
/// </summary>
public sealed record SnapshotDirectory(string Path)
{
    /// <summary>What the machine needs of a host, and its agent key (0600). Written last, by the server; a fork has none.</summary>
    public string Manifest => PathOf("snapshot.json");

    /// <summary>The machine's memory, where the state is without it.</summary>
    public string Memory => PathOf("memory");

    /// <summary>The state of the machine's devices.</summary>
    public string State => PathOf("state");

    /// <summary>The synthetic addresses of names that the machine's programs may hold; not there in one of an older keeper.</summary>
    public string Names => PathOf("names");

    /// <summary>The machine's scratch disk, sparse.</summary>
    public string Scratch => PathOf("scratch");

    public override string ToString() => Path;

    private string PathOf(string name) => System.IO.Path.Combine(Path, name);
}
