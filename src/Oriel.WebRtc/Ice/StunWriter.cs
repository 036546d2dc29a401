using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Oriel.WebRtc.Ice;

/// <summary>Writes one STUN message into the caller's buffer.</summary>
internal ref struct StunWriter
{
    private readonly Span<byte> _buffer;

    public StunWriter(Span<byte> buffer, ushort type, scoped ReadOnlySpan<byte> transactionId)
    {
        _buffer = buffer;
        BinaryPrimitives.WriteUInt16BigEndian(buffer, type);
        BinaryPrimitives.WriteUInt32BigEndian(buffer[4..], StunMessage.MagicCookie);
        transactionId.CopyTo(buffer[8..]);
        Length = StunMessage.HeaderLength;
    }

    public int Length { get; private set; }

    public void Add(StunAttribute type, scoped ReadOnlySpan<byte> value)
    {
        var padded = (value.Length + 3) & ~3;
        var target = Append(type, value.Length, padded);
        value.CopyTo(target);
        target[value.Length..].Clear();
    }

    public void AddUInt32(StunAttribute type, uint value) => BinaryPrimitives.WriteUInt32BigEndian(Append(type, 4, 4), value);

    public void AddUInt64(StunAttribute type, ulong value) => BinaryPrimitives.WriteUInt64BigEndian(Append(type, 8, 8), value);

    public void AddError(int code, scoped ReadOnlySpan<byte> reason)
    {
        Span<byte> value = stackalloc byte[4 + reason.Length];
        value.Clear();
        value[2] = (byte)(code / 100);
        value[3] = (byte)(code % 100);
        reason.CopyTo(value[4..]);
        Add(StunAttribute.ErrorCode, value);
    }

    /// <summary>RFC 5389 section 15.2; an IPv4-mapped IPv6 address is written as IPv4, which is what the peer sent from.</summary>
    public void AddXorMappedAddress(IPEndPoint endPoint)
    {
        var address = endPoint.Address.IsIPv4MappedToIPv6 ? endPoint.Address.MapToIPv4() : endPoint.Address;
        Span<byte> value = stackalloc byte[20];
        value.Clear();
        value[1] = (byte)(address.AddressFamily == AddressFamily.InterNetwork ? 1 : 2);
        BinaryPrimitives.WriteUInt16BigEndian(value[2..], (ushort)(endPoint.Port ^ (int)(StunMessage.MagicCookie >> 16)));
        address.TryWriteBytes(value[4..], out var written);
        for (var i = 0; i < written; i++)
        {
            value[4 + i] ^= _buffer[4 + i]; // cookie, then transaction id
        }

        Add(StunAttribute.XorMappedAddress, value[..(4 + written)]);
    }

    public void AddIntegrity(scoped ReadOnlySpan<byte> key)
    {
        var at = Length;
        var target = Append(StunAttribute.MessageIntegrity, 20, 20);
        HMACSHA1.HashData(key, _buffer[..at], target);
    }

    public void AddFingerprint()
    {
        var at = Length;
        var target = Append(StunAttribute.Fingerprint, 4, 4);
        BinaryPrimitives.WriteUInt32BigEndian(target, StunMessage.Fingerprint(_buffer[..at]));
    }

    private Span<byte> Append(StunAttribute type, int length, int padded)
    {
        BinaryPrimitives.WriteUInt16BigEndian(_buffer[Length..], (ushort)type);
        BinaryPrimitives.WriteUInt16BigEndian(_buffer[(Length + 2)..], (ushort)length);
        var target = _buffer.Slice(Length + 4, padded);
        Length += 4 + padded;
        BinaryPrimitives.WriteUInt16BigEndian(_buffer[2..], (ushort)(Length - StunMessage.HeaderLength));
        return target;
    }
}
