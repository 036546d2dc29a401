using System.Runtime.InteropServices;

namespace Oriel.Screen.X11.Raw;

internal static unsafe class XProperties
{
    private const int LongLength = 8;

    /// <summary>
    /// A property's bytes (format 32: as C longs of 8 bytes), at most <paramref name="maxBytes"/> as sent by the server; null if it does
    /// not exist.
    /// </summary>
    internal static byte[]? ReadProperty(this XConnection x, nuint window, nuint property, int maxBytes, bool delete = false) =>
        x.ReadProperty(window, property, maxBytes, delete, out _, out _);

    internal static byte[]? ReadProperty(
        this XConnection x,
        nuint window,
        nuint property,
        int maxBytes,
        bool delete,
        out nuint type,
        out bool truncated
    )
    {
        nuint items,
            after,
            actualType;
        int format;
        nint data;
        // SAFETY: Xlib's buffer is read within items * format and freed.
        var result = Xlib.XGetWindowProperty(
            x.Handle,
            window,
            property,
            0,
            (maxBytes + 3) / 4,
            delete ? 1 : 0,
            0,
            &actualType,
            &format,
            &items,
            &after,
            &data
        );
        type = 0;
        truncated = false;
        if (result != 0 || x.IsBroken)
        {
            return null;
        }

        type = actualType;
        truncated = after > 0;
        byte[]? bytes = null;
        if (actualType != 0)
        {
            var size = (int)items * (format == 32 ? LongLength : format / 8);
            bytes = new byte[size];
            Marshal.Copy(data, bytes, 0, size);
        }

        if (data != 0)
        {
            _ = Xlib.XFree(data);
        }

        return bytes;
    }
}
