using System.Buffers.Binary;
using Oriel.WebRtc.Rtp;

namespace Oriel.WebRtc.Srtp;

/// <summary>
/// Both directions of one peer: roll-over counters (RFC 3711 section 3.3.1), SRTCP indices and replay windows. Used by the peer's loop
/// only.
/// </summary>
internal sealed class SrtpContext(SrtpKeys outbound, SrtpKeys inbound) : IDisposable
{
    private const int MaxStreams = 16;

    private readonly SrtpCipher _out = SrtpCipher.Create(outbound);
    private readonly SrtpCipher _in = SrtpCipher.Create(inbound);
    private readonly Dictionary<uint, RtpStream> _received = [];
    private uint _rtcpIndex;
    private ReplayWindow _rtcpReplay;

    public SrtpProfile Profile => outbound.Profile;

    /// <summary>
    /// Protects in place. <paramref name="index"/> is the stream's 48-bit packet index: roll-over count and sequence number.
    /// </summary>
    public int ProtectRtp(Span<byte> buffer, int headerLength, int length, ulong index) =>
        _out.ProtectRtp(buffer, headerLength, length, (uint)(index >> 16));

    public int ProtectRtcp(Span<byte> buffer, int length) => _out.ProtectRtcp(buffer, length, ++_rtcpIndex & 0x7FFF_FFFF);

    /// <summary>False when malformed, forged, replayed, or from one stream too many.</summary>
    public bool UnprotectRtp(Span<byte> packet, out int length)
    {
        length = 0;
        if (!RtpHeader.TryParse(packet, out var header))
        {
            return false;
        }

        var isNew = !_received.TryGetValue(header.Ssrc, out var stream);
        if (isNew && _received.Count == MaxStreams)
        {
            return false;
        }

        var index = stream.Index(header.Sequence);
        if (!stream.Replay.IsFresh(index) || !_in.UnprotectRtp(packet, header.Length, (uint)(index >> 16), out length))
        {
            return false;
        }

        stream.Commit(index);
        _received[header.Ssrc] = stream;
        return true;
    }

    public bool UnprotectRtcp(Span<byte> packet, out int length)
    {
        length = 0;
        if (packet.Length < 12 || !_rtcpReplay.IsFresh(PeekRtcpIndex(packet)) || !_in.UnprotectRtcp(packet, out length, out var index))
        {
            return false;
        }

        _rtcpReplay.Commit(index);
        return true;
    }

    public void Dispose()
    {
        _out.Dispose();
        _in.Dispose();
    }

    private uint PeekRtcpIndex(ReadOnlySpan<byte> packet)
    {
        var behind = inbound.Profile.IsGcm ? 4 : 4 + inbound.Profile.TagLength;
        return packet.Length < behind ? 0 : BinaryPrimitives.ReadUInt32BigEndian(packet[^behind..]) & 0x7FFF_FFFF;
    }

    private struct RtpStream
    {
        public ReplayWindow Replay;
        private ulong _highest;
        private bool _any;

        /// <summary>The index nearest to the highest one seen (RFC 3711 appendix A).</summary>
        public readonly ulong Index(ushort sequence)
        {
            if (!_any)
            {
                return sequence;
            }

            var rollover = _highest >> 16;
            var last = (int)(_highest & 0xFFFF);
            if (last < 0x8000)
            {
                rollover = sequence - last > 0x8000 && rollover > 0 ? rollover - 1 : rollover;
            }
            else if (last - 0x8000 > sequence)
            {
                rollover++;
            }

            return (rollover << 16) | sequence;
        }

        public void Commit(ulong index)
        {
            Replay.Commit(index);
            if (!_any || index > _highest)
            {
                (_any, _highest) = (true, index);
            }
        }
    }
}
