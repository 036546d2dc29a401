using System.Buffers.Binary;
using System.Text;

namespace Oriel.Screen.X11.Raw;

/// <summary>Reads and writes Xauthority files (Xau(3): family, address, number, name, data; each length 16 bits big-endian).</summary>
public static class XAuthority
{
    private const int MaxFileLength = 64 * 1024;
    private const string CookieName = "MIT-MAGIC-COOKIE-1";
    private const ushort FamilyWild = 65535;

    /// <summary>
    /// The cookie for <paramref name="display"/> (<c>:N</c>), else the first one in the file; null if there is no cookie or no file.
    /// </summary>
    public static byte[]? ReadCookie(string path, string display)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        using var file = File.OpenRead(path);
        var bytes = new byte[Math.Min(MaxFileLength, file.Length)];
        file.ReadExactly(bytes);
        return ParseCookie(bytes, DisplayNumber(display));
    }

    /// <summary>An entry for any host with this cookie, as a session writes it for its own server.</summary>
    /// <param name="display"><c>:N</c>; empty = any number.</param>
    public static byte[] FormatCookie(string display, ReadOnlySpan<byte> cookie)
    {
        var output = new MemoryStream();
        Span<byte> number = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(number, FamilyWild);
        output.Write(number);
        WriteCounted(output, []);
        WriteCounted(output, Encoding.ASCII.GetBytes(DisplayNumber(display)));
        WriteCounted(output, Encoding.ASCII.GetBytes(CookieName));
        WriteCounted(output, cookie);
        return output.ToArray();
    }

    internal static byte[]? ParseCookie(ReadOnlySpan<byte> bytes, string number)
    {
        byte[]? first = null;
        while (bytes.Length >= 2)
        {
            bytes = bytes[2..];
            if (
                !TryReadCounted(ref bytes, out _)
                || !TryReadCounted(ref bytes, out var entryNumber)
                || !TryReadCounted(ref bytes, out var name)
                || !TryReadCounted(ref bytes, out var data)
            )
            {
                break;
            }

            if (!name.SequenceEqual("MIT-MAGIC-COOKIE-1"u8))
            {
                continue;
            }

            if (entryNumber.Length == 0 || Encoding.ASCII.GetString(entryNumber) == number)
            {
                return data.ToArray();
            }

            first ??= data.ToArray();
        }

        return first;
    }

    private static string DisplayNumber(string display) => display[(display.LastIndexOf(':') + 1)..].Split('.')[0];

    private static bool TryReadCounted(ref ReadOnlySpan<byte> bytes, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (bytes.Length < 2)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt16BigEndian(bytes);
        if (bytes.Length < 2 + length)
        {
            return false;
        }

        value = bytes.Slice(2, length);
        bytes = bytes[(2 + length)..];
        return true;
    }

    private static void WriteCounted(MemoryStream output, ReadOnlySpan<byte> value)
    {
        Span<byte> length = stackalloc byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(length, (ushort)value.Length);
        output.Write(length);
        output.Write(value);
    }
}
