using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Files;

/// <summary>
/// An open directory, reached without following a symbolic link in any component; what is done through it cannot be diverted by
/// renaming or replacing a part of its path afterwards. Names given to its methods are single components.
/// </summary>
public sealed unsafe class DirectoryHandle : IDisposable
{
    // A directory opened read-only, not O_PATH, because fsync and fchown need it.
    private const int OpenFlags = FileCalls.ReadOnly | FileCalls.MustBeDirectory | FileCalls.NoFollow | FileCalls.CloseOnExec;
    private const int EntriesBytes = 32 * 1024;
    private const int MaxTargetBytes = 4096;

    /// <summary>What a DateTime can hold: the years 1 and 9999.</summary>
    private const long MinTimeUs = -62_135_596_800_000_000,
        MaxTimeUs = 253_402_300_799_000_000;

    private readonly OwnedDescriptor _fd;

    private DirectoryHandle(OwnedDescriptor fd, string path) => (_fd, Path) = (fd, path);

    public string Path { get; }

    /// <summary>By which this process can name the directory to a call that takes paths alone, wherever it is meanwhile.</summary>
    internal string DescriptorPath => Fd.PathOf(_fd);

    /// <param name="path">Absolute and normalised.</param>
    /// <exception cref="SymbolicLinkException"/>
    /// <exception cref="LinuxException">ENOENT, ENOTDIR ...</exception>
    public static DirectoryHandle Open(string path) => Walk(path, create: null);

    /// <summary>As <see cref="Open"/>; makes the directories that are not there, mode 0755, with this owner.</summary>
    public static DirectoryHandle OpenOrCreate(string path, uint uid, uint gid) => Walk(path, (uid, gid));

