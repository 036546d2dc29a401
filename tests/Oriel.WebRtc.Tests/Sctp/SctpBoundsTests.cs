using System.Buffers.Binary;
using Microsoft.Extensions.Time.Testing;
using Oriel.WebRtc.Sctp;

namespace Oriel.WebRtc.Tests.Sctp;

/// <summary>Packets that no honest peer sends.</summary>
public sealed class SctpBoundsTests
{
    [Fact]
    public void Checksum_KnownInput_MatchesCrc32c()
    {
        // RFC 3720 appendix B.4: 32 bytes of zeros give 8A9136AA, read as the packet is: its checksum field is zero too.
        Assert.Equal(0x8A9136AAu, SctpWire.Checksum(new byte[32]));
    }

    [Fact]
    public void Checksum_AnyLength_MatchesBitwiseDefinition()
    {
        var random = new Random(1);
        for (var length = 12; length < 80; length++)
        {
            var packet = new byte[length];
            random.NextBytes(packet);
            packet.AsSpan(8, 4).Clear();
            Assert.Equal(Bitwise(packet), SctpWire.Checksum(packet));
        }
    }

    [Fact]
    public void Receive_AnyBitFlippedInHandshake_NeverThrowsAndNeverEstablishes()
    {
        var clock = new FakeTimeProvider();
        var init = Array.Empty<byte>();
        using var client = new SctpAssociation(new SctpOptions { IsDtlsClient = true }, packet => init = packet.ToArray(), clock);
        client.Start();
        for (var bit = 0; bit < init.Length * 8; bit++)
        {
            var answered = false;
            using var server = new SctpAssociation(new SctpOptions(), _ => answered = true, clock);
            var packet = (byte[])init.Clone();
            packet[bit / 8] ^= (byte)(1 << (bit % 8));
            server.Receive(packet);
            Assert.False(answered);
            SctpWire.WriteChecksum(packet);
            server.Receive(packet);
        }
    }

    [Fact]
    public void Receive_CookieThatWeDidNotSeal_IsIgnored()
    {
        using var pair = new SctpPair();
        pair.Filter = (to, packet) =>
        {
            if (packet[12] == ChunkType.CookieEcho)
            {
                packet[30] ^= 1;
                SctpWire.WriteChecksum(packet);
            }

            return true;
        };
        pair.Client.Start();
        pair.Run(3);
        Assert.Equal(AssociationState.Closed, pair.Server.State);
    }

    [Fact]
    public void Receive_WrongVerificationTag_IsDropped()
    {
        using var pair = new SctpPair().Connect();
        var packet = new byte[16];
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(4), 12345);
        packet[12] = ChunkType.Abort;
        packet[15] = 4;
        SctpWire.WriteChecksum(packet);
        pair.Server.Receive(packet);
        Assert.Equal(AssociationState.Established, pair.Server.State);
    }

    [Fact]
    public void InboundData_FragmentsThatNeverComplete_AreBounded()
    {
        var options = new SctpOptions();
        var inbound = new InboundData(options, _ => { });
        inbound.Start(1);
        var dropped = 0;
        for (uint i = 0; i < 20_000; i++)
        {
            // Every second TSN, so that nothing ever joins.
            dropped += inbound.Receive(Data(2 + (2 * i), 0, 0, new byte[1000]), DataHeader.Begin) == Intake.Dropped ? 1 : 0;
        }

        Assert.True(dropped > 18_000);
        Assert.InRange(inbound.BufferedBytes, 1, options.ReceiveBuffer);
    }

    [Fact]
    public void InboundData_EndlessMessage_IsRefused()
    {
        var inbound = new InboundData(new SctpOptions(), _ => Assert.Fail("nothing is whole"));
        inbound.Start(1);
        var result = Intake.Accepted;
        for (uint tsn = 1; result == Intake.Accepted && tsn < 10_000; tsn++)
        {
            result = inbound.Receive(Data(tsn, 0, 0, new byte[1000]), tsn == 1 ? DataHeader.Begin : (byte)0);
        }

        Assert.Equal(Intake.MessageTooLong, result);
    }

    [Fact]
    public void InboundData_OrderedMessagesThatNeverComeDue_EndInOutOfResource()
    {
        var inbound = new InboundData(new SctpOptions(), _ => Assert.Fail("SSN 0 never came"));
        inbound.Start(1);
        var result = Intake.Accepted;
        for (uint tsn = 1; result == Intake.Accepted && tsn < 30_000; tsn++)
        {
            result = inbound.Receive(Data(tsn, 0, (ushort)(1 + (tsn % 30_000)), new byte[1000]), DataHeader.Begin | DataHeader.End);
        }

        Assert.Equal(Intake.OutOfResource, result);
    }

    [Fact]
    public void InboundData_FragmentsOfTwoStreamsInOneRun_AreMalformed()
    {
        var inbound = new InboundData(new SctpOptions(), _ => { });
        inbound.Start(1);
        inbound.Receive(Data(1, 0, 0, [1]), DataHeader.Begin);
        Assert.Equal(Intake.Malformed, inbound.Receive(Data(2, 1, 0, [1]), DataHeader.End));
    }

    [Fact]
    public void InboundData_ForwardTsn_DropsPartsAndDeliversWhatFollows()
    {
        var got = new List<byte>();
        var inbound = new InboundData(new SctpOptions(), message => got.Add(message.Payload[0]));
        inbound.Start(1);
        inbound.Receive(Data(1, 3, 0, [1]), DataHeader.Begin);
        inbound.Receive(Data(4, 3, 1, [4]), DataHeader.Begin | DataHeader.End);
        Assert.Empty(got);
        byte[] forward = [0, 0, 0, 3, 0, 3, 0, 0];
        Assert.Equal(Intake.Accepted, inbound.Forward(forward));
        Assert.Equal([4], got);
        Assert.Equal(4u, inbound.CumulativeTsn);
        Assert.Equal(0, inbound.BufferedBytes);
        Assert.Equal(Intake.Duplicate, inbound.Receive(Data(2, 3, 0, [2]), DataHeader.End));
    }

    private static byte[] Data(uint tsn, ushort stream, ushort ssn, byte[] payload)
    {
        var value = new byte[DataHeader.Length + payload.Length];
        BinaryPrimitives.WriteUInt32BigEndian(value, tsn);
        BinaryPrimitives.WriteUInt16BigEndian(value.AsSpan(4), stream);
        BinaryPrimitives.WriteUInt16BigEndian(value.AsSpan(6), ssn);
        BinaryPrimitives.WriteUInt32BigEndian(value.AsSpan(8), Ppid.Binary);
        payload.CopyTo(value, DataHeader.Length);
        return value;
    }

    private static uint Bitwise(byte[] data)
    {
        var crc = uint.MaxValue;
        foreach (var one in data)
        {
            crc ^= one;
            for (var i = 0; i < 8; i++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
            }
        }

        return ~crc;
    }
}
