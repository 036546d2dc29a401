using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Net.Http.Headers;
using Oriel.Agents;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Server.Http;

namespace Oriel.Server.Desktops;

/// <summary>Files in and out of a guest, streamed: no file is ever held whole in the server.</summary>
internal static class FileTransfer
{
    private const int ChunkBytes = 256 * 1024;

    /// <returns>What was written, and whether the file is new; without the former the offset lies behind the bytes that were kept of an interrupted put.</returns>
    public static async Task<(Oriel.Protocol.Guest.FileInfo? Info, bool Created, long Kept)> PutAsync(AgentConnection agent, PutFileHeader header, Stream body, CancellationToken cancellationToken)
    {
        var (size, kept) = await LookAsync(agent, header.Path, cancellationToken);
        if (header.Offset > kept)
        {
            return (null, false, kept);
        }

        using var call = agent.Guest.PutFile(cancellationToken: cancellationToken);
        try
        {
            await call.RequestStream.WriteAsync(new PutFileChunk { Header = header }, cancellationToken);
            var buffer = new byte[ChunkBytes];
            int read;
            while ((read = await body.ReadAtLeastAsync(buffer, ChunkBytes, throwOnEndOfStream: false, cancellationToken)) > 0)
            {
                await call.RequestStream.WriteAsync(new PutFileChunk { Data = ByteString.CopyFrom(buffer, 0, read) }, cancellationToken);
            }

            await call.RequestStream.CompleteAsync();
        }
        catch (Exception e) when (e is InvalidOperationException or RpcException && !cancellationToken.IsCancellationRequested)
        {
            // The guest ended the call early; its answer says why.
        }

        return (await call.ResponseAsync, size < 0, kept);
    }

    public static async Task<IResult> GetAsync(AgentConnection agent, string path, HttpContext context)
    {
        var info = await agent.Guest.StatFileAsync(new StatFileRequest { Path = path }, cancellationToken: context.RequestAborted);
        if (info.IsDirectory)
        {
            return Problems.BadRequest("The path is a directory.");
        }

        if (info.Size < 0)
        {
            return Problems.Kept(StatusCodes.Status404NotFound, RequestReasons.NoSuchFile, "Only a part of an interrupted put is there.", info.PartialSize);
        }

        if (!TryReadRange(context.Request.Headers.Range.ToString(), info.Size, out var partial, out var from, out var length))
        {
            context.Response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{info.Size}");
            return Problems.Of(StatusCodes.Status416RangeNotSatisfiable, RequestReasons.BadRange, $"The file has {info.Size} bytes.");
        }

        context.Response.StatusCode = partial ? StatusCodes.Status206PartialContent : StatusCodes.Status200OK;
        context.Response.ContentType = "application/octet-stream";
        context.Response.ContentLength = length;
        context.Response.Headers.AcceptRanges = "bytes";
        context.Response.Headers.ContentDisposition = "attachment";
        if (partial)
        {
            context.Response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes {from}-{from + length - 1}/{info.Size}");
        }

        if (length > 0)
        {
            await CopyAsync(agent, new GetFileRequest { Path = path, Offset = from, Length = length }, context);
        }

        return Results.Empty;
    }

    private static async Task CopyAsync(AgentConnection agent, GetFileRequest request, HttpContext context)
    {
        using var call = agent.Guest.GetFile(request, cancellationToken: context.RequestAborted);
        var left = request.Length;
        await foreach (var chunk in call.ResponseStream.ReadAllAsync(context.RequestAborted))
        {
            var data = chunk.Data.Memory[..(int)Math.Min(left, chunk.Data.Length)];
            await context.Response.Body.WriteAsync(data, context.RequestAborted);
            left -= data.Length;
        }

        if (left > 0)
        {
            // It shrank meanwhile; the client must not take what came for the whole.
            context.Abort();
        }
    }

    /// <returns>The file's size, -1 when it is not there, and the bytes kept of an interrupted put.</returns>
    private static async Task<(long Size, long Kept)> LookAsync(AgentConnection agent, string path, CancellationToken cancellationToken)
    {
        try
        {
            var info = await agent.Guest.StatFileAsync(new StatFileRequest { Path = path }, cancellationToken: cancellationToken);
            return (info.Size, info.PartialSize);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            return (-1, 0);
        }
    }

    /// <summary>One range of bytes; none, several or another unit means the whole (RFC 9110 section 14.2). False when it cannot be satisfied.</summary>
    internal static bool TryReadRange(string field, long size, out bool partial, out long from, out long length)
    {
        (partial, from, length) = (false, 0, size);
        if (!RangeHeaderValue.TryParse(field, out var header) || header.Unit != "bytes" || header.Ranges.Count != 1)
        {
            return true;
        }

        partial = true;
        var range = header.Ranges.First();
        if (range.From is { } begin)
        {
            from = begin;
            length = Math.Min(range.To ?? (size - 1), size - 1) - begin + 1;
            return begin < size;
        }

        length = Math.Min(range.To ?? 0, size);
        from = size - length;
        return length > 0;
    }
}
