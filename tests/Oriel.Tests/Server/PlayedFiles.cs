using System.Collections.Concurrent;
using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Protocol.Guest;
using FileInfo = Oriel.Protocol.Guest.FileInfo;

namespace Oriel.Tests.Server;

/// <summary>Files of a played guest, in memory, and one directory that holds them all.</summary>
internal sealed class PlayedFiles
{
    public const string Root = "/played";

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

    public FileInfo Stat(string path) =>
        path == Root ? new FileInfo { Path = path, IsDirectory = true }
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
