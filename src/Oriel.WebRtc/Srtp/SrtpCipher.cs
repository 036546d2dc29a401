namespace Oriel.WebRtc.Srtp;

/// <summary>
/// One direction's transform. Nothing is allocated per packet; not thread-safe. Buffers hold the packet at the front and room for tag and
/// index behind.
/// </summary>
internal abstract class SrtpCipher : IDisposable
{
    /// <summary>Most that a protected packet is longer than its plain text: tag, and in SRTCP the index.</summary>
    public const int MaxOverhead = 20;

    public static SrtpCipher Create(SrtpKeys keys) => keys.Profile.IsGcm ? new SrtpGcm(keys) : new SrtpCounterMode(keys);

    /// <summary>Encrypts in place; returns the protected length.</summary>
    public abstract int ProtectRtp(Span<byte> buffer, int headerLength, int length, uint rollover);

    /// <summary>Decrypts in place; false when the tag is wrong.</summary>
    public abstract bool UnprotectRtp(Span<byte> packet, int headerLength, uint rollover, out int length);

    public abstract int ProtectRtcp(Span<byte> buffer, int length, uint index);

    public abstract bool UnprotectRtcp(Span<byte> packet, out int length, out uint index);

    public abstract void Dispose();
}
