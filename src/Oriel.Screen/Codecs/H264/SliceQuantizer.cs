namespace Oriel.Screen.Codecs.H264;

/// <summary>
/// Reads the quantizer of a frame from its slice header (ITU-T H.264, 7.3.2.1, 7.3.2.2, 7.3.3), for baseline streams without slice groups.
/// Remembers what it needs from the last SPS and PPS.
/// </summary>
internal sealed class SliceQuantizer
{
    private const int NalSlice = 1,
        NalIdr = 5,
        NalSps = 7,
        NalPps = 8,
        HeaderBytes = 64,
        MaxQuantizer = 51;
    private readonly byte[] _payload = new byte[HeaderBytes];
    private int _frameNumberBits = 4,
        _orderBits,
        _initialQuantizer = 26;

    /// <summary>The first slice's quantizer, 0 to 51; 0 if the access unit has no readable slice.</summary>
    internal int Read(ReadOnlySpan<byte> accessUnit)
    {
        while (accessUnit.IndexOf((ReadOnlySpan<byte>)[0, 0, 1]) is var start and >= 0)
        {
            accessUnit = accessUnit[(start + 3)..];
            if (accessUnit.IsEmpty)
            {
                break;
            }

            var header = accessUnit[0];
            var bits = new BitReader(Unescape(accessUnit[1..], _payload));
            switch (header & 31)
            {
                case NalSps:
                    ReadSequence(ref bits);
                    break;
                case NalPps:
                    ReadPicture(ref bits);
                    break;
                case NalSlice or NalIdr:
                    return ReadSlice(ref bits, (header & 31) == NalIdr, (header >> 5 & 3) != 0);
            }
        }

        return 0;
    }

    private void ReadSequence(ref BitReader bits)
    {
        bits.Skip(24);
        bits.Unsigned();
        _frameNumberBits = 4 + Math.Min(12, bits.Unsigned());
        // Picture order count type 0 has a number in each slice; type 2, the usual one without B frames, has none.
        _orderBits = bits.Unsigned() == 0 ? 4 + Math.Min(12, bits.Unsigned()) : 0;
    }

    private void ReadPicture(ref BitReader bits)
    {
        bits.Unsigned();
        bits.Unsigned();
        bits.Skip(2);
        bits.Unsigned();
        bits.Unsigned();
        bits.Unsigned();
        bits.Skip(3);
        _initialQuantizer = 26 + bits.Signed();
    }

    private int ReadSlice(ref BitReader bits, bool idr, bool reference)
    {
        bits.Unsigned();
        var type = bits.Unsigned() % 5;
        bits.Unsigned();
        bits.Skip(_frameNumberBits);
        if (idr)
        {
            bits.Unsigned();
        }

        bits.Skip(_orderBits);
        if (type == 0)
        {
            if (bits.Bit() == 1)
            {
                bits.Unsigned();
            }

            SkipListChanges(ref bits, endsWith: 3, always: true);
        }

        if (reference)
        {
            if (idr)
            {
                bits.Skip(2);
            }
            else
            {
                SkipListChanges(ref bits, endsWith: 0, always: false);
            }
        }

        return Math.Clamp(_initialQuantizer + bits.Signed(), 0, MaxQuantizer);
    }

    // ref_pic_list_modification: one number after every operation. dec_ref_pic_marking: two after operation 3, none after 5, one after the
    // others.
    private static void SkipListChanges(ref BitReader bits, int endsWith, bool always)
    {
        if (bits.Bit() == 0)
        {
            return;
        }

        while (!bits.AtEnd && bits.Unsigned() is var operation && operation != endsWith)
        {
            if (always || operation != 5)
            {
                bits.Unsigned();
            }

            if (!always && operation == 3)
            {
                bits.Unsigned();
            }
        }
    }

    private static ReadOnlySpan<byte> Unescape(ReadOnlySpan<byte> nal, Span<byte> output)
    {
        int length = 0,
            zeros = 0;
        for (var i = 0; i < nal.Length && length < output.Length; i++)
        {
            if (zeros >= 2 && nal[i] == 3)
            {
                zeros = 0;
                continue;
            }

            zeros = nal[i] == 0 ? zeros + 1 : 0;
            output[length++] = nal[i];
        }

        return output[..length];
    }

    private ref struct BitReader(ReadOnlySpan<byte> bytes)
    {
        private readonly ReadOnlySpan<byte> _bytes = bytes;
        private int _at;

        internal readonly bool AtEnd => _at >= _bytes.Length * 8;

        internal int Bit()
        {
            var bit = AtEnd ? 0 : _bytes[_at >> 3] >> (7 - (_at & 7)) & 1;
            _at++;
            return bit;
        }

        internal void Skip(int bits) => _at += bits;

        internal int Unsigned()
        {
            var zeros = 0;
            while (!AtEnd && zeros < 31 && Bit() == 0)
            {
                zeros++;
            }

            var value = 0;
            for (var i = 0; i < zeros; i++)
            {
                value = value << 1 | Bit();
            }

            return (int)Math.Min(int.MaxValue, (1L << zeros) - 1 + value);
        }

        internal int Signed()
        {
            var value = Unsigned();
            return (value & 1) != 0 ? (value >> 1) + 1 : -(value >> 1);
        }
    }
}
