using System.Runtime.InteropServices;
using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Capture;

/// <param name="Serial">The server's number for this image; the same serial means the same image.</param>
/// <param name="Pixels">BGRA, not premultiplied.</param>
/// <param name="Name">The name in the cursor theme, such as <c>text</c>; empty if it has none.</param>
public sealed record XCursorImage(ulong Serial, int Width, int Height, int HotX, int HotY, byte[] Pixels, string Name);

/// <summary>Reads the cursor's image through XFixes and recognizes the events of its changes.</summary>
internal sealed unsafe class XCursorReader
{
    private const int DisplayCursorNotify = 1,
        CursorNotifyOffset = 1,
        MaxSide = 512;
    private readonly XConnection _x;
    private readonly int _event;

    internal XCursorReader(XConnection x)
    {
        _x = x;
        _event = x.UseFixes() + CursorNotifyOffset;
        Xlib.XFixesSelectCursorInput(x.Handle, x.Root, DisplayCursorNotify);
    }

    internal bool Concerns(in XEvent e) => e.Type == _event;

    /// <summary>The image shown now; null if there is none or it is too large for a cursor.</summary>
    internal XCursorImage? Read()
    {
        var image = Xlib.XFixesGetCursorImage(_x.Handle);
        _x.ThrowIfBroken("reading the cursor");
        if (image == null)
        {
            return null;
        }

        // SAFETY: width * height longs, as XFixes says; Xlib's memory is freed after the copy.
        XCursorImage? result = null;
        if (image->Width is > 0 and <= MaxSide && image->Height is > 0 and <= MaxSide)
        {
            var pixels = new ReadOnlySpan<nuint>(image->Pixels, image->Width * image->Height);
            result = new(
                image->Serial,
                image->Width,
                image->Height,
                image->HotX,
                image->HotY,
                Unpremultiply(pixels),
                Marshal.PtrToStringUTF8((nint)image->Name) ?? ""
            );
        }

        _ = Xlib.XFree((nint)image);
        return result;
    }

    internal (int X, int Y) ReadPosition()
    {
        nuint root,
            child;
        int rootX,
            rootY,
            x,
            y;
        uint mask;
        _ = Xlib.XQueryPointer(_x.Handle, _x.Root, &root, &child, &rootX, &rootY, &x, &y, &mask);
        _x.ThrowIfBroken("reading the pointer");
        return (rootX, rootY);
    }

    /// <summary>Converts X's premultiplied ARGB in C longs to the BGRA that PNG needs.</summary>
    internal static byte[] Unpremultiply(ReadOnlySpan<nuint> pixels)
    {
        var bytes = new byte[pixels.Length * 4];
        for (var i = 0; i < pixels.Length; i++)
        {
            var value = (uint)pixels[i];
            var alpha = value >> 24;
            for (var channel = 0; channel < 3; channel++)
            {
                var premultiplied = value >> (8 * channel) & 255;
                bytes[i * 4 + channel] = alpha == 0 ? (byte)0 : (byte)Math.Min(255, (premultiplied * 255 + alpha / 2) / alpha);
            }

            bytes[i * 4 + 3] = (byte)alpha;
        }

        return bytes;
    }
}
