using System.Buffers.Binary;
using System.Text;

namespace Oriel.Tests.Fuzzing;

/// <summary>What the seeds of a parser are, which says how they are changed.</summary>
internal enum FuzzForm
{
    /// <summary>Bits, bytes, words and slices.</summary>
    Bytes,

    /// <summary>
    /// The same, and what means something in texts: signs of several grammars, numbers at the edge, lone surrogates, long runs.
    /// </summary>
    Text,

    /// <summary>Half as text, half by the tree.</summary>
    Json,
}

/// <summary>Makes inputs from seeds: one to eight changes each. The same start gives the same row of inputs.</summary>
internal sealed class Mutator(IReadOnlyList<byte[]> seeds, FuzzForm form, int start)
{
    private const int MaxBytes = 4096;
    private const int MaxText = 256 * 1024;
    private const int LongRun = 70_000;

    private static readonly string[] Tokens =
    [
        "\r\n",
        "\r\n\r\n",
        "\n",
        "\r",
        "\t",
        " ",
        ":",
        ";",
        ",",
        "=",
        "/",
        "//",
        "../",
        "..",
        "\0",
        "%",
        "%00",
        "%2e%2e",
        "?",
        "#",
        "@",
        "&",
        "+",
        "-",
        "*",
        "[",
        "]",
        "{",
        "}",
        "(",
        ")",
        "\"",
        "'",
        "\\",
        "\\ud800",
        "\\udc00",
        "\\u0000",
        "null",
        "true",
        "-1",
        "0",
        "1e999",
        "-1e999",
        "2147483648",
        "4294967296",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "99999999999999999999999999",
        "0x",
        "FFFFFFFFFFFFFFFF",
        "7FFFFFFFFFFFFFFF",
        "HTTP/1.1",
        "HTTP/9.9",
        "chunked",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "\u00ff\u00fe",
        "\u00c0\u0080",
    ];

    private static readonly byte[] EdgeBytes = [0, 1, 0x7F, 0x80, 0xFE, 0xFF, 4, 8, 16, 32, 64];
    private static readonly uint[] EdgeWords =
    [
        0,
        1,
        0x7F,
        0xFF,
        0x100,
        0x7FFF,
        0x8000,
        0xFFFF,
        0x10000,
        0x7FFFFFFF,
        0x80000000,
        0xFFFFFFFF,
    ];

    private readonly Random _random = new(start);
    private readonly JsonMutator _json = new(new Random(start), MaxText);
    private readonly int _maxLength = form == FuzzForm.Bytes ? MaxBytes : MaxText;

    public byte[] Next()
    {
        if (form == FuzzForm.Json && _random.Next(2) == 0 && _json.Mutate(Any(seeds), Any(seeds)) is { } json && json.Length <= _maxLength)
        {
            return json;
        }

        var input = new List<byte>(Any(seeds));
        for (var changes = _random.Next(1, 9); changes > 0; changes--)
        {
            if (form != FuzzForm.Bytes && _random.Next(2) == 0)
            {
                ChangeText(input);
            }
            else
            {
                Change(input);
            }
        }

        if (input.Count > _maxLength)
        {
            input.RemoveRange(_maxLength, input.Count - _maxLength);
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

    private void ChangeText(List<byte> input)
    {
        var at = _random.Next(input.Count + 1);
        switch (_random.Next(24))
        {
            case 0 when input.Count > 0:
                input.InsertRange(at, Enumerable.Repeat(input[Math.Min(at, input.Count - 1)], _random.Next(1, LongRun)));
                break;
            case < 4 when input.Count > at:
                var slice = input.GetRange(at, Math.Min(input.Count - at, _random.Next(1, 40)));
                input.InsertRange(at, Enumerable.Repeat(slice, _random.Next(1, 300)).SelectMany(bytes => bytes));
                break;
            case < 10 when input.Count > at:
                input.RemoveRange(at, _random.Next(1, Math.Min(input.Count - at, 8) + 1));
                input.InsertRange(at, Encoding.Latin1.GetBytes(Any(Tokens)));
                break;
            default:
                input.InsertRange(at, Encoding.Latin1.GetBytes(Any(Tokens)));
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
