using System.Buffers.Binary;

namespace Oriel.WebRtc.Rtcp;

/// <summary>Writes this side's compound: a sender report and the CNAME (RFC 3550 sections 6.4.1 and 6.5).</summary>
internal static class RtcpWriter
{
    private const int ReportLength = 28;

    /// <summary>Returns the length written.</summary>
    public static int SenderReport(
        Span<byte> buffer,
        uint ssrc,
        ulong ntp,
        uint rtpTimestamp,
        uint packets,
        uint octets,
        ReadOnlySpan<byte> cname
    )
    {
        Header(buffer, 0, RtcpType.SenderReport, ReportLength);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[4..], ssrc);
        BinaryPrimitives.WriteUInt64BigEndian(buffer[8..], ntp);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[16..], rtpTimestamp);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[20..], packets);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[24..], octets);

        var sdes = buffer[ReportLength..];
        var length = (4 + 4 + 2 + cname.Length + 1 + 3) & ~3; // at least one zero ends the items
        sdes[..length].Clear();
        Header(sdes, 1, RtcpType.SourceDescription, length);
        BinaryPrimitives.WriteUInt32BigEndian(sdes[4..], ssrc);
        sdes[8] = 1;
        sdes[9] = (byte)cname.Length;
        cname.CopyTo(sdes[10..]);
        return ReportLength + length;
    }

    /// <summary>Returns the length written (RFC 3550 section 6.6).</summary>
    public static int Bye(Span<byte> buffer, uint ssrc)
    {
        Header(buffer, 1, RtcpType.Bye, 8);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[4..], ssrc);
        return 8;
    }

    private static void Header(Span<byte> buffer, int count, byte type, int length)
    {
        buffer[0] = (byte)(0x80 | count);
        buffer[1] = type;
        BinaryPrimitives.WriteUInt16BigEndian(buffer[2..], (ushort)((length / 4) - 1));
    }
}
