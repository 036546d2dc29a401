using System.Globalization;
using Microsoft.Net.Http.Headers;
using Oriel.Agents;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Server.Http;

namespace Oriel.Server.Desktops;

/// <summary>Files in and out of a guest, by HTTP.</summary>
internal static class FileTransfer
{
    private const uint PermissionBits = 0xfff;

    /// <summary>The end of year 9999.</summary>
    private const long MaxTimeUs = 253_402_300_799_000_000;

    /// <returns>
    /// What was written, and whether the file is new. Nothing was written where the offset lies behind the bytes that were saved of an
    /// interrupted put.
    /// </returns>
    public static async Task<(Oriel.Protocol.Guest.FileInfo? Info, bool Created, long Saved)> PutAsync(
        AgentConnection agent,
        PutFileHeader header,
        Stream body,
        CancellationToken cancellationToken
    )
    {
        var there = await agent.FindFileAsync(header.Path, cancellationToken);
        return header.Offset > there.PartialSize
            ? (null, false, there.PartialSize)
            : (await agent.PutFileAsync(header, body, cancellationToken), there.Size < 0, there.PartialSize);
    }

    public static async Task<IResult> GetAsync(AgentConnection agent, string path, HttpContext context)
    {
        var info = await agent.Guest.StatFileAsync(new StatFileRequest { Path = path }, cancellationToken: context.RequestAborted);
        if (info.IsDirectory)
        {
            return await ListAsync(agent, path, context.RequestAborted);
        }

        if (info.Size < 0)
        {
            return Problems.Kept(
                StatusCodes.Status404NotFound,
                RequestReasons.NoSuchFile,
                "Only a part of an interrupted put is there.",
                info.PartialSize
            );
        }

        // A range is for GET alone (RFC 9110 section 14.2).
        var wanted = context.WantsHeadOnly() ? "" : context.Request.Headers.Range.ToString();
        if (!TryReadRange(wanted, info.Size, out var partial, out var from, out var length))
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
            context.Response.Headers.ContentRange = string.Create(
                CultureInfo.InvariantCulture,
                $"bytes {from}-{from + length - 1}/{info.Size}"
            );
        }

        if (length > 0 && !context.WantsHeadOnly())
        {
            var request = new GetFileRequest
            {
                Path = path,
                Offset = from,
                Length = length,
            };
            if (await agent.CopyFileAsync(request, context.Response.Body, context.RequestAborted) > 0)
            {
                // The client must not take what came for the whole.
                context.Abort();
            }
        }

        return Results.Empty;
    }

    private static async Task<IResult> ListAsync(AgentConnection agent, string path, CancellationToken cancellationToken)
    {
        using var turn = await agent.Budget.TakeTurnAsync(cancellationToken);
        var list = await agent.Guest.ListFilesAsync(new ListFilesRequest { Path = path }, cancellationToken: cancellationToken);
        return Results.Json(
            new DirectoryResponse(
                path,
                [
                    .. list.Entries.Select(entry => new DirectoryEntry(
                        entry.Name,
                        TypeName(entry.Type),
                        entry.Size,
                        ModeText(entry.Mode),
                        Time(entry.ModifiedUs)
                    )),
                ],
                list.Truncated
            ),
            DesktopsApiJsonContext.Default.DirectoryResponse
        );
    }

    public static string TypeName(FileType type) =>
        type switch
        {
            FileType.Regular => "file",
            FileType.Directory => "directory",
            FileType.Link => "link",
            _ => "other",
        };

    public static string ModeText(uint mode) => Convert.ToString(mode & PermissionBits, 8).PadLeft(4, '0');

    public static DateTimeOffset Time(long modifiedUs) => DateTimeOffset.UnixEpoch.AddMicroseconds(Math.Clamp(modifiedUs, 0, MaxTimeUs));

    /// <summary>
    /// One range of bytes; none, several or another unit means the whole (RFC 9110 section 14.2). False when it cannot be satisfied.
    /// </summary>
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
