using System.Buffers.Binary;

namespace Oriel.WebRtc.Tests.Fuzz;

/// <summary>Makes inputs from seeds: one to eight changes each. The same start gives the same row of inputs.</summary>
internal sealed class Mutator(IReadOnlyList<byte[]> seeds, int maxLength, int start)
{
    private static readonly byte[] EdgeBytes = [0, 1, 0x7F, 0x80, 0xFE, 0xFF, 4, 8, 16, 32, 64];
    private static readonly uint[] EdgeWords = [0, 1, 0x7F, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF];

    private readonly Random _random = new(start);

    public byte[] Next()
    {
        var input = new List<byte>(Any(seeds));
        for (var changes = _random.Next(1, 9); changes > 0; changes--)
        {
            Change(input);
        }

        if (input.Count > maxLength)
        {
            input.RemoveRange(maxLength, input.Count - maxLength);
        }

        return [.. input];
    }

    private void Change(List<byte> input)
    {
        var at = input.Count == 0 ? 0 : _random.Next(input.Count);
        switch (_random.Next(input.Count == 0 ? 2 : 10))
        {
            case 0:
                input.InsertRange(at, Bytes(_random.Next(1, 9)));
                break;
            case 1:
                var donor = Any(seeds);
                var from = _random.Next(donor.Length + 1);
                input.InsertRange(at, donor.AsSpan(from, _random.Next(donor.Length - from + 1)).ToArray());
                break;
            case 2:
                input[at] ^= (byte)(1 << _random.Next(8));
                break;
            case 3:
                input[at] = Any(EdgeBytes);
                break;
            case 4:
                input[at] = (byte)_random.Next(256);
                break;
            case 5:
                input.RemoveRange(at, _random.Next(1, Math.Min(input.Count - at, 16) + 1));
                break;
            case 6:
                input.RemoveRange(at, input.Count - at);
                break;
            case 7:
                input.InsertRange(at, input.GetRange(at, Math.Min(input.Count - at, _random.Next(1, 64))));
                break;
            case 8:
                WriteWord(input, at, 2);
                break;
            default:
                WriteWord(input, at, 4);
                break;
        }
    }

    private void WriteWord(List<byte> input, int at, int width)
    {
        Span<byte> word = stackalloc byte[4];
        var value = Any(EdgeWords);
        BinaryPrimitives.WriteUInt32BigEndian(word, width == 2 ? value << 16 : value);
        for (var i = 0; i < width && at + i < input.Count; i++)
        {
            input[at + i] = word[i];
        }
    }

    private byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        _random.NextBytes(bytes);
        return bytes;
    }

    private T Any<T>(IReadOnlyList<T> items) => items[_random.Next(items.Count)];
}
