using System.Net;
using System.Text;
using Oriel.WebRtc.Ice;

namespace Oriel.WebRtc.Tests.Ice;

/// <summary>Test vectors of RFC 5769.</summary>
public sealed class StunVectorTests
{
    private static readonly byte[] Password = Encoding.ASCII.GetBytes("VOkJxbRl1RmTxUk/WvJxBt");

    [Fact]
    public void Parse_Request_IntegrityAndFieldsAreRight()
    {
        var bytes = Fuzzer.Seeds("stun")[0];

        Assert.True(StunMessage.TryParse(bytes, out var message));
        Assert.Equal(StunMessage.BindingRequest, message.Type);
        Assert.Equal("evtj:h6vY", Encoding.ASCII.GetString(message.Username));
        Assert.Equal(0x6E0001FFu, message.Priority);
        Assert.True(message.IsControlled);
        Assert.True(message.HasFingerprint);
        Assert.True(message.VerifyIntegrity(Password));
        Assert.False(message.VerifyIntegrity("wrong"u8));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Parse_Response_IntegrityIsRight(int seed)
    {
        Assert.True(StunMessage.TryParse(Fuzzer.Seeds("stun")[seed], out var message));
        Assert.Equal(StunMessage.BindingSuccess, message.Type);
        Assert.True(message.VerifyIntegrity(Password));
    }

    [Theory]
    [InlineData(1, "192.0.2.1")]
    [InlineData(2, "2001:db8:1234:5678:11:2233:4455:6677")]
    public void Write_Response_IsTheVectorButForItsSoftwarePadding(int seed, string address)
    {
        // The vectors pad SOFTWARE with a blank instead of zero, so integrity and fingerprint differ; all before them but that byte must be
        // the same.
        var expected = Fuzzer.Seeds("stun")[seed];
        Assert.True(StunMessage.TryParse(expected, out var vector));
        var buffer = new byte[256];
        var writer = new StunWriter(buffer, StunMessage.BindingSuccess, vector.TransactionId);
        writer.Add(StunAttribute.Software, "test vector"u8);
        writer.AddXorMappedAddress(new IPEndPoint(IPAddress.Parse(address), 32853));
        writer.AddIntegrity(Password);
        writer.AddFingerprint();

        var written = buffer.AsSpan(0, writer.Length);
        Assert.Equal(expected.Length, written.Length);
        Assert.Equal(expected[36..^32], written[36..^32].ToArray());
        Assert.True(StunMessage.TryParse(written, out var own));
        Assert.True(own.VerifyIntegrity(Password));
    }

    [Fact]
    public void Parse_FlippedBit_IsRefused()
    {
        var bytes = Fuzzer.Seeds("stun")[0].ToArray();
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(StunMessage.TryParse(bytes, out var message) && message.HasFingerprint);
            bytes[bit / 8] ^= (byte)(1 << (bit % 8));
        }
    }
}
