using System.Buffers.Binary;
using Oriel.WebRtc.Srtp;

namespace Oriel.WebRtc.Tests.Srtp;

/// <summary>Test vectors of RFC 3711 appendix B and RFC 7714 sections 16 and 17.</summary>
public sealed class SrtpVectorTests
{
    private static readonly byte[] GcmKey = Convert.FromHexString("000102030405060708090a0b0c0d0e0f");
    private static readonly byte[] GcmSalt = Convert.FromHexString("517569642070726f2071756f");

    [Fact]
    public void Derive_Rfc3711AppendixB3_MatchesTheVectors()
    {
        var keys = new SrtpKeys(
            SrtpProfile.AesCm128HmacSha1Tag80,
            Convert.FromHexString("E1F97A0D3E018BE0D64FA32C06DE4139"),
            Convert.FromHexString("0EC675AD498AFEEBB6960B3AABE6")
        );

        Assert.Equal("C61E7A93744F39EE10734AFE3FF7A087", Convert.ToHexString(keys.RtpKey));
        Assert.Equal("30CBBC08863D8C85D49DB34A9AE1", Convert.ToHexString(keys.RtpSaltKey));
        Assert.Equal("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4", Convert.ToHexString(keys.RtpAuthKey));
    }

    [Fact]
    public void CounterMode_Rfc3711AppendixB2_GivesTheKeyStream()
    {
        // The vector's IV is the salt F0F1…FD with SSRC 0 and index 0: encrypting zeros shows the key stream.
        var keys = SrtpKeys.FromSession(
            SrtpProfile.AesCm128HmacSha1Tag80,
            Convert.FromHexString("2B7E151628AED2A6ABF7158809CF4F3C"),
            new byte[20],
            Convert.FromHexString("F0F1F2F3F4F5F6F7F8F9FAFBFCFD")
        );
        using var cipher = SrtpCipher.Create(keys);
        var packet = new byte[12 + 48 + 10];
        packet[0] = 0x80;

        cipher.ProtectRtp(packet, 12, 60, 0);

        Assert.Equal(
            "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0",
            Convert.ToHexString(packet.AsSpan(12, 48))
        );
    }

    [Fact]
    public void Gcm_Rfc7714Section16_EncryptsAndDecryptsRtp()
    {
        const string Plain = "8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573";
        const string Protected =
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce";
        using var cipher = SrtpCipher.Create(SrtpKeys.FromSession(SrtpProfile.AeadAes128Gcm, GcmKey, [], GcmSalt));
        var plain = Convert.FromHexString(Plain);
        var packet = new byte[plain.Length + 16];
        plain.CopyTo(packet, 0);

        var length = cipher.ProtectRtp(packet, 12, plain.Length, 0);

        Assert.Equal(Protected, Convert.ToHexStringLower(packet.AsSpan(0, length)));
        Assert.True(cipher.UnprotectRtp(packet.AsSpan(0, length), 12, 0, out var back));
        Assert.Equal(plain, packet.AsSpan(0, back).ToArray());
    }

    [Fact]
    public void Gcm_Rfc7714Section17_EncryptsAndDecryptsRtcp()
    {
        const string Plain = "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef";
        const string Protected =
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf87245d9eade800005d4";
        using var cipher = SrtpCipher.Create(SrtpKeys.FromSession(SrtpProfile.AeadAes128Gcm, GcmKey, [], GcmSalt));
        var plain = Convert.FromHexString(Plain);
        var packet = new byte[plain.Length + 20];
        plain.CopyTo(packet, 0);

        var length = cipher.ProtectRtcp(packet, plain.Length, 0x5d4);

        Assert.Equal(Protected, Convert.ToHexStringLower(packet.AsSpan(0, length)));
        Assert.True(cipher.UnprotectRtcp(packet.AsSpan(0, length), out var back, out var index));
        Assert.Equal(0x5d4u, index);
        Assert.Equal(plain, packet.AsSpan(0, back).ToArray());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Context_RoundTrip_RefusesReplayAndForgery(bool gcm)
    {
        var profile = gcm ? SrtpProfile.AeadAes128Gcm : SrtpProfile.AesCm128HmacSha1Tag80;
        var keys = new SrtpKeys(profile, new byte[16], new byte[profile.SaltLength]);
        using var sender = new SrtpContext(keys, keys);
        using var receiver = new SrtpContext(keys, keys);
        for (var index = 0xFFF0UL; index < 0x10010; index++)
        {
            var packet = Rtp((ushort)index);
            var length = sender.ProtectRtp(packet, 12, 40, index);
            var copy = packet.AsSpan(0, length).ToArray();
            var forged = packet.AsSpan(0, length).ToArray();
            forged[20] ^= 1;

            Assert.False(receiver.UnprotectRtp(forged, out _));
            Assert.True(receiver.UnprotectRtp(packet.AsSpan(0, length), out var plain));
            Assert.Equal(40, plain);
            Assert.False(receiver.UnprotectRtp(copy, out _));
        }

        var report = new byte[64];
        Rtp(1).AsSpan(0, 28).CopyTo(report);
        var protectedLength = sender.ProtectRtcp(report, 28);
        var again = report.AsSpan(0, protectedLength).ToArray();
        Assert.True(receiver.UnprotectRtcp(report.AsSpan(0, protectedLength), out var reportLength));
        Assert.Equal(28, reportLength);
        Assert.False(receiver.UnprotectRtcp(again, out _));
    }

    [Fact]
    public void ReplayWindow_OldAndRepeated_AreNotFresh()
    {
        var window = default(ReplayWindow);
        window.Commit(100);
        window.Commit(90);

        Assert.False(window.IsFresh(100));
        Assert.False(window.IsFresh(90));
        Assert.True(window.IsFresh(91));
        Assert.False(window.IsFresh(36));
        Assert.True(window.IsFresh(37));
        window.Commit(1000);
        Assert.False(window.IsFresh(100));
    }

    private static byte[] Rtp(ushort sequence)
    {
        var packet = new byte[40 + SrtpCipher.MaxOverhead];
        packet[0] = 0x80;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), sequence);
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(8), 7);
        packet.AsSpan(12, 28).Fill(0x5A);
        return packet;
    }
}
