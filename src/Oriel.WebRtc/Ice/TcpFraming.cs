using System.Buffers.Binary;

namespace Oriel.WebRtc.Ice;

/// <summary>RFC 4571 framing: each packet is preceded by its length in two bytes.</summary>
internal static class TcpFraming
{
    public const int HeaderLength = 2;

    /// <summary>The same as for UDP: no protocol spoken here needs more.</summary>
    public const int MaxFrame = 2048;

    /// <summary>
    /// Reads the frame at the start of <paramref name="input"/>. <see cref="FrameResult.Invalid"/> means the stream cannot be read any
    /// further.
    /// </summary>
    public static FrameResult TryRead(ReadOnlySpan<byte> input, out ReadOnlySpan<byte> frame)
    {
        frame = default;
        if (input.Length < HeaderLength)
        {
            return FrameResult.Incomplete;
        }

        int size = BinaryPrimitives.ReadUInt16BigEndian(input);
        if (size > MaxFrame)
        {
            return FrameResult.Invalid;
        }

        if (input.Length < HeaderLength + size)
        {
            return FrameResult.Incomplete;
        }

        frame = input.Slice(HeaderLength, size);
        return FrameResult.Frame;
    }
}

internal enum FrameResult
{
    Incomplete,
    Frame,
    Invalid,
}
