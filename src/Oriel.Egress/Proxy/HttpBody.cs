using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Oriel.Egress.Proxy;

/// <summary>Copies a message's body from one side to the other, byte for byte, as far as its framing says.</summary>
internal static class HttpBody
{
    private const int BufferBytes = 64 * 1024;
    private const int MaxChunkLine = 4096;
    private const int MaxTrailerBytes = 64 * 1024;
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdefABCDEF");

    /// <param name="withoutChunks">Forwards what a chunked body holds, without chunks and trailers.</param>
    /// <exception cref="BodyRefusedException">The side that gets the body took no more of it.</exception>
    /// <exception cref="IOException">The side that it comes from broke off, or sent what is no body.</exception>
    public static Task CopyAsync(
        HttpReader from,
        Stream to,
        BodyFraming framing,
        Action<long> count,
        CancellationToken cancellationToken,
        bool withoutChunks = false
    ) =>
        framing.Kind switch
        {
            BodyKind.None => Task.CompletedTask,
            BodyKind.Length => CopyBytesAsync(from, to, framing.Length, count, cancellationToken),
            BodyKind.Chunked => CopyChunkedAsync(from, to, withoutChunks ? Stream.Null : to, count, cancellationToken),
            BodyKind.UntilClose => CopyBytesAsync(from, to, long.MaxValue, count, cancellationToken),
            _ => throw new ArgumentOutOfRangeException(nameof(framing)),
        };

    private static async ValueTask PassOnAsync(Stream to, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            await to.WriteAsync(bytes, cancellationToken);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            throw new BodyRefusedException(e);
        }
    }

    private static async Task CopyBytesAsync(
        HttpReader from,
        Stream to,
        long length,
        Action<long> count,
        CancellationToken cancellationToken
    )
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (var left = length; left > 0; )
            {
                var read = await from.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, BufferBytes)), cancellationToken);
                if (read == 0)
                {
                    if (length == long.MaxValue)
                    {
                        return;
                    }

                    throw new HttpFormatException("the connection ended within a body");
                }

                await PassOnAsync(to, buffer.AsMemory(0, read), cancellationToken);
                count(read);
                left -= read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <param name="lines">Gets the lines between the data: sizes and trailers.</param>
    private static async Task CopyChunkedAsync(
        HttpReader from,
        Stream to,
        Stream lines,
        Action<long> count,
        CancellationToken cancellationToken
    )
    {
        while (true)
        {
            var line = await RequireLineAsync(from, MaxChunkLine, cancellationToken);
            var size = ParseChunkSize(line);
            await PassOnAsync(lines, line, cancellationToken);
            count(line.Length);
            if (size == 0)
            {
                await CopyTrailersAsync(from, lines, count, cancellationToken);
                return;
            }

            await CopyBytesAsync(from, to, size, count, cancellationToken);
            var end = await RequireLineAsync(from, 2, cancellationToken);
            if (!end.AsSpan().SequenceEqual("\r\n"u8))
            {
                throw new HttpFormatException("a chunk is longer than it says");
            }

            await PassOnAsync(lines, end, cancellationToken);
            count(end.Length);
        }
    }

    private static async Task CopyTrailersAsync(HttpReader from, Stream to, Action<long> count, CancellationToken cancellationToken)
    {
        var total = 0;
        byte[] line;
        do
        {
            line = await RequireLineAsync(from, MaxChunkLine, cancellationToken);
            total += line.Length;
            if (total > MaxTrailerBytes)
            {
                throw new HttpFormatException("the trailer section is too long");
            }

            await PassOnAsync(to, line, cancellationToken);
            count(line.Length);
        } while (line.Length > 2);
    }

    private static async Task<byte[]> RequireLineAsync(HttpReader from, int max, CancellationToken cancellationToken)
    {
        var line =
            await from.ReadLineAsync(max, cancellationToken) ?? throw new HttpFormatException("the connection ended within a chunked body");
        return line.AsSpan().EndsWith("\r\n"u8) ? line : throw new HttpFormatException("a chunk's line ends without CR LF");
    }

    internal static long ParseChunkSize(ReadOnlySpan<byte> line)
    {
        var text = Encoding.Latin1.GetString(line);
        var end = text.AsSpan().IndexOfAny("; \t\r");

        // Digits only: the framework's parser passes over NULs behind a number, the next parser on the way may not.
        return
            end is > 0 and <= 15
            && !text.AsSpan(0, end).ContainsAnyExcept(HexDigits)
            && long.TryParse(text.AsSpan(0, end), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var size)
            && size >= 0
            ? size
            : throw new HttpFormatException("a chunk's size is malformed");
    }
}

/// <summary>Whoever gets a body took no more of it; it is not the fault of the side that it comes from.</summary>
internal sealed class BodyRefusedException(Exception cause) : IOException(cause.Message, cause);
