using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Capture;

/// <summary>
/// Follows what a viewer needs besides pixels: size, windows, cursor. One thread owns it: it waits on <see cref="Descriptor"/>, calls
/// <see cref="ReadEvents"/> and then reads what <see cref="Changes"/> names.
/// </summary>
public sealed class XScreenWatcher : IDisposable
{
    private const int StructureNotifyMask = 1 << 17,
        PropertyChangeMask = 1 << 22;
    private readonly XConnection _x;
    private readonly XWindowReader _windows;
    private readonly XCursorReader _cursor;

    private XScreenWatcher(XConnection x)
    {
        _x = x;
        _windows = new(x);
        _cursor = new(x);
        _ = Xlib.XSelectInput(x.Handle, x.Root, StructureNotifyMask | PropertyChangeMask);
        x.Sync();
    }

    public int Descriptor => _x.Descriptor;

    /// <summary>What may have changed since it was last read; everything at first.</summary>
    public XChanges Changes { get; private set; } = XChanges.Size | XChanges.Windows | XChanges.Cursor;

    /// <exception cref="XException">No X server answers.</exception>
    public static XScreenWatcher Open(string display, string? authorityPath)
    {
        var x = XConnection.Open(display, authorityPath);
        try
        {
            return new XScreenWatcher(x);
        }
        catch
        {
            x.Dispose();
            throw;
        }
    }

    /// <summary>Reads what the server has sent; never blocks.</summary>
    public void ReadEvents()
    {
        while (_x.TryReadEvent(out var e))
        {
            if (e.Type == XWindowReader.ConfigureNotify && e.Window == _x.Root)
            {
                Changes |= XChanges.Size;
            }
            else if (_cursor.Concerns(e))
            {
                Changes |= XChanges.Cursor;
            }
            else if (_windows.Concerns(e))
            {
                Changes |= XChanges.Windows;
            }
        }

        _x.ThrowIfBroken("watching the screen");
    }

    public XScreenSize ReadSize()
    {
        Changes &= ~XChanges.Size;
        return XScreenSize.Read(_x);
    }

    /// <summary>Null while no cursor is shown.</summary>
    public XCursorImage? ReadCursor()
    {
        Changes &= ~XChanges.Cursor;
        return _cursor.Read();
    }

    /// <summary>The pointer's position, queried from the server.</summary>
    public (int X, int Y) ReadPointer() => _cursor.ReadPosition();

    public IReadOnlyList<XWindowInfo> ReadWindows()
    {
        Changes &= ~XChanges.Windows;
        var windows = _windows.Read();
        _x.ThrowIfBroken("reading the windows");
        return windows;
    }

    public void Dispose() => _x.Dispose();
}

[Flags]
public enum XChanges
{
    None = 0,
    Size = 1,
    Windows = 2,
    Cursor = 4,
}
