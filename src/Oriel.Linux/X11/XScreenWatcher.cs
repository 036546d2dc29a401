namespace Oriel.Linux.X11;

/// <summary>
/// Follows what a viewer needs besides pixels: size, windows, cursor. One thread owns it, waits on
/// <see cref="Descriptor"/>, calls <see cref="ReadEvents"/> and then reads what is <see cref="Changes"/>.
/// </summary>
public sealed class XScreenWatcher : IDisposable
{
    private const int StructureNotifyMask = 1 << 17, PropertyChangeMask = 1 << 22;
    private readonly XConnection _x;
    private readonly XWindowReader _windows;

    private XScreenWatcher(XConnection x)
    {
        _x = x;
        _windows = new(x);
        _ = Xlib.XSelectInput(x.Handle, x.Root, StructureNotifyMask | PropertyChangeMask);
        x.Sync();
    }

    public int Descriptor => _x.Descriptor;

    /// <summary>What may have changed since it was last read; everything at first.</summary>
    public XChanges Changes { get; private set; } = XChanges.Size | XChanges.Windows;

    /// <exception cref="XException">No server there.</exception>
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

    /// <summary>Takes in what the server has sent; never blocks.</summary>
    public void ReadEvents()
    {
        while (_x.TryReadEvent(out var e))
        {
            if (e.Type == XWindowReader.ConfigureNotify && e.Window == _x.Root)
            {
                Changes |= XChanges.Size;
            }
            else if (_windows.Concerns(e))
            {
                Changes |= XChanges.Windows;
            }
        }

        _x.ThrowIfBroken("watching the screen");
    }

    public (int Width, int Height) ReadSize()
    {
        Changes &= ~XChanges.Size;
        return _x.ReadScreenSize();
    }

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
