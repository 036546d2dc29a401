using System.Collections.Concurrent;
using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Protocol.Guest;
using FileInfo = Oriel.Protocol.Guest.FileInfo;

namespace Oriel.Tests.Server;

/// <summary>Files of a played guest, in memory, and one directory that holds them all.</summary>
internal class PlayedFiles
{
    public const string Root = "/played";

    /// <summary>An archive without entries: two blocks of zeros.</summary>
    private static readonly ByteString Empty = ByteString.CopyFrom(new byte[1024]);

    private readonly ConcurrentDictionary<string, byte[]> _files = new(StringComparer.Ordinal);

    public async Task<FileInfo> PutAsync(IAsyncStreamReader<PutFileChunk> chunks, CancellationToken cancellationToken)
    {
        Assert.True(await chunks.MoveNext(cancellationToken));
        var header = chunks.Current.Header;
        using var content = new MemoryStream();
        while (await chunks.MoveNext(cancellationToken))
        {
            content.Write(chunks.Current.Data.Span);
        }

        _files[header.Path] = content.ToArray();
        var info = Stat(header.Path);
        info.Sha256 = ByteString.CopyFrom(SHA256.HashData(content.ToArray()));
        return info;
    }

    public virtual FileInfo Stat(string path, bool ofLink = false) =>
        path == Root
            ? new FileInfo
            {
                Path = path,
                IsDirectory = true,
                Type = FileType.Directory,
            }
        : _files.TryGetValue(path, out var content) ? new FileInfo { Path = path, Size = content.Length }
        : throw new RpcException(new Status(StatusCode.NotFound, "no such file"));

    public Task GetAsync(GetFileRequest request, IServerStreamWriter<FileChunk> output, CancellationToken cancellationToken) =>
        output.WriteAsync(
            new FileChunk { Data = ByteString.CopyFrom(_files[request.Path], (int)request.Offset, (int)request.Length) },
            cancellationToken
        );

    public FileList List()
    {
        var list = new FileList();
        list.Entries.AddRange(_files.Select(file => new FileEntry { Name = file.Key[1..], Size = file.Value.Length }));
        return list;
    }

    public virtual MakeDirectoryReply Make(MakeDirectoryRequest request) =>
        new()
        {
            Created = !_files.ContainsKey(request.Path),
            Info = new FileInfo
            {
                Path = request.Path,
                Mode = request.Mode,
                Type = FileType.Directory,
            },
        };

    public virtual MoveFileReply Move(MoveFileRequest request)
    {
        if (!_files.TryGetValue(request.From, out var content))
        {
            throw new RpcException(new Status(StatusCode.NotFound, "no such file"));
        }

        if (!request.Overwrite && _files.ContainsKey(request.To))
        {
            throw new RpcException(new Status(StatusCode.AlreadyExists, "there is one"));
        }

        _files[request.To] = content;
        _files.TryRemove(request.From, out _);
        return new MoveFileReply();
    }

    public virtual RemoveFileReply Remove(RemoveFileRequest request) =>
        _files.TryRemove(request.Path, out _)
            ? new RemoveFileReply()
            : throw new RpcException(new Status(StatusCode.NotFound, "no such file"));

    /// <summary>One change, and no end.</summary>
    public virtual async Task WatchAsync(WatchFilesRequest request, Func<FileChange, Task> tell, CancellationToken cancellationToken)
    {
        await tell(new FileChange { Kind = FileChangeKind.Watching, Path = request.Path });
        await tell(new FileChange { Kind = FileChangeKind.Created, Path = $"{request.Path}/made" });
        await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    public virtual async Task GetArchiveAsync(string path, IServerStreamWriter<ArchiveChunk> output, CancellationToken cancellationToken)
    {
        await output.WriteAsync(new ArchiveChunk { Summary = new ArchiveSummary { LeftOut = 1 } }, cancellationToken);
        await output.WriteAsync(new ArchiveChunk { Data = Empty }, cancellationToken);
    }

    /// <summary>Takes an archive of any kind, and says how many bytes it had.</summary>
    public virtual async Task<ArchiveSummary> PutArchiveAsync(
        IAsyncStreamReader<PutArchiveChunk> chunks,
        CancellationToken cancellationToken
    )
    {
        var summary = new ArchiveSummary();
        while (await chunks.MoveNext(cancellationToken))
        {
            summary.Bytes += chunks.Current.Data.Length;
        }

        return summary;
    }

    /// <summary>A command that puts out its own name once it has read all that it is given.</summary>
    public static async Task ExecAsync(
        IAsyncStreamReader<ExecInput> input,
        IServerStreamWriter<ExecOutput> output,
        CancellationToken cancellationToken
    )
    {
        Assert.True(await input.MoveNext(cancellationToken));
        var command = input.Current.Start.Command;
        while (await input.MoveNext(cancellationToken)) { }

        await output.WriteAsync(new ExecOutput { Stdout = ByteString.CopyFromUtf8(command) }, cancellationToken);
        await output.WriteAsync(new ExecOutput { Exit = new ExecExit() }, cancellationToken);
    }
}
