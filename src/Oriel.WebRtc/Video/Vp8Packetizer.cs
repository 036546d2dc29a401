using Oriel.WebRtc.Rtp;

namespace Oriel.WebRtc.Video;

/// <summary>VP8 payload descriptors with a 15-bit picture id (RFC 7741 section 4.2). The parts of a frame are of equal size.</summary>
internal static class Vp8Packetizer
{
    private const int DescriptorLength = 4;
    private const byte Extended = 0x80;
    private const byte StartOfPartition = 0x10;
    private const byte HasPictureId = 0x80;
    private const byte LongPictureId = 0x80;

    public static void Packetize(ReadOnlyMemory<byte> frame, int maxPayload, ushort pictureId, List<MediaPacket> packets)
    {
        var room = maxPayload - DescriptorLength;
        var count = (frame.Length + room - 1) / room;
        for (var i = 0; i < count; i++)
        {
            var start = (int)((long)frame.Length * i / count);
            var end = (int)((long)frame.Length * (i + 1) / count);
            var first = (ulong)(Extended | (i == 0 ? StartOfPartition : 0));
            packets.Add(
                new MediaPacket
                {
                    Payload = frame[start..end],
                    Prefix =
                        first
                        | (HasPictureId << 8)
                        | ((ulong)(LongPictureId | ((pictureId >> 8) & 0x7F)) << 16)
                        | ((ulong)(pictureId & 0xFF) << 24),
                    PrefixLength = DescriptorLength,
                    Marker = i == count - 1,
                }
            );
        }
    }
}
