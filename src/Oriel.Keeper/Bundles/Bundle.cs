using System.Text.Json;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Bundles;

/// <summary>The desktop's directory, seen from its keeper.</summary>
internal sealed class Bundle
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private Bundle(string path, KeeperSpec spec)
    {
        Path = path;
        Spec = spec;
    }

    public string Path { get; }

    public KeeperSpec Spec { get; }

    /// <exception cref="InvalidDataException">spec.json is missing, malformed or of another bundle.</exception>
    public static Bundle Open(string path)
    {
        var specPath = System.IO.Path.Combine(path, BundleLayout.Spec);
        KeeperSpec spec;
        try
        {
            spec =
                JsonSerializer.Deserialize(File.ReadAllBytes(specPath), KeeperJsonContext.Default.KeeperSpec)
                ?? throw new InvalidDataException($"{specPath} is empty.");
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            throw new InvalidDataException($"{specPath}: {e.Message}", e);
        }

        if (spec.Bundle != path)
        {
            throw new InvalidDataException($"{specPath} is of the bundle {spec.Bundle}.");
        }

        // Socket addresses hold 107 bytes; relative names work however deep the data directory is.
        Directory.SetCurrentDirectory(path);
        return new Bundle(path, spec);
    }

    public string PathOf(string name) => System.IO.Path.Combine(Path, name);

    public void WriteIdentity(KeeperIdentity identity) =>
        WriteAtomically(BundleLayout.Identity, JsonSerializer.SerializeToUtf8Bytes(identity, KeeperJsonContext.Default.KeeperIdentity));

    /// <summary>Keeps the last event for a server that was away when it happened.</summary>
    public void WriteExit(KeeperExit exited) =>
        WriteAtomically(BundleLayout.Exit, JsonSerializer.SerializeToUtf8Bytes(exited, KeeperMessageContext.Default.KeeperMessage));

    public static void WriteOwnerOnly(string path, ReadOnlySpan<byte> content, UnixFileMode mode = OwnerOnly)
    {
        using var file = new FileStream(
            path,
            new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = mode,
            }
        );
        file.Write(content);
    }

    private void WriteAtomically(string name, ReadOnlySpan<byte> content)
    {
        var temporary = PathOf($".{name}.new");
        WriteOwnerOnly(temporary, content);
        File.Move(temporary, PathOf(name), overwrite: true);
    }
}
