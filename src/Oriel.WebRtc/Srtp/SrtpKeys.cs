using System.Security.Cryptography;

namespace Oriel.WebRtc.Srtp;

/// <summary>
/// Session keys of one direction, derived from its master key and salt with key derivation rate 0 (RFC 3711 section 4.3).
/// </summary>
internal sealed class SrtpKeys
{
    private const int AuthKeyLength = 20;
    private const byte RtpEncryption = 0;
    private const byte RtpAuthentication = 1;
    private const byte RtpSalt = 2;
    private const byte RtcpEncryption = 3;
    private const byte RtcpAuthentication = 4;
    private const byte RtcpSalt = 5;

    public SrtpKeys(SrtpProfile profile, ReadOnlySpan<byte> masterKey, ReadOnlySpan<byte> masterSalt)
        : this(
            profile,
            Derive(masterKey, masterSalt, RtpEncryption, profile.KeyLength),
            Derive(masterKey, masterSalt, RtpAuthentication, AuthKeyLength),
            Derive(masterKey, masterSalt, RtpSalt, profile.SaltLength),
            Derive(masterKey, masterSalt, RtcpEncryption, profile.KeyLength),
            Derive(masterKey, masterSalt, RtcpAuthentication, AuthKeyLength),
            Derive(masterKey, masterSalt, RtcpSalt, profile.SaltLength)
        ) { }

    private SrtpKeys(SrtpProfile profile, byte[] rtpKey, byte[] rtpAuth, byte[] rtpSalt, byte[] rtcpKey, byte[] rtcpAuth, byte[] rtcpSalt)
    {
        Profile = profile;
        (RtpKey, RtpAuthKey, RtpSaltKey) = (rtpKey, rtpAuth, rtpSalt);
        (RtcpKey, RtcpAuthKey, RtcpSaltKey) = (rtcpKey, rtcpAuth, rtcpSalt);
    }

    public SrtpProfile Profile { get; }
    public byte[] RtpKey { get; }
    public byte[] RtpAuthKey { get; }
    public byte[] RtpSaltKey { get; }
    public byte[] RtcpKey { get; }
    public byte[] RtcpAuthKey { get; }
    public byte[] RtcpSaltKey { get; }

    /// <summary>Uses the given session keys for both RTP and RTCP: the RFCs' test vectors start from session keys.</summary>
    public static SrtpKeys FromSession(SrtpProfile profile, byte[] key, byte[] auth, byte[] salt) =>
        new(profile, key, auth, salt, key, auth, salt);

    /// <summary>Splits what DTLS exported (RFC 5764 section 4.2) into the client's and the server's keys.</summary>
    public static (SrtpKeys Client, SrtpKeys Server) FromDtls(SrtpProfile profile, ReadOnlySpan<byte> material)
    {
        var (key, salt) = (profile.KeyLength, profile.SaltLength);
        return (
            new SrtpKeys(profile, material[..key], material.Slice(2 * key, salt)),
            new SrtpKeys(profile, material.Slice(key, key), material.Slice((2 * key) + salt, salt))
        );
    }

    private static byte[] Derive(ReadOnlySpan<byte> masterKey, ReadOnlySpan<byte> masterSalt, byte label, int length)
    {
        using var aes = Aes.Create();
        aes.Key = masterKey.ToArray();
        Span<byte> block = stackalloc byte[16];
        block.Clear();
        masterSalt.CopyTo(block); // a 96-bit salt is padded with zeros on the right (RFC 7714 section 11)
        block[7] ^= label;
        var blocks = (length + 15) / 16;
        Span<byte> stream = stackalloc byte[blocks * 16];
        for (var i = 0; i < blocks; i++)
        {
            block[15] = (byte)i;
            aes.EncryptEcb(block, stream.Slice(i * 16, 16), PaddingMode.None);
        }

        return stream[..length].ToArray();
    }
}
