using System.Buffers.Binary;
using System.Text;
using Oriel.WebRtc.Rtp;

namespace Oriel.WebRtc.Video;

/// <summary>
/// Writes RTP headers with this peer's extensions. The extension block is built once; only the send time and the transport sequence number
/// are filled in per packet. Nothing is allocated per packet (measured by SendPathTests).
/// </summary>
internal sealed class VideoPackets
{
    private const int FixedHeader = 12;

    private readonly VideoParameters _parameters;
    private readonly byte[] _extensions;
    private readonly int _sendTimeAt;
    private readonly int _sequenceAt;

    public VideoPackets(VideoParameters parameters)
    {
        _parameters = parameters;
        var block = new List<byte>();
        var ids = parameters.Extensions;
        _sendTimeAt = Add(block, ids.AbsoluteSendTime, [0, 0, 0]);
        _sequenceAt = Add(block, ids.TransportSequence, [0, 0]);
        Add(block, ids.PlayoutDelay, [0, 0, 0]); // {0, 0}: show immediately
        Add(block, parameters.Mid.Length == 0 ? 0 : ids.Mid, Encoding.ASCII.GetBytes(parameters.Mid));
        while (block.Count % 4 != 0)
        {
            block.Add(0);
        }

        _extensions = [.. block];
        HeaderLength = FixedHeader + (_extensions.Length == 0 ? 0 : 4 + _extensions.Length);
    }

    public int HeaderLength { get; }

    public bool HasTransportSequence => _sequenceAt >= 0;

    /// <summary>
    /// Header, descriptor and payload of a media packet, or of its resend (<paramref name="originalSequence"/> not null; RFC 4588 section
    /// 4).
    /// </summary>
    public int Write(
        Span<byte> buffer,
        in MediaPacket packet,
        ushort sequence,
        uint ssrc,
        ushort? originalSequence,
        ushort transportSequence,
        long microseconds
    )
    {
        var payloadType = originalSequence is null ? _parameters.PayloadType : _parameters.RtxPayloadType!.Value;
        var at = Header(buffer, payloadType, packet.Marker, sequence, packet.Timestamp, ssrc, transportSequence, microseconds);
        if (originalSequence is { } original)
        {
            BinaryPrimitives.WriteUInt16BigEndian(buffer[at..], original);
            at += 2;
        }

        for (var i = 0; i < packet.PrefixLength; i++)
        {
            buffer[at++] = (byte)(packet.Prefix >> (8 * i));
        }

        packet.Payload.Span.CopyTo(buffer[at..]);
        return at + packet.Payload.Length;
    }

    private int Header(
        Span<byte> buffer,
        byte payloadType,
        bool marker,
        ushort sequence,
        uint timestamp,
        uint ssrc,
        ushort transportSequence,
        long microseconds
    )
    {
        buffer[0] = (byte)(_extensions.Length == 0 ? 0x80 : 0x90);
        buffer[1] = (byte)(payloadType | (marker ? 0x80 : 0));
        BinaryPrimitives.WriteUInt16BigEndian(buffer[2..], sequence);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[4..], timestamp);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[8..], ssrc);
        if (_extensions.Length == 0)
        {
            return FixedHeader;
        }

        BinaryPrimitives.WriteUInt16BigEndian(buffer[12..], RtpHeader.OneByteProfile);
        BinaryPrimitives.WriteUInt16BigEndian(buffer[14..], (ushort)(_extensions.Length / 4));
        var block = buffer.Slice(16, _extensions.Length);
        _extensions.CopyTo(block);
        if (_sendTimeAt >= 0)
        {
            // 24 bits, 6.18 fixed point seconds.
            var time = (uint)((ulong)microseconds * (1 << 18) / 1_000_000);
            (block[_sendTimeAt], block[_sendTimeAt + 1], block[_sendTimeAt + 2]) = ((byte)(time >> 16), (byte)(time >> 8), (byte)time);
        }

        if (_sequenceAt >= 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(block[_sequenceAt..], transportSequence);
        }

        return 16 + _extensions.Length;
    }

    private static int Add(List<byte> block, int id, byte[] value)
    {
        if (id == 0)
        {
            return -1;
        }

        block.Add((byte)((id << 4) | (value.Length - 1)));
        block.AddRange(value);
        return block.Count - value.Length;
    }
}