    /// <summary>Opens for reading what a path leads to, following links. Never waits for the other end of a FIFO.</summary>
    /// <param name="path">Absolute and normalised.</param>
    /// <param name="resolved">Where it is, without links.</param>
    /// <exception cref="LinuxException">ENOENT, ENOTDIR, ELOOP ...</exception>
    public static SafeFileHandle OpenFollowing(string path, out string resolved)
    {
        var fd = FileCalls.OpenAt(FileCalls.AtFdCwd, path, FileCalls.ReadOnly | FileCalls.NonBlocking | FileCalls.CloseOnExec, 0);
        var file = fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw LinuxException.Last("open", path);
        try
        {
            resolved = File.ResolveLinkTarget($"/proc/self/fd/{fd}", returnFinalTarget: false)?.FullName ?? path;
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public void Dispose() => _fd.Dispose();

    /// <summary>A new file, open for reading and writing.</summary>
    /// <exception cref="LinuxException">EEXIST: there is something of this name.</exception>
    public SafeFileHandle Create(string name, uint mode) =>
        OpenAt(name, FileCalls.ReadWrite | FileCalls.Create | FileCalls.Exclusive, mode);

    /// <exception cref="SymbolicLinkException"/>
    /// <exception cref="LinuxException">ENOENT ...; EISDIR or EINVAL when it is not a regular file.</exception>
    public SafeFileHandle OpenRegular(string name, bool write = false)
    {
        // Non-blocking, or opening a FIFO would wait for its other end.
        var handle = OpenAt(name, (write ? FileCalls.ReadWrite : FileCalls.ReadOnly) | FileCalls.NonBlocking, 0);
        var kind = Status(handle).Kind;
        if (kind == FileKind.Regular)
        {
            return handle;
        }

        handle.Dispose();
        throw new LinuxException("open", kind == FileKind.Directory ? Errno.EISDIR : Errno.EINVAL, Join(name));
    }

    /// <returns>Of the name itself, not of what a link points to; null when there is nothing.</returns>
    public FileStatus? TryStatus(string name)
    {
        // SAFETY: struct statx is as long.
        var buffer = stackalloc byte[FileCalls.StatxBytes];
        if (FileCalls.Statx(_fd.Value, name, FileCalls.AtSymlinkNoFollow, FileCalls.StatxBasic, buffer) == 0)
        {
            return FileStatus.Parse(new ReadOnlySpan<byte>(buffer, FileCalls.StatxBytes));
        }

        return Marshal.GetLastPInvokeError() == Errno.ENOENT ? null : throw LinuxException.Last("statx", Join(name));
    }

    /// <summary>Of the directory itself.</summary>
    public FileStatus Status() => StatusOf(_fd.Value);

    public static FileStatus Status(SafeFileHandle file) => StatusOf((int)file.DangerousGetHandle());

    private static FileStatus StatusOf(int fd)
    {
        // SAFETY: struct statx is as long.
        var buffer = stackalloc byte[FileCalls.StatxBytes];
        return FileCalls.Statx(fd, "", FileCalls.AtEmptyPath, FileCalls.StatxBasic, buffer) == 0
            ? FileStatus.Parse(new ReadOnlySpan<byte>(buffer, FileCalls.StatxBytes))
            : throw LinuxException.Last("statx");
    }

    public static void SetOwnerAndMode(SafeFileHandle file, uint uid, uint gid, uint mode)
    {
        LinuxException.ThrowIfNegative(FileCalls.FChown((int)file.DangerousGetHandle(), uid, gid), "fchown");
        LinuxException.ThrowIfNegative(FileCalls.FChmod((int)file.DangerousGetHandle(), mode), "fchmod");
    }

    public static void Sync(SafeFileHandle file) =>
        LinuxException.ThrowIfNegative(FileCalls.FSync((int)file.DangerousGetHandle()), "fsync");

    /// <summary>Makes the next read of a synced file come from the disk, as far as the file system allows.</summary>
    public static void DropCache(SafeFileHandle file)
    {
        const int DontNeed = 4;
        _ = FileCalls.FAdvise((int)file.DangerousGetHandle(), 0, 0, DontNeed);
    }

    /// <summary>The same directory, opened once more.</summary>
    public DirectoryHandle Reopen() =>
        new(new OwnedDescriptor(LinuxException.ThrowIfNegative(FileCalls.OpenAt(_fd.Value, ".", OpenFlags, 0), "open", Path)), Path);

    /// <summary>A directory in this one.</summary>
    /// <exception cref="SymbolicLinkException"/>
    /// <exception cref="LinuxException">ENOENT, ENOTDIR ...</exception>
    public DirectoryHandle OpenDirectory(string name)
    {
        var fd = FileCalls.OpenAt(_fd.Value, name, OpenFlags, 0);
        return fd >= 0 ? new DirectoryHandle(new OwnedDescriptor(fd), Join(name)) : throw Refusal(_fd.Value, name, Join(name));
    }

    /// <summary>
    /// The names in it, in the file system's order and as they are read, without . and .. themselves. One that is no UTF-8 is no
    /// text, but names the same file to the other methods.
    /// </summary>
    public IEnumerable<string> Names()
    {
        // With a position of its own.
        using var reader = Reopen();
        var buffer = new byte[EntriesBytes];
        for (int length; (length = ReadEntries(reader._fd.Value, buffer)) > 0; )
        {
            // struct linux_dirent64: record's length at 16, name at 19 with a NUL behind it.
            for (var at = 0; at < length; at += BinaryPrimitives.ReadUInt16LittleEndian(buffer.AsSpan(at + 16)))
            {
                var name = buffer.AsSpan(at + 19);
                var text = FileNameMarshaller.Decode(name[..name.IndexOf((byte)0)]);
                if (text is not ("." or ".."))
                {
                    yield return text;
                }
            }
        }
    }

    /// <summary>A directory with exactly this owner and mode.</summary>
    /// <exception cref="LinuxException">EEXIST: there is something of this name.</exception>
    public DirectoryHandle MakeDirectory(string name, uint uid, uint gid, uint mode)
    {
        LinuxException.ThrowIfNegative(FileCalls.MakeDirectoryAt(_fd.Value, name, 0x1c0), "mkdir", Join(name)); // 0700
        var made = OpenDirectory(name);
        try
        {
            LinuxException.ThrowIfNegative(FileCalls.FChown(made._fd.Value, uid, gid), "fchown", made.Path);
            made.SetMode(mode);
            return made;
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    /// <exception cref="LinuxException">ENOTEMPTY, EBUSY ...</exception>
    public void RemoveDirectory(string name) =>
        LinuxException.ThrowIfNegative(FileCalls.UnlinkAt(_fd.Value, name, FileCalls.AtRemoveDirectory), "rmdir", Join(name));

    /// <summary>Into another directory, of the same file system.</summary>
    /// <param name="replaces">Whether a file, a link or an empty directory of the new name gives way.</param>
    /// <exception cref="LinuxException">EEXIST; EXDEV: another file system; ENOTEMPTY, EISDIR, ENOTDIR ...</exception>
    public void Move(string from, DirectoryHandle target, string to, bool replaces) =>
        LinuxException.ThrowIfNegative(
            FileCalls.RenameAt2(_fd.Value, from, target._fd.Value, to, replaces ? 0 : FileCalls.RenameNoReplace),
            "rename",
            target.Join(to)
        );

    /// <summary>A second name for a file; a symbolic link itself is what gets it, not what it points to.</summary>
    /// <exception cref="LinuxException">EEXIST ...</exception>
    public void Link(string existing, DirectoryHandle target, string name) =>
        LinuxException.ThrowIfNegative(FileCalls.LinkAt(_fd.Value, existing, target._fd.Value, name, 0), "link", target.Join(name));

    /// <summary>What a symbolic link points to, as it stands there.</summary>
    public string ReadLink(string name)
    {
        // SAFETY: as long as the call is told; the kernel's longest target has one byte less.
        var target = stackalloc byte[MaxTargetBytes];
        var length = (int)FileCalls.ReadLinkAt(_fd.Value, name, target, MaxTargetBytes);
        LinuxException.ThrowIfNegative(length, "readlink", Join(name));
        return FileNameMarshaller.Decode(new ReadOnlySpan<byte>(target, length));
    }

    /// <summary>Of the name itself, not of what a link points to.</summary>
    public void SetOwner(string name, uint uid, uint gid) =>
        LinuxException.ThrowIfNegative(FileCalls.ChownAt(_fd.Value, name, uid, gid, FileCalls.AtSymlinkNoFollow), "chown", Join(name));

    /// <summary>Replaces whatever file or link has the new name.</summary>
    public void Rename(string from, string to) =>
        LinuxException.ThrowIfNegative(FileCalls.RenameAt(_fd.Value, from, _fd.Value, to), "rename", Join(to));

    public void Symlink(string target, string name) =>
        LinuxException.ThrowIfNegative(FileCalls.SymlinkAt(target, _fd.Value, name), "symlink", Join(name));

    public void Unlink(string name) => LinuxException.ThrowIfNegative(FileCalls.UnlinkAt(_fd.Value, name, 0), "unlink", Join(name));

    /// <param name="modifiedUs">Microseconds since 1970, as <see cref="FileStatus.ModifiedUs"/>.</param>
    public static void SetModified(SafeFileHandle file, long modifiedUs) =>
        File.SetLastWriteTimeUtc(file, DateTime.UnixEpoch.AddMicroseconds(Math.Clamp(modifiedUs, MinTimeUs, MaxTimeUs)));

    /// <summary>Of the directory itself.</summary>
    public void SetModified(long modifiedUs)
    {
        using var borrowed = new SafeFileHandle(_fd.Value, ownsHandle: false);
        SetModified(borrowed, modifiedUs);
    }

    /// <summary>The directory's own permission bits.</summary>
    public void SetMode(uint mode) => LinuxException.ThrowIfNegative(FileCalls.FChmod(_fd.Value, mode), "fchmod", Path);

    public void Sync() => LinuxException.ThrowIfNegative(FileCalls.FSync(_fd.Value), "fsync", Path);

    private static DirectoryHandle Walk(string path, (uint Uid, uint Gid)? create)
    {
        if (!path.StartsWith('/'))
        {
            throw new ArgumentException("The path must be absolute.", nameof(path));
        }

        var current = new OwnedDescriptor(FileCalls.OpenAt(FileCalls.AtFdCwd, "/", OpenFlags, 0));
        var walked = "";
        try
        {
            foreach (var name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
            {
                walked += "/" + name;
                var next = FileCalls.OpenAt(current.Value, name, OpenFlags, 0);
                if (next < 0 && Marshal.GetLastPInvokeError() == Errno.ENOENT && create is { } owner)
                {
                    next = Make(current.Value, name, walked, owner);
                }

                if (next < 0)
                {
                    throw Refusal(current.Value, name, walked);
                }

                current.Dispose();
                current = new OwnedDescriptor(next);
            }

            return new DirectoryHandle(current, path);
        }
        catch
        {
            current.Dispose();
            throw;
        }
    }

    private static int Make(int parent, string name, string path, (uint Uid, uint Gid) owner)
    {
        if (FileCalls.MakeDirectoryAt(parent, name, 0x1ed) < 0 && Marshal.GetLastPInvokeError() != Errno.EEXIST) // 0755
        {
            throw LinuxException.Last("mkdir", path);
        }

        var made = FileCalls.OpenAt(parent, name, OpenFlags, 0);
        if (made >= 0 && (FileCalls.FChown(made, owner.Uid, owner.Gid) < 0 || FileCalls.FChmod(made, 0x1ed) < 0))
        {
            var error = LinuxException.Last("fchown", path);
            new OwnedDescriptor(made).Dispose();
            throw error;
        }

        return made;
    }

    private static IOException Refusal(int parent, string name, string path)
    {
        var error = LinuxException.Last("open", path);
        // SAFETY: struct statx is as long.
        var buffer = stackalloc byte[FileCalls.StatxBytes];
        var link =
            FileCalls.Statx(parent, name, FileCalls.AtSymlinkNoFollow, FileCalls.StatxBasic, buffer) == 0
            && FileStatus.Parse(new ReadOnlySpan<byte>(buffer, FileCalls.StatxBytes)).Kind == FileKind.SymbolicLink;
        return link ? new SymbolicLinkException(path) : error;
    }

    private static int ReadEntries(int directory, byte[] buffer)
    {
        // SAFETY: pinned, and its length is given.
        fixed (byte* entries = buffer)
        {
            return LinuxException.ThrowIfNegative(
                (int)FileCalls.GetDirectoryEntries(directory, entries, (nuint)buffer.Length),
                "getdents64"
            );
        }
    }

    private SafeFileHandle OpenAt(string name, int flags, uint mode)
    {
        var fd = FileCalls.OpenAt(_fd.Value, name, flags | FileCalls.NoFollow | FileCalls.CloseOnExec, mode);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Refusal(_fd.Value, name, Join(name));
    }

    private string Join(string name) => Path == "/" ? "/" + name : $"{Path}/{name}";
}
