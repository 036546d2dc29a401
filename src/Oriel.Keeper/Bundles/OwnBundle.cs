using System.Text.Json;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Keeper.Bundles;

/// <summary>The bundle that this keeper runs: what the server asks for, and what only the keeper writes.</summary>
internal sealed class OwnBundle
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private OwnBundle(Bundle files, KeeperSpec spec)
    {
        Files = files;
        Spec = spec;
    }

    public Bundle Files { get; }

    public KeeperSpec Spec { get; }

    /// <exception cref="InvalidDataException">spec.json is missing, malformed or of another bundle.</exception>
    public static OwnBundle Open(string path)
    {
        var files = new Bundle(path);
        KeeperSpec spec;
        try
        {
            spec =
                JsonSerializer.Deserialize(File.ReadAllBytes(files.Spec), KeeperJsonContext.Default.KeeperSpec)
                ?? throw new InvalidDataException($"{files.Spec} is empty.");
        }
        catch (Exception e) when (e is IOException or JsonException)
        {
            throw new InvalidDataException($"{files.Spec}: {e.Message}", e);
        }

        if (spec.Bundle != path)
        {
            throw new InvalidDataException($"{files.Spec} is of the bundle {spec.Bundle}.");
        }

        // Socket addresses hold 107 bytes; relative names work however deep the data directory is.
        Directory.SetCurrentDirectory(path);
        return new OwnBundle(files, spec);
    }

    public void WriteIdentity(KeeperIdentity identity) =>
        WriteAtomically(Files.Identity, JsonSerializer.SerializeToUtf8Bytes(identity, KeeperJsonContext.Default.KeeperIdentity));

    /// <summary>Keeps the last event for a server that was away when it happened.</summary>
    public void WriteExit(KeeperExit exited) =>
        WriteAtomically(Files.Exit, JsonSerializer.SerializeToUtf8Bytes(exited, KeeperMessageContext.Default.KeeperMessage));

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

    private static void WriteAtomically(string path, ReadOnlySpan<byte> content)
    {
        var temporary = Path.Combine(Path.GetDirectoryName(path)!, $".{Path.GetFileName(path)}.new");
        WriteOwnerOnly(temporary, content);
        File.Move(temporary, path, overwrite: true);
    }
}
