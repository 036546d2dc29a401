using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Oriel.Streaming.Page;

// The server's messages on `control`; docs/protocol.md explains each.
internal sealed record HelloMessage(string Desktop, string Viewer, string Codec, int Width, int Height)
{
    public string T => "hello";
}

internal sealed record SizeMessage(uint Width, uint Height)
{
    public string T => "size";
}

internal sealed record CursorMessage(ulong Serial, uint Width, uint Height, uint HotX, uint HotY, ReadOnlyMemory<byte> Png)
{
    public string T => "cursor";
}

internal sealed record PositionMessage(int X, int Y)
{
    public string T => "position";
}

internal sealed record ClipboardMessage(string Text, bool? More)
{
    public string T => "clipboard";
}

internal sealed record ClipboardTooLongMessage
{
    public string T => "clipboard-too-long";
}

internal sealed record PongMessage(long Id)
{
    public string T => "pong";
}

internal sealed record FrameMessage(uint Rtp, long DamageUs, long CaptureUs, long EncodeUs, long SendUs, int Bytes, uint Q)
{
    public string T => "frame";
}

internal sealed record RateMessage(int Bitrate)
{
    public string T => "rate";
}

internal sealed record StateReason(string Code, string Message);

internal sealed record StateMessage(string State, StateReason? Reason)
{
    public string T => "state";
}

internal static class ServerMessages
{
    /// <summary>In characters. A data channel message may have 256 KiB, and JSON escapes some characters to six bytes.</summary>
    public const int ClipboardPiece = 32 * 1024;

    public static byte[] Write<T>(T message, JsonTypeInfo<T> type) => JsonSerializer.SerializeToUtf8Bytes(message, type);

    /// <summary>Splits a clipboard text into pieces, never within a surrogate pair.</summary>
    public static IEnumerable<byte[]> Clipboard(string text)
    {
        var start = 0;
        do
        {
            var length = Math.Min(ClipboardPiece, text.Length - start);
            if (start + length < text.Length && char.IsHighSurrogate(text[start + length - 1]))
            {
                length--;
            }

            var piece = text.Substring(start, length);
            start += length;
            yield return Write(
                new ClipboardMessage(piece, start < text.Length ? true : null),
                StreamingJsonContext.Default.ClipboardMessage
            );
        } while (start < text.Length);
    }
}

/// <summary>Joins the pieces of a clipboard text, up to a maximum size.</summary>
internal sealed class ClipboardPieces(int maxBytes)
{
    private readonly StringBuilder _text = new();
    private int _bytes;
    private bool _overflow;

    /// <returns>The whole text when its last piece is added; null before that, or when the text was too long.</returns>
    public string? Add(string piece, bool more)
    {
        _bytes += Encoding.UTF8.GetByteCount(piece);
        _overflow |= _bytes > maxBytes;
        if (!_overflow)
        {
            _text.Append(piece);
        }

        if (more)
        {
            return null;
        }

        var whole = _overflow ? null : _text.ToString();
        _text.Clear();
        _bytes = 0;
        _overflow = false;
        return whole;
    }
}
