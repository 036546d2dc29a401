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
    private readonly OwnedDescriptor _fd;

    private DirectoryHandle(OwnedDescriptor fd, string path) => (_fd, Path) = (fd, path);

    public string Path { get; }

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

    public static FileStatus Status(SafeFileHandle file)
    {
        // SAFETY: struct statx is as long.
        var buffer = stackalloc byte[FileCalls.StatxBytes];
        return FileCalls.Statx((int)file.DangerousGetHandle(), "", FileCalls.AtEmptyPath, FileCalls.StatxBasic, buffer) == 0
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

    /// <summary>Replaces whatever file or link has the new name.</summary>
    public void Rename(string from, string to) =>
        LinuxException.ThrowIfNegative(FileCalls.RenameAt(_fd.Value, from, _fd.Value, to), "rename", Join(to));

    public void Symlink(string target, string name) =>
        LinuxException.ThrowIfNegative(FileCalls.SymlinkAt(target, _fd.Value, name), "symlink", Join(name));

    public void Unlink(string name) => LinuxException.ThrowIfNegative(FileCalls.UnlinkAt(_fd.Value, name, 0), "unlink", Join(name));

    /// <summary>The directory's own permission bits.</summary>
    public void SetMode(uint mode) => LinuxException.ThrowIfNegative(FileCalls.FChmod(_fd.Value, mode), "fchmod", Path);

    public void Sync() => LinuxException.ThrowIfNegative(FileCalls.FSync(_fd.Value), "fsync", Path);

    private static DirectoryHandle Walk(string path, (uint Uid, uint Gid)? create)
    {
        if (!path.StartsWith('/'))
        {
            throw new ArgumentException("The path must be absolute.", nameof(path));
        }

        // A directory opened read-only, not O_PATH, because fsync and fchown need it.
        const int Flags = FileCalls.ReadOnly | FileCalls.MustBeDirectory | FileCalls.NoFollow | FileCalls.CloseOnExec;
        var current = new OwnedDescriptor(FileCalls.OpenAt(FileCalls.AtFdCwd, "/", Flags, 0));
        var walked = "";
        try
        {
            foreach (var name in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
            {
                walked += "/" + name;
                var next = FileCalls.OpenAt(current.Value, name, Flags, 0);
                if (next < 0 && Marshal.GetLastPInvokeError() == Errno.ENOENT && create is { } owner)
                {
                    next = Make(current.Value, name, walked, Flags, owner);
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

    private static int Make(int parent, string name, string path, int flags, (uint Uid, uint Gid) owner)
    {
        if (FileCalls.MakeDirectoryAt(parent, name, 0x1ed) < 0 && Marshal.GetLastPInvokeError() != Errno.EEXIST) // 0755
        {
            throw LinuxException.Last("mkdir", path);
        }

        var made = FileCalls.OpenAt(parent, name, flags, 0);
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

    private SafeFileHandle OpenAt(string name, int flags, uint mode)
    {
        var fd = FileCalls.OpenAt(_fd.Value, name, flags | FileCalls.NoFollow | FileCalls.CloseOnExec, mode);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Refusal(_fd.Value, name, Join(name));
    }

    private string Join(string name) => Path == "/" ? "/" + name : $"{Path}/{name}";
}
