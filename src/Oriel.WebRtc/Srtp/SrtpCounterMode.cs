using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Oriel.WebRtc.Srtp;

/// <summary>AES_CM_128_HMAC_SHA1_80 (RFC 3711 sections 4.1.1 and 4.2).</summary>
internal sealed class SrtpCounterMode : SrtpCipher
{
    private const int TagLength = 10;
    private const int MaxPayload = 2048;
    private const uint EncryptedBit = 0x8000_0000;

    private readonly SrtpKeys _keys;
    private readonly ICryptoTransform _rtp;
    private readonly ICryptoTransform _rtcp;
    private readonly IncrementalHash _rtpAuth;
    private readonly IncrementalHash _rtcpAuth;
    private readonly byte[] _counters = new byte[MaxPayload];
    private readonly byte[] _stream = new byte[MaxPayload];

    public SrtpCounterMode(SrtpKeys keys)
    {
        _keys = keys;
        _rtp = Block(keys.RtpKey);
        _rtcp = Block(keys.RtcpKey);
        _rtpAuth = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA1, keys.RtpAuthKey);
        _rtcpAuth = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA1, keys.RtcpAuthKey);
    }

    public override int ProtectRtp(Span<byte> buffer, int headerLength, int length, uint rollover)
    {
        var index = ((ulong)rollover << 16) | BinaryPrimitives.ReadUInt16BigEndian(buffer[2..]);
        Crypt(_rtp, _keys.RtpSaltKey, buffer.Slice(8, 4), index, buffer[headerLength..length]);
        Span<byte> mac = stackalloc byte[20];
        RtpMac(buffer[..length], rollover, mac);
        mac[..TagLength].CopyTo(buffer[length..]);
        return length + TagLength;
    }

    public override bool UnprotectRtp(Span<byte> packet, int headerLength, uint rollover, out int length)
    {
        length = packet.Length - TagLength;
        if (length < headerLength || length - headerLength > MaxPayload)
        {
            return false;
        }

        Span<byte> mac = stackalloc byte[20];
        RtpMac(packet[..length], rollover, mac);
        if (!CryptographicOperations.FixedTimeEquals(mac[..TagLength], packet[length..]))
        {
            return false;
        }

        var index = ((ulong)rollover << 16) | BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        Crypt(_rtp, _keys.RtpSaltKey, packet.Slice(8, 4), index, packet[headerLength..length]);
        return true;
    }

    public override int ProtectRtcp(Span<byte> buffer, int length, uint index)
    {
        Crypt(_rtcp, _keys.RtcpSaltKey, buffer.Slice(4, 4), index, buffer[8..length]);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[length..], index | EncryptedBit);
        Span<byte> mac = stackalloc byte[20];
        _rtcpAuth.AppendData(buffer[..(length + 4)]);
        _rtcpAuth.GetHashAndReset(mac);
        mac[..TagLength].CopyTo(buffer[(length + 4)..]);
        return length + 4 + TagLength;
    }

    public override bool UnprotectRtcp(Span<byte> packet, out int length, out uint index)
    {
        length = packet.Length - TagLength - 4;
        index = 0;
        if (length < 8 || length > MaxPayload)
        {
            return false;
        }

        Span<byte> mac = stackalloc byte[20];
        _rtcpAuth.AppendData(packet[..(length + 4)]);
        _rtcpAuth.GetHashAndReset(mac);
        var word = BinaryPrimitives.ReadUInt32BigEndian(packet[length..]);
        index = word & ~EncryptedBit;
        if (!CryptographicOperations.FixedTimeEquals(mac[..TagLength], packet[(length + 4)..]) || (word & EncryptedBit) == 0)
        {
            return false;
        }

        Crypt(_rtcp, _keys.RtcpSaltKey, packet.Slice(4, 4), index, packet[8..length]);
        return true;
    }

    public override void Dispose()
    {
        _rtp.Dispose();
        _rtcp.Dispose();
        _rtpAuth.Dispose();
        _rtcpAuth.Dispose();
    }

    private static ICryptoTransform Block(byte[] key)
    {
        using var aes = Aes.Create();
        aes.Mode = CipherMode.ECB;
        aes.Padding = PaddingMode.None;
        return aes.CreateEncryptor(key, null);
    }

    private void RtpMac(ReadOnlySpan<byte> packet, uint rollover, Span<byte> mac)
    {
        Span<byte> roc = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(roc, rollover);
        _rtpAuth.AppendData(packet);
        _rtpAuth.AppendData(roc);
        _rtpAuth.GetHashAndReset(mac);
    }

    // IV = (salt * 2^16) xor (SSRC * 2^64) xor (index * 2^16); the last 16 bits count blocks.
    private void Crypt(ICryptoTransform block, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> ssrc, ulong index, Span<byte> data)
    {
        Span<byte> iv = stackalloc byte[16];
        iv.Clear();
        salt.CopyTo(iv);
        for (var i = 0; i < 4; i++)
        {
            iv[4 + i] ^= ssrc[i];
        }

        for (var i = 0; i < 6; i++)
        {
            iv[8 + i] ^= (byte)(index >> (40 - (8 * i)));
        }

        var blocks = (data.Length + 15) / 16;
        for (var i = 0; i < blocks; i++)
        {
            var counter = _counters.AsSpan(i * 16, 16);
            iv.CopyTo(counter);
            BinaryPrimitives.WriteUInt16BigEndian(counter[14..], (ushort)i);
        }

        if (blocks > 0)
        {
            block.TransformBlock(_counters, 0, blocks * 16, _stream, 0);
        }

        var words = MemoryMarshal.Cast<byte, ulong>(data);
        var stream = MemoryMarshal.Cast<byte, ulong>(_stream);
        for (var i = 0; i < words.Length; i++)
        {
            words[i] ^= stream[i];
        }

        for (var i = words.Length * sizeof(ulong); i < data.Length; i++)
        {
            data[i] ^= _stream[i];
        }
    }
}
