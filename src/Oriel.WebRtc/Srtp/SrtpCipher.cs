namespace Oriel.WebRtc.Srtp;

/// <summary>
/// One direction's transform. Nothing is allocated per packet; not thread-safe. Buffers start with the packet and leave room for the tag
/// and index after it.
/// </summary>
internal abstract class SrtpCipher : IDisposable
{
    /// <summary>The most bytes that protection adds to a packet: the tag and, in SRTCP, the index.</summary>
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
