using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Oriel.WebRtc.Ice;

/// <summary>A STUN message parsed in place (RFC 5389 section 6): its fields point into the caller's bytes.</summary>
internal readonly ref struct StunMessage
{
    public const int HeaderLength = 20;
    public const uint MagicCookie = 0x2112A442;
    public const ushort BindingRequest = 0x0001;
    public const ushort BindingIndication = 0x0011;
    public const ushort BindingSuccess = 0x0101;
    public const ushort BindingError = 0x0111;

    private const uint FingerprintXor = 0x5354554E;
    private const int MaxAttributes = 32;
    private const int IntegrityLength = 20;

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly int _integrityAt;

    private StunMessage(ReadOnlySpan<byte> bytes, ushort type, scoped in Attributes found)
    {
        _bytes = bytes;
        Type = type;
        _integrityAt = found.IntegrityAt;
        Username = found.UsernameLength < 0 ? default : bytes.Slice(found.UsernameAt, found.UsernameLength);
        Priority = found.Priority;
        UseCandidate = found.UseCandidate;
        IsControlled = found.IsControlled;
        IsControlling = found.IsControlling;
        HasFingerprint = found.HasFingerprint;
        UnknownRequired = found.UnknownRequired;
    }

    public ushort Type { get; }
    public ReadOnlySpan<byte> TransactionId => _bytes.Slice(8, 12);
    public ReadOnlySpan<byte> Username { get; }
    public uint Priority { get; }
    public bool UseCandidate { get; }
    public bool IsControlled { get; }
    public bool IsControlling { get; }
    public bool HasFingerprint { get; }
    public bool HasIntegrity => _integrityAt >= 0;

    /// <summary>The first unknown comprehension-required attribute; 0 when there is none.</summary>
    public ushort UnknownRequired { get; }

    /// <summary>Checks shape, length, cookie, bounds of every attribute and, when present, the fingerprint's value.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out StunMessage message)
    {
        message = default;
        if (bytes.Length < HeaderLength || (bytes[0] & 0xC0) != 0 || bytes.Length > ushort.MaxValue)
        {
            return false;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        if ((length & 3) != 0 || length + HeaderLength != bytes.Length || BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]) != MagicCookie)
        {
            return false;
        }

        if (!TryReadAttributes(bytes, out var found))
        {
            return false;
        }

        message = new StunMessage(bytes, BinaryPrimitives.ReadUInt16BigEndian(bytes), found);
        return true;
    }

    /// <summary>True when MESSAGE-INTEGRITY is present and was made with this key (short-term credentials: the password's bytes).</summary>
    public bool VerifyIntegrity(ReadOnlySpan<byte> key)
    {
        if (_integrityAt < 0)
        {
            return false;
        }

        Span<byte> expected = stackalloc byte[IntegrityLength];
        // The length field must count up to the end of MESSAGE-INTEGRITY (RFC 5389 section 15.4).
        byte[]? rented = _integrityAt <= 512 ? null : System.Buffers.ArrayPool<byte>.Shared.Rent(_integrityAt);
        Span<byte> copy = (rented ?? stackalloc byte[512])[.._integrityAt];
        _bytes[.._integrityAt].CopyTo(copy);
        BinaryPrimitives.WriteUInt16BigEndian(copy[2..], (ushort)(_integrityAt + 4 + IntegrityLength - HeaderLength));
        HMACSHA1.HashData(key, copy, expected);
        if (rented is not null)
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(rented);
        }

        return CryptographicOperations.FixedTimeEquals(expected, _bytes.Slice(_integrityAt + 4, IntegrityLength));
    }

    internal static uint Fingerprint(ReadOnlySpan<byte> upToAttribute) => Crc32(upToAttribute) ^ FingerprintXor;

    private static bool TryReadAttributes(ReadOnlySpan<byte> bytes, out Attributes found)
    {
        found = new Attributes { IntegrityAt = -1, UsernameLength = -1 };
        var at = HeaderLength;
        for (var count = 0; at < bytes.Length; count++)
        {
            if (count == MaxAttributes || bytes.Length - at < 4 || found.HasFingerprint)
            {
                return false; // FINGERPRINT must come last
            }

            var type = (StunAttribute)BinaryPrimitives.ReadUInt16BigEndian(bytes[at..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(bytes[(at + 2)..]);
            var padded = (length + 3) & ~3;
            if (padded > bytes.Length - at - 4 || !Read(bytes, at, type, length, ref found))
            {
                return false;
            }

            at += 4 + padded;
        }

        return true;
    }

    private static bool Read(ReadOnlySpan<byte> bytes, int at, StunAttribute type, int length, ref Attributes found)
    {
        var value = bytes.Slice(at + 4, length);
        if (found.IntegrityAt >= 0 && type != StunAttribute.Fingerprint)
        {
            return true; // whatever follows MESSAGE-INTEGRITY is ignored (RFC 5389 section 15.4)
        }

        switch (type)
        {
            case StunAttribute.Username:
                (found.UsernameAt, found.UsernameLength) = (at + 4, length);
                return length <= 513;
            case StunAttribute.MessageIntegrity:
                found.IntegrityAt = at;
                return length == IntegrityLength;
            case StunAttribute.Fingerprint:
                found.HasFingerprint = true;
                return length == 4 && BinaryPrimitives.ReadUInt32BigEndian(value) == Fingerprint(bytes[..at]);
            case StunAttribute.Priority:
                found.Priority = length == 4 ? BinaryPrimitives.ReadUInt32BigEndian(value) : 0;
                return length == 4;
            case StunAttribute.UseCandidate:
                found.UseCandidate = true;
                return length == 0;
            case StunAttribute.IceControlled:
                found.IsControlled = true;
                return length == 8;
            case StunAttribute.IceControlling:
                found.IsControlling = true;
                return length == 8;
            case StunAttribute.MappedAddress
            or StunAttribute.XorMappedAddress
            or StunAttribute.ErrorCode
            or StunAttribute.UnknownAttributes
            or StunAttribute.Realm
            or StunAttribute.Nonce:
                return true;
            default:
                if ((ushort)type < 0x8000 && found.UnknownRequired == 0)
                {
                    found.UnknownRequired = (ushort)type;
                }

                return true;
        }
    }

    private static readonly uint[] CrcTable = MakeCrcTable();

    private static uint[] MakeCrcTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            var value = i;
            for (var bit = 0; bit < 8; bit++)
            {
                value = (value & 1) != 0 ? (value >> 1) ^ 0xEDB88320 : value >> 1;
            }

            table[i] = value;
        }

        return table;
    }

    private static uint Crc32(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var b in bytes)
        {
            crc = CrcTable[(byte)(crc ^ b)] ^ (crc >> 8);
        }

        return ~crc;
    }

    private struct Attributes
    {
        public int IntegrityAt;
        public int UsernameAt;
        public int UsernameLength;
        public uint Priority;
        public bool UseCandidate;
        public bool IsControlled;
        public bool IsControlling;
        public bool HasFingerprint;
        public ushort UnknownRequired;
    }
}

/// <summary>Attribute types (RFC 5389 section 18.2, RFC 8445 section 16.1).</summary>
internal enum StunAttribute : ushort
{
    MappedAddress = 0x0001,
    Username = 0x0006,
    MessageIntegrity = 0x0008,
    ErrorCode = 0x0009,
    UnknownAttributes = 0x000A,
    Realm = 0x0014,
    Nonce = 0x0015,
    XorMappedAddress = 0x0020,
    Priority = 0x0024,
    UseCandidate = 0x0025,
    Software = 0x8022,
    Fingerprint = 0x8028,
    IceControlled = 0x8029,
    IceControlling = 0x802A,
}
