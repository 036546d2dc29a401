using System.Collections.Concurrent;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using Oriel.Agent.Accounts;
using Oriel.Linux;
using Oriel.Linux.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using FileInfo = Oriel.Protocol.Guest.FileInfo;

namespace Oriel.Agent.Files;

/// <summary>
/// Files in and out of the guest, as root. A put follows no symbolic link in any component of its path; a get follows them, as any program
/// of the guest does (docs/decisions/0041). A put is seen whole or not at all; what an interrupted one had sent is kept beside and can be
/// continued.
/// </summary>
internal sealed class FileTransfers
{
    private const int ChunkBytes = 64 * 1024;
    private const uint MaxMode = 0xfff;
    private const int MaxListed = 10_000;

    private readonly ConcurrentDictionary<string, bool> _puts = new(StringComparer.Ordinal);

    /// <exception cref="RpcException">
    /// InvalidArgument: the header. OutOfRange: the offset lies behind what is kept. Aborted: another put of this path is under way.
    /// FailedPrecondition: a symbolic link, a directory, or fewer bytes than announced (what came is kept). ResourceExhausted: disk full.
    /// </exception>
    public async Task<FileInfo> PutAsync(IAsyncStreamReader<PutFileChunk> chunks, CancellationToken cancellationToken)
    {
        if (!await chunks.MoveNext(cancellationToken) || chunks.Current.KindCase != PutFileChunk.KindOneofCase.Header)
        {
            throw FileFaults.Invalid("the first message must be header");
        }

        var header = chunks.Current.Header;
        var owner =
            FileOwner.TryParse(header.Owner, UserAccounts.Desktop()) ?? throw FileFaults.Invalid("owner: not user, root or uid:gid");
        FileFaults.CheckPath(header.Path);
        if (header.Mode > MaxMode || header.Offset < 0 || header.TotalSize < -1)
        {
            throw FileFaults.Invalid("mode: at most 07777; offset: from 0; total_size: from -1");
        }

        if (!_puts.TryAdd(header.Path, true))
        {
            throw new RpcException(new Status(StatusCode.Aborted, "another put of this path is under way"));
        }

        try
        {
            using var file = PartialFile.Open(header.Path, header.Offset, owner.Uid, owner.Gid);
            await ReceiveAsync(file, header.TotalSize, chunks, cancellationToken);
            var (hash, status) = file.Complete(owner.Uid, owner.Gid, header.Mode == 0 ? GuestRules.DefaultMode : header.Mode);
            var info = FileFaults.Describe(header.Path, status);
            info.Sha256 = ByteString.CopyFrom(hash);
            return info;
        }
        catch (IOException e)
        {
            throw FileFaults.Of(e);
        }
        finally
        {
            _puts.TryRemove(header.Path, out _);
        }
    }

    /// <exception cref="RpcException">NotFound, FailedPrecondition (a directory), OutOfRange: the offset lies behind the end.</exception>
    public async Task GetAsync(GetFileRequest request, IServerStreamWriter<FileChunk> output, CancellationToken cancellationToken)
    {
        FileFaults.CheckPath(request.Path);
        if (request.Offset < 0 || request.Length < 0)
        {
            throw FileFaults.Invalid("offset, length: from 0");
        }

        try
        {
            using var file = Open(request.Path, out var status, out _);
            if (status.Kind != FileKind.Regular)
            {
                throw new LinuxException("open", status.Kind == FileKind.Directory ? Errno.EISDIR : Errno.EINVAL, request.Path);
            }

            if (request.Offset > status.Size)
            {
                throw new RpcException(new Status(StatusCode.OutOfRange, $"the file has {status.Size} bytes"));
            }

            var buffer = new byte[ChunkBytes];
            var chunk = new FileChunk { Info = FileFaults.Describe(request.Path, status) };
            var end =
                request.Length == 0 || request.Length > long.MaxValue - request.Offset ? long.MaxValue : request.Offset + request.Length;
            for (var position = request.Offset; ; chunk = new FileChunk())
            {
                var n = RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - position)), position);
                if (n == 0)
                {
                    break;
                }

