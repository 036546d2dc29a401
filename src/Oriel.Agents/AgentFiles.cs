using Google.Protobuf;
using Grpc.Core;
using Oriel.Protocol.Guest;
using FileInfo = Oriel.Protocol.Guest.FileInfo;

namespace Oriel.Agents;

/// <summary>What lies at a path in the guest.</summary>
/// <param name="Size">In bytes; -1 when there is no file.</param>
/// <param name="PartialSize">Bytes saved of an interrupted put.</param>
public readonly record struct GuestFile(long Size, long PartialSize);

/// <summary>Files in and out of the guest, streamed: none is ever held whole.</summary>
public static class AgentFiles
{
    private const int ChunkBytes = 256 * 1024;

    /// <exception cref="RpcException">The agent refuses, or does not answer.</exception>
    public static async Task<GuestFile> FindFileAsync(this AgentConnection agent, string path, CancellationToken cancellationToken)
    {
        try
        {
            var info = await agent.Guest.StatFileAsync(new StatFileRequest { Path = path }, cancellationToken: cancellationToken);
            return new GuestFile(info.Size, info.PartialSize);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            return new GuestFile(-1, 0);
        }
    }

    /// <exception cref="RpcException">The agent refuses, or does not answer.</exception>
    public static async Task<FileInfo> PutFileAsync(
        this AgentConnection agent,
        PutFileHeader header,
        Stream content,
        CancellationToken cancellationToken
    )
    {
        using var call = agent.Guest.PutFile(cancellationToken: cancellationToken);
        return await SendAsync(
            call,
            new PutFileChunk { Header = header },
            bytes => new PutFileChunk { Data = bytes },
            content,
            cancellationToken
        );
    }

    /// <summary>Unpacks a tar below a directory.</summary>
    /// <exception cref="RpcException">The agent refuses, or does not answer.</exception>
    public static async Task<ArchiveSummary> PutArchiveAsync(
        this AgentConnection agent,
        PutArchiveHeader header,
        Stream content,
        CancellationToken cancellationToken
    )
    {
        using var call = agent.Guest.PutArchive(cancellationToken: cancellationToken);
        return await SendAsync(
            call,
            new PutArchiveChunk { Header = header },
            bytes => new PutArchiveChunk { Data = bytes },
            content,
            cancellationToken
        );
    }

    /// <summary>What is below a directory, as tar.</summary>
    /// <param name="begin">Gets where it goes, of what will be in it; null where nobody wants more than that.</param>
    /// <exception cref="RpcException">The agent refuses, or does not answer.</exception>
    public static async Task CopyArchiveAsync(
        this AgentConnection agent,
        string path,
        Func<ArchiveSummary, Stream?> begin,
        CancellationToken cancellationToken
    )
    {
        using var call = agent.Guest.GetArchive(new GetArchiveRequest { Path = path }, cancellationToken: cancellationToken);
        Stream? to = null;
        await foreach (var chunk in call.ResponseStream.ReadFairlyAsync(cancellationToken))
        {
            if (chunk.Summary is { } summary && to is null)
            {
                to = begin(summary);
                if (to is null)
                {
                    return;
                }
            }
            else if (to is not null)
            {
                await to.WriteAsync(chunk.Data.Memory, cancellationToken);
            }
        }
    }

    /// <summary>Copies as much of a file as the request asks for.</summary>
    /// <returns>Bytes that are missing: the file has become shorter meanwhile.</returns>
    /// <exception cref="RpcException">The agent refuses, or does not answer.</exception>
    public static async Task<long> CopyFileAsync(
        this AgentConnection agent,
        GetFileRequest request,
        Stream to,
        CancellationToken cancellationToken
    )
    {
        using var call = agent.Guest.GetFile(request, cancellationToken: cancellationToken);
        var left = request.Length;
        await foreach (var chunk in call.ResponseStream.ReadFairlyAsync(cancellationToken))
        {
            var data = chunk.Data.Memory[..(int)Math.Min(left, chunk.Data.Length)];
            await to.WriteAsync(data, cancellationToken);
            left -= data.Length;
            if (left == 0)
            {
                // Whatever else it would send.
                break;
            }
        }

        return left;
    }

    private static async Task<TReply> SendAsync<TChunk, TReply>(
        AsyncClientStreamingCall<TChunk, TReply> call,
        TChunk header,
        Func<ByteString, TChunk> chunk,
        Stream content,
        CancellationToken cancellationToken
    )
    {
        try
        {
            await call.RequestStream.WriteAsync(header, cancellationToken);
            var buffer = new byte[ChunkBytes];
            int read;
            while ((read = await content.ReadAtLeastAsync(buffer, ChunkBytes, throwOnEndOfStream: false, cancellationToken)) > 0)
            {
                await call.RequestStream.WriteAsync(chunk(ByteString.CopyFrom(buffer, 0, read)), cancellationToken);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (RpcException) when (!cancellationToken.IsCancellationRequested)
        {
            // The guest ended the call early; its answer says why.
        }

        return await call.ResponseAsync;
    }
}
