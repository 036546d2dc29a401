using System.Security.Cryptography;
using System.Text;
using Microsoft.Win32.SafeHandles;
using Oriel.Linux;
using Oriel.Linux.Files;

namespace Oriel.Agent.Files;

/// <summary>
/// What has arrived of a file, beside its place, so that an interrupted put can go on; hidden, and root's until it is whole.
/// </summary>
internal sealed class PartialFile : IDisposable
{
    private const string Suffix = ".oriel-partial";
    private const int MaxNameBytes = 255;
    private const uint Private = 0x180; // 0600

    private readonly DirectoryHandle _directory;
    private readonly string _name;
    private readonly string _partialName;
    private readonly SafeFileHandle _file;

    private PartialFile(DirectoryHandle directory, string name, string partialName, SafeFileHandle file, long length) =>
        (_directory, _name, _partialName, _file, Length) = (directory, name, partialName, file, length);

    public long Length { get; private set; }

    /// <param name="offset">Where to go on; 0 begins anew. What lies beyond is dropped.</param>
    /// <exception cref="PartialOffsetException">Less than that is there.</exception>
    /// <exception cref="IOException"/>
    public static PartialFile Open(string path, long offset, uint uid, uint gid)
    {
        var name = Path.GetFileName(path);
        var partialName = NameOf(name);
        var directory = DirectoryHandle.OpenOrCreate(Path.GetDirectoryName(path)!, uid, gid);
        SafeFileHandle? file = null;
        try
        {
            if (directory.TryStatus(name) is { Kind: FileKind.Directory })
            {
                throw new LinuxException("put", Errno.EISDIR, path);
            }

            var kept = directory.TryStatus(partialName);
            if (offset > (kept?.Size ?? 0))
            {
                throw new PartialOffsetException(kept?.Size ?? 0);
            }

            if (offset == 0)
            {
                if (kept is not null)
                {
                    directory.Unlink(partialName);
                }

                file = directory.Create(partialName, Private);
            }
            else
            {
                file = directory.OpenRegular(partialName, write: true);
                RandomAccess.SetLength(file, offset);
            }

            return new PartialFile(directory, name, partialName, file, offset);
        }
        catch
        {
            file?.Dispose();
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Bytes kept of an interrupted put; 0 when there is none.</summary>
    public static long KeptOf(DirectoryHandle directory, string name) =>
        directory.TryStatus(NameOf(name)) is { Kind: FileKind.Regular } status ? status.Size : 0;

    public void Append(ReadOnlySpan<byte> bytes)
    {
        RandomAccess.Write(_file, bytes, Length);
        Length += bytes.Length;
    }

    /// <summary>Puts the whole file into its place, replacing what has its name (a symbolic link itself, not what it points to).</summary>
    /// <returns>Its hash, read back, and what it is now.</returns>
    public (byte[] Sha256, FileStatus Status) Complete(uint uid, uint gid, uint mode)
    {
        DirectoryHandle.SetOwnerAndMode(_file, uid, gid, mode);
        DirectoryHandle.Sync(_file);
        DirectoryHandle.DropCache(_file);
        var hash = FileProofs.Hash(_file, out _);
        _directory.Rename(_partialName, _name);
        _directory.Sync();
        return (hash, DirectoryHandle.Status(_file));
    }

    public void Dispose()
    {
        _file.Dispose();
        _directory.Dispose();
    }

    private static string NameOf(string name)
    {
        var partial = $".{name}{Suffix}";
        var bytes = System.Text.Encoding.UTF8.GetBytes(partial);
        return bytes.Length <= MaxNameBytes
            ? partial
            : $".{Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(name)))}{Suffix}";
    }
}

/// <summary>A put wants to go on behind what is there.</summary>
internal sealed class PartialOffsetException(long kept) : IOException($"only {kept} bytes of it are there");
