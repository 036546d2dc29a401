using System.Buffers.Binary;
using System.Text;
using Org.BouncyCastle.Tls;

namespace Oriel.WebRtc.Tests.Dtls;

/// <summary>Records of a stranger who knows the addresses and not the keys are silence (RFC 6347 section 4.1.2.7).</summary>
public sealed class ForgedRecordTests
{
    private static readonly byte[] ContentTypes = [20, 21, 22, 23, 24, 25];
    private static readonly ushort[] Epochs = [0, 1, 2, ushort.MaxValue];

    /// <summary>No record may be taken for the newest, or nothing after it would be.</summary>
    private static readonly ulong[] Sequences = [3, (1UL << 48) - 1];

    private static readonly byte[][] Bodies =
    [
        [1], // change_cipher_spec
        [2, 40], // a fatal alert
        [1, 0], // close_notify
        .. new[] { 7, 24, 25, 31, 32, 48, 64, 300 }.Select(Noise), // too short for a tag, of whole blocks and not
        [11, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0, 9, 1, 2, 3], // a certificate that breaks off
        [1, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 8, .. Noise(8)], // a hello that is none
        [20, 0, 0, 12, 0, 4, 0, 0, 0, 0, 0, 12, .. Noise(12)], // a finished without keys
    ];

    public static TheoryData<byte, ushort> Kinds()
    {
        var kinds = new TheoryData<byte, ushort>();
        foreach (var type in ContentTypes)
        {
            foreach (var epoch in Epochs)
            {
                kinds.Add(type, epoch);
            }
        }

        return kinds;
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Session_ForgedRecordsBeforeDuringAndAfterTheHandshake_Lives(byte type, ushort epoch)
    {
        var forged = Forge(type, epoch).ToList();
        var next = 0;
        using var pair = new DtlsPair(server =>
        {
            for (var i = 0; i < 6; i++)
            {
                server.Enqueue(forged[next++ % forged.Count]);
            }
        });
        foreach (var record in forged)
        {
            pair.Server.Enqueue(record);
        }

        var (server, client) = await pair.HandshakeAsync(ProtocolVersion.DTLSv12);
        Assert.Null(client);
        Assert.Null(server.Failure);

        pair.Establish(server.Transport!);
        foreach (var record in forged)
        {
            AssertTalks(pair, record);
        }
    }

    [Theory]
    [InlineData(CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256)]
    [InlineData(CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384)]
    [InlineData(CipherSuite.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256)]
    [InlineData(CipherSuite.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA)]
    public async Task Session_CorruptRecordOfAnySuite_Lives(int suite)
    {
        using var pair = new DtlsPair();
        var (server, _) = await pair.HandshakeAsync(ProtocolVersion.DTLSv12, suite);
        pair.Establish(server.Transport!);
        pair.Client!.Send("corrupt"u8);
        var record = pair.Sent[^1];
        for (var cut = 14; cut <= record.Length; cut++)
        {
            var corrupt = record[..cut];
            BinaryPrimitives.WriteUInt16BigEndian(corrupt.AsSpan(11), (ushort)(cut - 13));
            corrupt[^1] ^= 1;
            AssertTalks(pair, corrupt);
        }
    }

    [Fact]
    public async Task Receive_MoreForgedThanOneLook_StillReadsWhatFollows()
    {
        using var pair = new DtlsPair();
        var (server, _) = await pair.HandshakeAsync(ProtocolVersion.DTLSv12);
        pair.Establish(server.Transport!);
        foreach (var record in Forge(23, 1).Take(20))
        {
            pair.Server.Enqueue(record);
        }

        AssertTalks(pair, Forge(23, 1).First());
    }

    private static void AssertTalks(DtlsPair pair, byte[] forged)
    {
        var heard = "";
        Assert.True(pair.Server.Receive(forged, data => heard += Encoding.ASCII.GetString(data)), Convert.ToHexString(forged));
        Assert.Equal("", heard);
        pair.Client!.Send("still here"u8);
        Assert.True(pair.Server.Receive(pair.Sent[^1], data => heard += Encoding.ASCII.GetString(data)));
        Assert.Equal("still here", heard);
    }

    private static IEnumerable<byte[]> Forge(byte type, ushort epoch)
    {
        foreach (var sequence in Sequences)
        {
            foreach (var body in Bodies)
            {
                var record = new byte[13 + body.Length];
                BinaryPrimitives.WriteUInt64BigEndian(record.AsSpan(3), ((ulong)epoch << 48) | sequence);
                record[0] = type;
                (record[1], record[2]) = (0xFE, 0xFD);
                BinaryPrimitives.WriteUInt16BigEndian(record.AsSpan(11), (ushort)body.Length);
                body.CopyTo(record, 13);
                yield return record;
            }
        }
    }

    private static byte[] Noise(int length)
    {
        var noise = new byte[length];
        new Random(length).NextBytes(noise);
        return noise;
    }
}
