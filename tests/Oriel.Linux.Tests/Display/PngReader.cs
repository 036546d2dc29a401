using System.Buffers.Binary;
using System.IO.Compression;

namespace Oriel.Linux.Tests.Display;

/// <summary>Reads 8-bit RGB PNG (ISO/IEC 15948), all filters, as an independent second reading of what the encoder writes.</summary>
internal static class PngReader
{
    internal static uint[] ReadRgb(byte[] png)
    {
        var width = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(16));
        var height = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(20));
        Assert.Equal([8, 2, 0, 0, 0], png[24..29]);
        var data = new MemoryStream();
        for (var at = 8; at < png.Length; )
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at));
            if (png.AsSpan(at + 4, 4).SequenceEqual("IDAT"u8))
            {
                data.Write(png, at + 8, length);
            }

            at += length + 12;
        }

        data.Position = 0;
        using var inflate = new ZLibStream(data, CompressionMode.Decompress);
        var pixels = new uint[width * height];
        var previous = new byte[width * 3];
        for (var y = 0; y < height; y++)
        {
            var filter = inflate.ReadByte();
            var row = new byte[width * 3];
            inflate.ReadExactly(row);
            Unfilter(filter, row, previous);
            for (var x = 0; x < width; x++)
            {
                pixels[y * width + x] = (uint)(row[x * 3] << 16 | row[x * 3 + 1] << 8 | row[x * 3 + 2]);
            }

            previous = row;
        }

        return pixels;
    }

    private static void Unfilter(int filter, byte[] row, byte[] previous)
    {
        for (var i = 0; i < row.Length; i++)
        {
            int left = i >= 3 ? row[i - 3] : 0,
                up = previous[i],
                corner = i >= 3 ? previous[i - 3] : 0;
            row[i] += filter switch
            {
                0 => 0,
                1 => (byte)left,
                2 => (byte)up,
                3 => (byte)((left + up) / 2),
                4 => (byte)Paeth(left, up, corner),
                _ => throw new InvalidDataException($"filter {filter}"),
            };
        }
    }

    private static int Paeth(int left, int up, int corner)
    {
        var estimate = left + up - corner;
        var (a, b, c) = (Math.Abs(estimate - left), Math.Abs(estimate - up), Math.Abs(estimate - corner));
        return a <= b && a <= c ? left
            : b <= c ? up
            : corner;
    }
}
