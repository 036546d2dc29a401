using System.Formats.Tar;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Linux;
using Oriel.Linux.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Files;

/// <summary>
/// A directory as tar, with names that are relative to it. The path to it is followed as a read is; links below it are stored as links.
/// What a tar cannot hold, or nobody could unpack, is left out and counted: devices, pipes and sockets, names that are no UTF-8, and what
/// belongs to the system. All is counted before the first byte, so that what is too much is refused and not broken off.
/// </summary>
internal sealed class ArchiveDownload(Func<ArchiveChunk, Task> send, CancellationToken cancellationToken)
{
    private const int ChunkBytes = 64 * 1024;

    /// <summary>A file of up to this is read before its size is written, so that it cannot become shorter in between.</summary>
    private const int MaxHeldBytes = 1024 * 1024;

    private int _entries;

    /// <exception cref="RpcException">NotFound. FailedPrecondition: no directory, too deep. ResourceExhausted: too many.</exception>
    public async Task RunAsync(string path)
    {
        FileFaults.CheckPath(path);
        try
        {
            using var opened = DirectoryHandle.OpenFollowing(path, out var resolved);
            FileFaults.CheckPath(resolved);
            using var directory = DirectoryHandle.Open(resolved);
            var summary = new ArchiveSummary();
            Count(directory, summary, 0);
            await send(new ArchiveChunk { Summary = summary });
            await using var chunks = new BufferedStream(new Chunks(send), ChunkBytes);
            // In GNU's format: what System.Formats.Tar writes of names with line ends as pax, it does not read.
            await using var archive = new TarWriter(chunks, TarEntryFormat.Gnu, leaveOpen: true);
            _entries = 0;
            await AddAsync(directory, "", archive);
        }
        catch (IOException e)
        {
            throw FileFaults.Of(e);
        }
    }

    private void Count(DirectoryHandle directory, ArchiveSummary summary, int depth)
    {
        if (depth == GuestRules.MaxTreeDepth)
        {
            throw FileFaults.TooDeep(directory.Path);
        }

        foreach (var (name, status) in Entries(directory))
        {
            switch (status.Kind)
            {
                case var _ when !CanHold(directory, name, status.Kind):
                    summary.LeftOut++;
                    break;
                case FileKind.Directory:
                    summary.Directories++;
                    if (TryOpen(() => directory.OpenDirectory(name)) is { } child)
                    {
                        using (child)
                        {
                            Count(child, summary, depth + 1);
                        }
                    }

                    break;
                case FileKind.SymbolicLink:
                    summary.Links++;
                    break;
                default:
                    summary.Files++;
                    summary.Bytes += status.Size;
                    break;
            }
        }
    }

    private async Task AddAsync(DirectoryHandle directory, string prefix, TarWriter archive)
    {
        foreach (var (name, status) in Entries(directory).Where(entry => CanHold(directory, entry.Name, entry.Status.Kind)))
        {
            switch (status.Kind)
            {
                case FileKind.Directory when TryOpen(() => directory.OpenDirectory(name)) is { } child:
                    using (child)
                    {
                        await WriteAsync(archive, TarEntryType.Directory, $"{prefix}{name}/", status);
                        await AddAsync(child, $"{prefix}{name}/", archive);
                    }

                    break;
                case FileKind.SymbolicLink when TryOpen(() => directory.ReadLink(name)) is { } target:
                    await WriteAsync(archive, TarEntryType.SymbolicLink, prefix + name, status, target);
                    break;
                case FileKind.Regular when TryOpen(() => directory.OpenRegular(name)) is { } file:
                    using (file)
                    {
                        var now = DirectoryHandle.Status(file);
                        await using var content = await ContentAsync(file, now.Size);
                        await WriteAsync(archive, TarEntryType.RegularFile, prefix + name, now, content: content);
                    }

                    break;
            }
        }
    }

