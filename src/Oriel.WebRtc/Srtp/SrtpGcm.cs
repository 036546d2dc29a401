using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Oriel.WebRtc.Srtp;

/// <summary>AEAD_AES_128_GCM (RFC 7714).</summary>
internal sealed class SrtpGcm(SrtpKeys keys) : SrtpCipher
{
    private const int TagLength = 16;
    private const int NonceLength = 12;
    private const uint EncryptedBit = 0x8000_0000;

    private readonly AesGcm _rtp = new(keys.RtpKey, TagLength);
    private readonly AesGcm _rtcp = new(keys.RtcpKey, TagLength);

    public override int ProtectRtp(Span<byte> buffer, int headerLength, int length, uint rollover)
    {
        Span<byte> nonce = stackalloc byte[NonceLength];
        RtpNonce(buffer, rollover, nonce);
        var payload = buffer[headerLength..length];
        _rtp.Encrypt(nonce, payload, payload, buffer.Slice(length, TagLength), buffer[..headerLength]);
        return length + TagLength;
    }

    public override bool UnprotectRtp(Span<byte> packet, int headerLength, uint rollover, out int length)
    {
        length = packet.Length - TagLength;
        if (length < headerLength)
        {
            return false;
        }

        Span<byte> nonce = stackalloc byte[NonceLength];
        RtpNonce(packet, rollover, nonce);
        return TryDecrypt(_rtp, nonce, packet[headerLength..length], packet[length..], packet[..headerLength]);
    }

    public override int ProtectRtcp(Span<byte> buffer, int length, uint index)
    {
        Span<byte> nonce = stackalloc byte[NonceLength];
        Span<byte> associated = stackalloc byte[12];
        RtcpNonce(buffer, index, nonce);
        buffer[..8].CopyTo(associated);
        BinaryPrimitives.WriteUInt32BigEndian(associated[8..], index | EncryptedBit);
        var payload = buffer[8..length];
        _rtcp.Encrypt(nonce, payload, payload, buffer.Slice(length, TagLength), associated);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[(length + TagLength)..], index | EncryptedBit);
        return length + TagLength + 4;
    }

    public override bool UnprotectRtcp(Span<byte> packet, out int length, out uint index)
    {
        length = packet.Length - TagLength - 4;
        index = 0;
        if (length < 8)
        {
            return false;
        }

        var word = BinaryPrimitives.ReadUInt32BigEndian(packet[(length + TagLength)..]);
        index = word & ~EncryptedBit;
        if ((word & EncryptedBit) == 0)
        {
            return false; // authenticated-only SRTCP is not used with DTLS-SRTP
        }

        Span<byte> nonce = stackalloc byte[NonceLength];
        Span<byte> associated = stackalloc byte[12];
        RtcpNonce(packet, index, nonce);
        packet[..8].CopyTo(associated);
        BinaryPrimitives.WriteUInt32BigEndian(associated[8..], word);
        return TryDecrypt(_rtcp, nonce, packet[8..length], packet.Slice(length, TagLength), associated);
    }

    public override void Dispose()
    {
        _rtp.Dispose();
        _rtcp.Dispose();
    }

    private static bool TryDecrypt(
        AesGcm aes,
        ReadOnlySpan<byte> nonce,
        Span<byte> payload,
        ReadOnlySpan<byte> tag,
        ReadOnlySpan<byte> associated
    )
    {
        try
        {
            aes.Decrypt(nonce, payload, tag, payload, associated);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
    }

    // RFC 7714 section 8.1: 00 00 | SSRC | ROC | SEQ, xor salt.
    private void RtpNonce(ReadOnlySpan<byte> packet, uint rollover, Span<byte> nonce)
    {
        nonce[..2].Clear();
        packet.Slice(8, 4).CopyTo(nonce[2..]);
        BinaryPrimitives.WriteUInt32BigEndian(nonce[6..], rollover);
        packet.Slice(2, 2).CopyTo(nonce[10..]);
        Xor(nonce, keys.RtpSaltKey);
    }

    // RFC 7714 section 9.1: 00 00 | SSRC | 00 00 | index, xor salt.
    private void RtcpNonce(ReadOnlySpan<byte> packet, uint index, Span<byte> nonce)
    {
        nonce.Clear();
        packet.Slice(4, 4).CopyTo(nonce[2..]);
        BinaryPrimitives.WriteUInt32BigEndian(nonce[8..], index);
        Xor(nonce, keys.RtcpSaltKey);
    }

    private static void Xor(Span<byte> target, ReadOnlySpan<byte> with)
    {
        for (var i = 0; i < target.Length; i++)
        {
            target[i] ^= with[i];
        }
    }
}
