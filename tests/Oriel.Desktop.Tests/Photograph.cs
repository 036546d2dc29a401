using System.Buffers.Binary;

namespace Oriel.Desktop.Tests;

/// <summary>A picture as cameras make them: every colour, smooth parts, edges and grain.</summary>
internal static class Photograph
{
    /// <summary>Tells the site once it is drawn.</summary>
    public const string Page = """
        <!doctype html><title>Photograph</title>
        <style>html,body{margin:0;height:100%;overflow:hidden} img{width:100%;height:100%}</style>
        <img src="/photograph.bmp" onload="requestAnimationFrame(() => requestAnimationFrame(() => fetch('/told?kind=photograph', { method: 'POST' })))">
        """;

    private const int Width = 960;
    private const int Height = 540;

    /// <summary>A bitmap of 24 bits without compression.</summary>
    public static byte[] Bitmap()
    {
        const int HeaderBytes = 54;
        var file = new byte[HeaderBytes + (3 * Width * Height)];
        file[0] = (byte)'B';
        file[1] = (byte)'M';
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(2), file.Length);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(10), HeaderBytes);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(14), 40);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(18), Width);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(22), Height);
        file[26] = 1;
        file[28] = 24;
        var grain = new Random(1);
        for (var y = 0; y < Height; y++)
        {
            for (var x = 0; x < Width; x++)
            {
                var light = 0.5 + (0.5 * Math.Sin(x / 97.0) * Math.Cos(y / 61.0));
                var hue = (x / (double)Width * 6) + (Math.Sin(y / 40.0) / 2);
                // A few things with edges stand before it.
                if (Math.Sqrt(Math.Pow(x - 300, 2) + Math.Pow(y - 200, 2)) < 90 || (x > 620 && x < 780 && y > 260 && y < 430))
                {
                    (light, hue) = (0.85 - (light / 3), hue + 3);
                }

                var noise = grain.Next(-6, 7);
                for (var channel = 0; channel < 3; channel++)
                {
                    var colour = Math.Clamp(Math.Abs(((hue + (2 * channel)) % 6) - 3) - 1, 0, 1);
                    file[HeaderBytes + (3 * ((y * Width) + x)) + channel] = (byte)
                        Math.Clamp((255 * light * ((0.3 * light) + (0.7 * colour))) + noise, 0, 255);
                }
            }
        }

        return file;
    }
}
