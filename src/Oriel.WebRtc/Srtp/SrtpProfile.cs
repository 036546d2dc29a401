namespace Oriel.WebRtc.Srtp;

/// <summary>A protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2). Lengths in bytes.</summary>
internal sealed record SrtpProfile(string Name, int DtlsId, int KeyLength, int SaltLength, int TagLength, bool IsGcm)
{
    public static readonly SrtpProfile AeadAes128Gcm = new("AEAD_AES_128_GCM", 0x0007, 16, 12, 16, true);
    public static readonly SrtpProfile AesCm128HmacSha1Tag80 = new("AES_CM_128_HMAC_SHA1_80", 0x0001, 16, 14, 10, false);

    public static IReadOnlyList<SrtpProfile> ByPreference { get; } = [AeadAes128Gcm, AesCm128HmacSha1Tag80];
}