                chunk.Data = ByteString.CopyFrom(buffer, 0, n);
                await output.WriteAsync(chunk, cancellationToken);
                position += n;
            }

            if (chunk.Info is not null)
            {
                await output.WriteAsync(chunk, cancellationToken);
            }
        }
        catch (IOException e)
        {
            throw FileFaults.Of(e);
        }
    }

    /// <summary>Of a path where only an interrupted put is, the size is -1.</summary>
    /// <param name="ofLink">Of a link itself; interrupted puts then do not count.</param>
    /// <exception cref="RpcException">NotFound: there is neither a file nor a part of one.</exception>
    public FileInfo Stat(string path, bool ofLink)
    {
        FileFaults.CheckPath(path);
        try
        {
            if (ofLink)
            {
                return StatLink(path);
            }

            var kept = KeptOf(path);
            FileInfo info;
            try
            {
                using var file = Open(path, out var status, out _);
                info = FileFaults.Describe(path, status);
            }
            catch (LinuxException e) when (e.Errno == Errno.ENOENT && kept > 0)
            {
                info = new FileInfo { Path = path, Size = -1 };
            }

            info.PartialSize = kept;
            return info;
        }
        catch (IOException e)
        {
            throw FileFaults.Of(e);
        }
    }

    /// <summary>The names in a directory, in order, with what each is; a link is told as one.</summary>
    /// <exception cref="RpcException">NotFound; FailedPrecondition: no directory.</exception>
    public FileList List(string path)
    {
        FileFaults.CheckPath(path);
        try
        {
            using var opened = Open(path, out _, out var resolved);
            using var directory = DirectoryHandle.Open(resolved);
            var names = directory.Names().Where(GuestRules.IsText).Take(MaxListed + 1).ToList();
            var list = new FileList { Truncated = names.Count > MaxListed };
            foreach (var name in names.Take(MaxListed).Order(StringComparer.Ordinal))
            {
                // Or it has gone meanwhile.
                if (directory.TryStatus(name) is { } status)
                {
                    list.Entries.Add(
                        new FileEntry
                        {
                            Name = name,
                            Type = FileFaults.TypeOf(status.Kind),
                            Size = status.Size,
                            Mode = status.Mode,
                            ModifiedUs = status.ModifiedUs,
                        }
                    );
                }
            }

            return list;
        }
        catch (IOException e)
        {
            throw FileFaults.Of(e);
        }
    }

    private static FileInfo StatLink(string path)
    {
        var name = Path.GetFileName(path);
        using var parent = DirectoryHandle.OpenFollowing(Path.GetDirectoryName(path)!, out var resolved);
        FileFaults.CheckPath($"{resolved.TrimEnd('/')}/{name}");
        using var directory = DirectoryHandle.Open(resolved);
        var status = directory.TryStatus(name) ?? throw new LinuxException("stat", Errno.ENOENT, path);
        var info = FileFaults.Describe(path, status);
        info.LinkTarget = status.Kind == FileKind.SymbolicLink ? FileFaults.Shown(directory.ReadLink(name)) : "";
        return info;
    }

    private static SafeFileHandle Open(string path, out FileStatus status, out string resolved)
    {
        var file = DirectoryHandle.OpenFollowing(path, out resolved);
        try
        {
            FileFaults.CheckPath(resolved);
            status = DirectoryHandle.Status(file);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static long KeptOf(string path)
    {
        try
        {
            using var directory = DirectoryHandle.Open(Path.GetDirectoryName(path)!);
            return PartialFile.KeptOf(directory, Path.GetFileName(path));
        }
        catch (IOException)
        {
            // No put can have gone there: through a link, or into no directory.
            return 0;
        }
    }

    private static async Task ReceiveAsync(
        PartialFile file,
        long total,
        IAsyncStreamReader<PutFileChunk> chunks,
        CancellationToken cancellationToken
    )
    {
        while (await chunks.MoveNext(cancellationToken))
        {
            if (chunks.Current.KindCase != PutFileChunk.KindOneofCase.Data)
            {
                throw FileFaults.Invalid("only data may follow the header");
            }

            if (total >= 0 && file.Length + chunks.Current.Data.Length > total)
            {
                throw FileFaults.Invalid($"more bytes than the announced {total}");
            }

            file.Append(chunks.Current.Data.Span);
        }

        if (total >= 0 && file.Length != total)
        {
            throw new RpcException(
                new Status(StatusCode.FailedPrecondition, $"the stream ended after {file.Length} of {total} bytes, which are kept")
            );
        }
    }
}
