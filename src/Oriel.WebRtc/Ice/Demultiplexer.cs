using System.Net;
using System.Text;

namespace Oriel.WebRtc.Ice;

internal enum PacketKind : byte
{
    Unknown,
    Stun,
    Dtls,
    Rtp,
    Rtcp,
}

/// <summary>Tells packets apart by the first byte (RFC 7983 section 7), and RTP from RTCP by the second (RFC 5761 section 4).</summary>
internal static class Demultiplexer
{
    public static PacketKind Classify(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < 2)
        {
            return PacketKind.Unknown;
        }

        return packet[0] switch
        {
            <= 3 => PacketKind.Stun,
            >= 20 and <= 63 => PacketKind.Dtls,
            >= 128 and <= 191 => packet[1] is >= 192 and <= 223 ? PacketKind.Rtcp : PacketKind.Rtp,
            _ => PacketKind.Unknown,
        };
    }

    /// <summary>The local username fragment in a STUN message; null when there is none or the message is malformed.</summary>
    public static string? LocalUfrag(ReadOnlySpan<byte> stun)
    {
        if (!StunMessage.TryParse(stun, out var message) || message.Username.IsEmpty)
        {
            return null;
        }

        var colon = message.Username.IndexOf((byte)':');
        return colon is > 0 and <= 32 ? Encoding.ASCII.GetString(message.Username[..colon]) : null;
    }
}

/// <summary>Finds the peer that a connectivity check is for.</summary>
internal interface IPeerDirectory
{
    IPacketReceiver? FindByStun(ReadOnlySpan<byte> packet);
}

/// <summary>A peer as its paths see it.</summary>
internal interface IPacketReceiver
{
    /// <param name="path">The packet's path, if known.</param>
    /// <param name="from">Otherwise the sender's address, which the receiver may keep.</param>
    void Post(ReadOnlySpan<byte> packet, PacketKind kind, IcePath? path, SocketAddress? from);

    /// <summary>Adds a connection that names this peer. False when it must be closed.</summary>
    bool TryAdd(TcpPath path);

    void PostPathClosed(TcpPath path);
}
