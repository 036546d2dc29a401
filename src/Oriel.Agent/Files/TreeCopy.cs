using System.Security.Cryptography;
using Oriel.Linux;
using Oriel.Linux.Files;
using Oriel.Protocol;

namespace Oriel.Agent.Files;

/// <summary>
/// A move where the kernel cannot rename: all is copied beside its new place, put there by a rename, and removed from the old one. Owner,
/// mode, time and symbolic links stay; of a file with several names each becomes a file.
/// </summary>
internal sealed class TreeCopy(CancellationToken cancellationToken)
{
    private const int BufferBytes = 256 * 1024;
    private const uint Private = 0x180; // 0600

    private readonly byte[] _buffer = new byte[BufferBytes];

    /// <exception cref="LinuxException">EEXIST; EXDEV: a device, pipe or socket; what a rename over the new place can give ...</exception>
    public void Move(DirectoryHandle source, string from, DirectoryHandle target, string to, bool replaces)
    {
        if (!replaces && target.TryStatus(to) is not null)
        {
            throw new LinuxException("rename", Errno.EEXIST, $"{target.Path}/{to}");
        }

        var copy = $".{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}.oriel-moved";
        try
        {
            Copy(source, from, target, copy, 0);
            target.Move(copy, target, to, replaces);
        }
        catch
        {
            Remove(target, copy);
            throw;
        }

        Remove(source, from);
    }

    /// <summary>To its end, also when the caller has gone: nothing stays twice.</summary>
    private static void Remove(DirectoryHandle parent, string name)
    {
        switch (parent.TryStatus(name)?.Kind)
        {
            case FileKind.Directory:
                FileTrees.RemoveTree(parent, name, 0, CancellationToken.None);
                break;
            case not null:
                parent.Unlink(name);
                break;
        }
    }

    private void Copy(DirectoryHandle source, string from, DirectoryHandle target, string to, int depth)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var status = source.TryStatus(from) ?? throw new LinuxException("copy", Errno.ENOENT, $"{source.Path}/{from}");
        switch (status.Kind)
        {
            case FileKind.Directory:
                CopyDirectory(source, from, target, to, depth);
                break;
            case FileKind.Regular:
                CopyFile(source, from, target, to);
                break;
            case FileKind.SymbolicLink:
                target.Symlink(source.ReadLink(from), to);
                target.SetOwner(to, status.Uid, status.Gid);
                break;
            default:
                throw new LinuxException("move a device, pipe or socket", Errno.EXDEV, $"{source.Path}/{from}");
        }
    }

    private void CopyDirectory(DirectoryHandle source, string from, DirectoryHandle target, string to, int depth)
    {
        using var opened = source.OpenDirectory(from);
        if (depth == GuestRules.MaxTreeDepth)
        {
            throw FileFaults.TooDeep(opened.Path);
        }

        var status = opened.Status();
        using var made = target.MakeDirectory(to, status.Uid, status.Gid, status.Mode);
        foreach (var name in opened.Names())
        {
            Copy(opened, name, made, name, depth + 1);
        }

        made.SetModified(status.ModifiedUs);
    }

    private void CopyFile(DirectoryHandle source, string from, DirectoryHandle target, string to)
    {
        using var opened = source.OpenRegular(from);
        using var made = target.Create(to, Private);
        long length = 0;
        for (int n; (n = RandomAccess.Read(opened, _buffer, length)) > 0; length += n)
        {
            cancellationToken.ThrowIfCancellationRequested();
            RandomAccess.Write(made, _buffer.AsSpan(0, n), length);
        }

        var status = DirectoryHandle.Status(opened);
        DirectoryHandle.SetOwnerAndMode(made, status.Uid, status.Gid, status.Mode);
        DirectoryHandle.SetModified(made, status.ModifiedUs);
    }
}
