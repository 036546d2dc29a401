using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Oriel.Streaming.Page;

/// <summary>
/// Any message of a page on <c>input</c> or <c>control</c> (docs/protocol.md). <see cref="T"/> decides which fields count.
/// </summary>
internal sealed record PageMessage
{
    /// <summary>The longest message in bytes: a piece of clipboard text with every character escaped.</summary>
    public const int MaxBytes = 256 * 1024;

    public string? T { get; init; }
    public string? Code { get; init; }
    public string? Key { get; init; }
    public bool? Down { get; init; }
    public double? X { get; init; }
    public double? Y { get; init; }
    public double? Dx { get; init; }
    public double? Dy { get; init; }
    public int? Button { get; init; }
    public string? Text { get; init; }
    public bool? More { get; init; }
    public double? Width { get; init; }
    public double? Height { get; init; }
    public double? Max { get; init; }
    public long? Id { get; init; }
    public bool? Visible { get; init; }
    public long? CaptureUs { get; init; }

    /// <returns>Null when the bytes are not such a message.</returns>
    public static PageMessage? Parse(ReadOnlySpan<byte> json)
    {
        if (json.Length > MaxBytes)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(json, StreamingJsonContext.Default.PageMessage);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>A page's text message on the WebSocket: its channel and the message.</summary>
internal sealed record SocketMessage(string? C, PageMessage? M)
{
    public static SocketMessage? Parse(ReadOnlySpan<byte> json)
    {
        if (json.Length > PageMessage.MaxBytes + 64)
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize(json, StreamingJsonContext.Default.SocketMessage);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>One message on <c>pointer</c>: eight bytes, big-endian.</summary>
internal readonly record struct PointerMessage(uint Sequence, ushort X, ushort Y)
{
    public const int Length = 8;

    public static bool TryParse(ReadOnlySpan<byte> bytes, out PointerMessage message)
    {
        message = default;
        if (bytes.Length != Length)
        {
            return false;
        }

        message = new PointerMessage(
            BinaryPrimitives.ReadUInt32BigEndian(bytes),
            BinaryPrimitives.ReadUInt16BigEndian(bytes[4..]),
            BinaryPrimitives.ReadUInt16BigEndian(bytes[6..])
        );
        return true;
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    MaxDepth = 8
)]
[JsonSerializable(typeof(PageMessage))]
[JsonSerializable(typeof(SocketMessage))]
[JsonSerializable(typeof(HelloMessage))]
[JsonSerializable(typeof(SizeMessage))]
[JsonSerializable(typeof(CursorMessage))]
[JsonSerializable(typeof(PositionMessage))]
[JsonSerializable(typeof(ClipboardMessage))]
[JsonSerializable(typeof(ClipboardTooLongMessage))]
[JsonSerializable(typeof(PongMessage))]
[JsonSerializable(typeof(FrameMessage))]
[JsonSerializable(typeof(RateMessage))]
[JsonSerializable(typeof(StateMessage))]
internal sealed partial class StreamingJsonContext : JsonSerializerContext;
