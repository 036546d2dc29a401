using System.Buffers.Binary;
using System.IO.Compression;

namespace Oriel.Screen.Png;

/// <summary>
/// Writes PNG (ISO/IEC 15948): 8-bit RGB or RGBA, one IDAT, each row with filter Sub or Up, whichever has the smaller absolute sum.
/// </summary>
public static class PngEncoder
{
    private static readonly uint[] CrcTable = CreateCrcTable();

    /// <summary>Encodes BGRX pixels; the fourth byte is ignored.</summary>
    public static byte[] EncodeBgrx(ReadOnlySpan<byte> pixels, int width, int height, CompressionLevel level = CompressionLevel.Fastest) =>
        Encode(pixels, width, height, alpha: false, level);

    /// <summary>Encodes BGRA pixels, not premultiplied.</summary>
    public static byte[] EncodeBgra(ReadOnlySpan<byte> pixels, int width, int height, CompressionLevel level = CompressionLevel.Fastest) =>
        Encode(pixels, width, height, alpha: true, level);

    private static byte[] Encode(ReadOnlySpan<byte> pixels, int width, int height, bool alpha, CompressionLevel level)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan((long)pixels.Length, (long)width * height * 4, nameof(pixels));
        var output = new MemoryStream(Math.Max(1024, width * height / 4));
        output.Write([0x89, (byte)'P', (byte)'N', (byte)'G', 13, 10, 26, 10]);
        Span<byte> header = stackalloc byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header[4..], height);
        header[8] = 8;
        header[9] = (byte)(alpha ? 6 : 2);
        WriteChunk(output, "IHDR"u8, header);
        var data = new MemoryStream(width * height / 4 + 64);
        using (var deflate = new ZLibStream(data, level, leaveOpen: true))
        {
            WriteRows(deflate, pixels, width, height, alpha ? 4 : 3);
        }

        WriteChunk(output, "IDAT"u8, data.GetBuffer().AsSpan(0, (int)data.Length));
        WriteChunk(output, "IEND"u8, []);
        return output.ToArray();
    }

    private static void WriteRows(Stream output, ReadOnlySpan<byte> pixels, int width, int height, int channels)
    {
        var length = width * channels;
        var current = new byte[length];
        var previous = new byte[length];
        var sub = new byte[length + 1];
        var up = new byte[length + 1];
        sub[0] = 1;
        up[0] = 2;
        for (var y = 0; y < height; y++)
        {
            ReadRow(pixels.Slice(y * width * 4, width * 4), current, channels);
            int sumSub = 0,
                sumUp = 0;
            for (var i = 0; i < length; i++)
            {
                var left = i >= channels ? current[i - channels] : 0;
                sub[i + 1] = (byte)(current[i] - left);
                up[i + 1] = (byte)(current[i] - previous[i]);
                sumSub += Math.Abs((int)(sbyte)sub[i + 1]);
                sumUp += Math.Abs((int)(sbyte)up[i + 1]);
            }

            output.Write(sumUp <= sumSub ? up : sub);
            (current, previous) = (previous, current);
        }
    }

    private static void ReadRow(ReadOnlySpan<byte> bgra, Span<byte> row, int channels)
    {
        for (int from = 0, to = 0; from < bgra.Length; from += 4, to += channels)
        {
            row[to] = bgra[from + 2];
            row[to + 1] = bgra[from + 1];
            row[to + 2] = bgra[from];
            if (channels == 4)
            {
                row[to + 3] = bgra[from + 3];
            }
        }
    }

    private static void WriteChunk(Stream output, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        output.Write(number);
        output.Write(type);
        output.Write(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, ~UpdateCrc(UpdateCrc(uint.MaxValue, type), data));
        output.Write(number);
    }

    private static uint UpdateCrc(uint crc, ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
        {
            crc = CrcTable[(byte)(crc ^ value)] ^ (crc >> 8);
        }

        return crc;
    }

    private static uint[] CreateCrcTable()
    {
        var table = new uint[256];
        for (uint i = 0; i < 256; i++)
        {
            var value = i;
            for (var bit = 0; bit < 8; bit++)
            {
                value = (value & 1) != 0 ? 0xEDB88320 ^ (value >> 1) : value >> 1;
            }

            table[i] = value;
        }

        return table;
    }
}