    /// <summary>What is in a directory now; what goes meanwhile is not in it.</summary>
    private IEnumerable<(string Name, FileStatus Status)> Entries(DirectoryHandle directory)
    {
        foreach (var name in directory.Names())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (directory.TryStatus(name) is not { } status)
            {
                continue;
            }

            if (++_entries > GuestRules.MaxArchiveEntries)
            {
                throw FileFaults.TooMuch($"more than {GuestRules.MaxArchiveEntries} files and directories");
            }

            yield return (name, status);
        }
    }

    private static bool CanHold(DirectoryHandle directory, string name, FileKind kind) =>
        GuestRules.IsText(name)
        && kind switch
        {
            FileKind.Regular => true,
            FileKind.Directory => !GuestRules.IsOfTheSystem($"{directory.Path}/{name}"),
            FileKind.SymbolicLink => TryOpen(() => directory.ReadLink(name)) is { } target && GuestRules.IsText(target),
            _ => false,
        };

    /// <returns>Null where it has gone, or has become something else.</returns>
    private static T? TryOpen<T>(Func<T> open)
        where T : class
    {
        try
        {
            return open();
        }
        catch (Exception e)
            when (e is SymbolicLinkException or LinuxException { Errno: Errno.ENOENT or Errno.ENOTDIR or Errno.EINVAL or Errno.EISDIR })
        {
            return null;
        }
    }

    private async Task<Stream> ContentAsync(Microsoft.Win32.SafeHandles.SafeFileHandle file, long size)
    {
        var content = new FileContent(file, size);
        if (size > MaxHeldBytes)
        {
            return content;
        }

        var held = new byte[size];
        var length = await content.ReadAtLeastAsync(held, held.Length, throwOnEndOfStream: false, cancellationToken);
        return new MemoryStream(held, 0, length);
    }

    private Task WriteAsync(
        TarWriter archive,
        TarEntryType type,
        string name,
        FileStatus status,
        string? target = null,
        Stream? content = null
    )
    {
        var entry = new GnuTarEntry(type, name)
        {
            Mode = (UnixFileMode)status.Mode,
            ModificationTime = DateTimeOffset.UnixEpoch.AddMicroseconds(Math.Max(0, status.ModifiedUs)),
            Uid = (int)Math.Min(status.Uid, int.MaxValue),
            Gid = (int)Math.Min(status.Gid, int.MaxValue),
        };
        if (content is { Length: > 0 })
        {
            entry.DataStream = content;
        }

        if (target is not null)
        {
            entry.LinkName = target;
        }

        return archive.WriteEntryAsync(entry, cancellationToken);
    }

    /// <summary>Writes become messages.</summary>
    private sealed class Chunks(Func<ArchiveChunk, Task> send) : ForwardStream
    {
        public override bool CanWrite => true;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            for (; !buffer.IsEmpty; buffer = buffer[Math.Min(ChunkBytes, buffer.Length)..])
            {
                await send(new ArchiveChunk { Data = ByteString.CopyFrom(buffer.Span[..Math.Min(ChunkBytes, buffer.Length)]) });
            }
        }
    }

    /// <summary>A file's first bytes, as many as its entry says.</summary>
    private sealed class FileContent(Microsoft.Win32.SafeHandles.SafeFileHandle file, long size) : ForwardStream
    {
        private long _position;

        public override bool CanRead => true;

        /// <summary>The writer takes the size of an entry from a stream that says so.</summary>
        public override bool CanSeek => true;

        public override long Length => size;

        public override long Position
        {
            get => _position;
            set => throw new NotSupportedException();
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var wanted = (int)Math.Min(buffer.Length, size - _position);
            var length = RandomAccess.Read(file, buffer.Span[..wanted], _position);
            _position += length;
            return length > 0 || wanted == 0 || size <= MaxHeldBytes
                ? new(length)
                : throw new IOException("a file became shorter while it was read");
        }
    }
}
