using Grpc.Core;
using Oriel.Agent.Accounts;
using Oriel.Linux;
using Oriel.Linux.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Files;

/// <summary>
/// Directories that are made, and what is moved or removed with all that is in it, as root. No symbolic link is followed in any component
/// of a path, nor below it: a link is itself moved or removed.
/// </summary>
internal static class FileTrees
{
    private const uint MaxMode = 0xfff;

    /// <exception cref="RpcException">InvalidArgument. FailedPrecondition: a link, or something else than a directory is there.</exception>
    public static MakeDirectoryReply Make(MakeDirectoryRequest request, FileOwner owner)
    {
        FileFaults.CheckPath(request.Path);
        if (request.Mode > MaxMode)
        {
            throw FileFaults.Invalid("mode: at most 07777");
        }

        try
        {
            var (parentPath, name) = Split(request.Path);
            using var parent = DirectoryHandle.OpenOrCreate(parentPath, owner.Uid, owner.Gid);
            var made = false;
            try
            {
                using var directory = parent.MakeDirectory(
                    name,
                    owner.Uid,
                    owner.Gid,
                    request.Mode == 0 ? GuestRules.DefaultDirectoryMode : request.Mode
                );
                made = true;
            }
            catch (LinuxException e) when (e.Errno == Errno.EEXIST)
            {
                using var directory = parent.OpenDirectory(name);
            }

            return new MakeDirectoryReply { Info = FileFaults.Describe(request.Path, StatusOf(parent, name)), Created = made };
        }
        catch (IOException e)
        {
            throw FileFaults.Of(e);
        }
    }

    /// <param name="home">Of the guest's user.</param>
    /// <exception cref="RpcException">
    /// NotFound: also where the new path's directory is missing. AlreadyExists: overwriting was not asked for. PermissionDenied: kept.
    /// FailedPrecondition: a link on the way, a directory into itself, over a directory that is not empty, or over something of another
    /// kind; a device, pipe or socket to another file system.
    /// </exception>
    public static void Move(MoveFileRequest request, string home, CancellationToken cancellationToken)
    {
        FileFaults.CheckPath(request.From);
        FileFaults.CheckPath(request.To);
        CheckKept(request.From, home);
        CheckKept(request.To, home);
        if (request.To.StartsWith(request.From + "/", StringComparison.Ordinal))
        {
            throw FileFaults.Unfit($"{request.From} cannot be moved into itself");
        }

        try
        {
            var (fromPath, from) = Split(request.From);
            var (toPath, to) = Split(request.To);
            using var source = DirectoryHandle.Open(fromPath);
            using var target = DirectoryHandle.Open(toPath);
            try
            {
                source.Move(from, target, to, request.Overwrite);
            }
            catch (LinuxException e) when (e.Errno == Errno.EXDEV)
            {
                // Another file system, or a directory of the image: an overlay does not rename those either.
                new TreeCopy(cancellationToken).Move(source, from, target, to, request.Overwrite);
            }
        }
        catch (IOException e)
        {
            throw FileFaults.Of(e);
        }
    }

    /// <param name="home">Of the guest's user.</param>
    /// <exception cref="RpcException">
    /// NotFound. PermissionDenied: it is kept. FailedPrecondition: a link on the way; a directory, unless asked for; deeper than is looked.
    /// What was removed until then is gone.
    /// </exception>
    public static void Remove(RemoveFileRequest request, string home, CancellationToken cancellationToken)
    {
        FileFaults.CheckPath(request.Path);
        CheckKept(request.Path, home);
        try
        {
            var (parentPath, name) = Split(request.Path);
            using var parent = DirectoryHandle.Open(parentPath);
            if (StatusOf(parent, name).Kind != FileKind.Directory)
            {
                parent.Unlink(name);
            }
            else if (request.Recursive)
            {
                RemoveTree(parent, name, 0, cancellationToken);
            }
            else
            {
                throw FileFaults.Unfit($"{request.Path} is a directory; recursive=true removes it with all that is in it");
            }
        }
        catch (IOException e)
        {
            throw FileFaults.Of(e);
        }
    }

    /// <summary>With all that is in it. What others remove meanwhile is no fault.</summary>
    /// <exception cref="IOException"/>
    public static void RemoveTree(DirectoryHandle parent, string name, int depth, CancellationToken cancellationToken)
    {
        using (var directory = parent.OpenDirectory(name))
        {
            if (depth == GuestRules.MaxTreeDepth)
            {
                throw FileFaults.TooDeep(directory.Path);
            }

            foreach (var child in directory.Names())
            {
                cancellationToken.ThrowIfCancellationRequested();
                try
                {
                    if (directory.TryStatus(child) is { Kind: FileKind.Directory })
                    {
                        RemoveTree(directory, child, depth + 1, cancellationToken);
                    }
                    else
                    {
                        directory.Unlink(child);
                    }
                }
                catch (LinuxException e) when (e.Errno == Errno.ENOENT)
                {
                    // Gone by itself.
                }
            }
        }

        parent.RemoveDirectory(name);
    }

    private static FileStatus StatusOf(DirectoryHandle directory, string name) =>
        directory.TryStatus(name) ?? throw new LinuxException("stat", Errno.ENOENT, $"{directory.Path}/{name}");

    private static (string Directory, string Name) Split(string path) => (Path.GetDirectoryName(path)!, Path.GetFileName(path));

    private static void CheckKept(string path, string home)
    {
        if (GuestRules.KeptProblem(path, home) is { } fault)
        {
            throw FileFaults.Refusal(StatusCode.PermissionDenied, $"{path}: {fault}");
        }
    }
}
