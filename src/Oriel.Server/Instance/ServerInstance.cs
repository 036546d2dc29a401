using System.Text.Json;
using System.Text.Json.Serialization;
using Oriel.Protocol.Layout;

namespace Oriel.Server.Instance;

/// <summary>Where the server of a data directory is: <see cref="DataLayout.ServerFile"/> while it runs.</summary>
/// <param name="Url">As a browser on this host reaches it, without a path.</param>
internal sealed record ServerInstance(int Pid, string Url, string? CertificateFingerprint)
{
    /// <summary>Null when there is none, or it cannot be read.</summary>
    public static ServerInstance? Read(DataLayout layout)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(layout.ServerFile), InstanceJsonContext.Default.ServerInstance);
        }
        catch (Exception e) when (e is IOException or JsonException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    public void Write(DataLayout layout) =>
        PrivateFile.Write(layout.ServerFile, JsonSerializer.SerializeToUtf8Bytes(this, InstanceJsonContext.Default.ServerInstance));
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(ServerInstance))]
internal sealed partial class InstanceJsonContext : JsonSerializerContext;

/// <summary>Files that only their owner may read.</summary>
internal static class PrivateFile
{
    public const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    public const UnixFileMode OwnerOnlyDirectory = OwnerOnly | UnixFileMode.UserExecute;

    /// <summary>Atomically: a reader sees the old content or the new.</summary>
    public static void Write(string path, ReadOnlySpan<byte> content)
    {
        var partial = $"{path}.{Environment.ProcessId}.new";
        File.Delete(partial);
        using (
            var file = new FileStream(
                partial,
                new FileStreamOptions
                {
                    Mode = FileMode.CreateNew,
                    Access = FileAccess.Write,
                    UnixCreateMode = OwnerOnly,
                }
            )
        )
        {
            file.Write(content);
            file.Flush(flushToDisk: true);
        }

        File.Move(partial, path, overwrite: true);
    }
}

/// <summary>One server for each data directory: an open file that the kernel lets go of when its process ends, however it ends.</summary>
internal sealed class ServerLock : IDisposable
{
    private readonly FileStream _file;

    private ServerLock(FileStream file) => _file = file;

    /// <returns>Null when another server holds it.</returns>
    public static ServerLock? TryTake(DataLayout layout)
    {
        try
        {
            // FileShare.None takes an advisory lock (flock) on Linux.
            return new ServerLock(
                new FileStream(
                    layout.ServerLock,
                    new FileStreamOptions
                    {
                        Mode = FileMode.OpenOrCreate,
                        Access = FileAccess.ReadWrite,
                        Share = FileShare.None,
                        UnixCreateMode = PrivateFile.OwnerOnly,
                    }
                )
            );
        }
        catch (IOException)
        {
            return null;
        }
    }

    public void Dispose() => _file.Dispose();
}
