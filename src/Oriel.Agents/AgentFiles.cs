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
        try
        {
            await call.RequestStream.WriteAsync(new PutFileChunk { Header = header }, cancellationToken);
            var buffer = new byte[ChunkBytes];
            int read;
            while ((read = await content.ReadAtLeastAsync(buffer, ChunkBytes, throwOnEndOfStream: false, cancellationToken)) > 0)
            {
                await call.RequestStream.WriteAsync(new PutFileChunk { Data = ByteString.CopyFrom(buffer, 0, read) }, cancellationToken);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (Exception e) when (e is InvalidOperationException or RpcException && !cancellationToken.IsCancellationRequested)
        {
            // The guest ended the call early; its answer says why.
        }

        return await call.ResponseAsync;
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
}
