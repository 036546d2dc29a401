using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Oriel.WebRtc.Sctp;

/// <summary>Checks whether an idle peer still answers (RFC 9260 section 8.3).</summary>
internal sealed class Heartbeat(SctpOptions options, RetransmissionTimeout rto)
{
    private const ushort HeartbeatInfo = 1;
    private const int InfoLength = 20;
    private ulong _nonce;

    /// <summary>When the next heartbeat is sent, in milliseconds; infinity before the association is established.</summary>
    public double Deadline { get; private set; } = double.PositiveInfinity;

    /// <summary>Consecutive heartbeats without an answer.</summary>
    public int Errors { get; private set; }

    public void Start(double now) => Deadline = now + options.HeartbeatInterval.TotalMilliseconds;

    public void Send(double now, PacketWriter writer)
    {
        if (_nonce != 0)
        {
            Errors++;
        }

        Span<byte> nonce = stackalloc byte[8];
        RandomNumberGenerator.Fill(nonce);
        _nonce = BinaryPrimitives.ReadUInt64BigEndian(nonce) | 1;
        var value = writer.Add(ChunkType.Heartbeat, 0, InfoLength);
        BinaryPrimitives.WriteUInt16BigEndian(value, HeartbeatInfo);
        BinaryPrimitives.WriteUInt16BigEndian(value[2..], InfoLength);
        BinaryPrimitives.WriteUInt64BigEndian(value[4..], _nonce);
        BinaryPrimitives.WriteDoubleBigEndian(value[12..], now);
        Start(now);
    }

    public void OnAck(ReadOnlySpan<byte> value, double now)
    {
        // The nonce proves that the timestamp is our own.
        if (value.Length >= InfoLength && _nonce != 0 && BinaryPrimitives.ReadUInt64BigEndian(value[4..]) == _nonce)
        {
            var sent = BinaryPrimitives.ReadDoubleBigEndian(value[12..]);
            if (sent >= 0 && sent <= now)
            {
                rto.Measure(now - sent);
            }

            _nonce = 0;
            Errors = 0;
        }
    }
}
