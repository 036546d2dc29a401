using System.Runtime.InteropServices;
using System.Runtime.InteropServices.Marshalling;
using System.Text;

namespace Oriel.Linux.Calls;

/// <summary>
/// Names of files as text. Linux has bytes: each that is no part of valid UTF-8 becomes a lone surrogate, U+DC80 to U+DCFF, and the same
/// byte again on its way back (as PEP 383 does it), so that every name can be given to the call that it came from.
/// </summary>
[CustomMarshaller(typeof(string), MarshalMode.ManagedToUnmanagedIn, typeof(FileNameMarshaller))]
internal static unsafe class FileNameMarshaller
{
    private const int Escape = 0xDC00;

    public static byte* ConvertToUnmanaged(string name)
    {
        var bytes = Encode(name);
        // SAFETY: one byte more than is copied, for the NUL; freed by Free.
        var copy = (byte*)NativeMemory.Alloc((nuint)bytes.Length + 1);
        bytes.CopyTo(new Span<byte>(copy, bytes.Length));
        copy[bytes.Length] = 0;
        return copy;
    }

    public static void Free(byte* name) => NativeMemory.Free(name);

    internal static byte[] Encode(string name)
    {
        if (!name.AsSpan().ContainsAnyInRange('\uDC80', '\uDCFF'))
        {
            return Encoding.UTF8.GetBytes(name);
        }

        var bytes = new List<byte>(name.Length);
        Span<byte> encoded = stackalloc byte[4];
        for (var at = 0; at < name.Length; )
        {
            if (Rune.TryGetRuneAt(name, at, out var rune))
            {
                bytes.AddRange(encoded[..rune.EncodeToUtf8(encoded)]);
                at += rune.Utf16SequenceLength;
            }
            else
            {
                bytes.Add((byte)(name[at++] - Escape));
            }
        }

        return [.. bytes];
    }

    internal static string Decode(ReadOnlySpan<byte> bytes)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes))
        {
            return Encoding.UTF8.GetString(bytes);
        }

        var name = new StringBuilder(bytes.Length);
        while (!bytes.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(bytes, out var rune, out var taken);
            if (status == System.Buffers.OperationStatus.Done)
            {
                name.Append(rune.ToString());
            }
            else
            {
                foreach (var b in bytes[..taken])
                {
                    name.Append((char)(Escape | b));
                }
            }

            bytes = bytes[taken..];
        }

        return name.ToString();
    }
}
