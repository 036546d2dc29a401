using System.Runtime.InteropServices;
using Oriel.Linux.Clocks;
using Oriel.Linux.Polling;
using Oriel.Screen.Native;
using Oriel.Screen.X11.Keyboard;
using Oriel.Screen.X11.Raw;
using Oriel.Screen.Yuv;

namespace Oriel.TestSupport;

/// <summary>
/// A window of Oriel's own without frame, to paint on and to see what input arrives: for the image's boot test, tests and benchmarks.
/// </summary>
public sealed unsafe partial class XPainter : IDisposable
{
    private const int KeyPress = 2,
        KeyRelease = 3,
        ButtonPress = 4,
        ButtonRelease = 5,
        MotionNotify = 6,
        MapNotify = 19;
    private const nint Events = 1 | 2 | 4 | 8 | 64 | 1 << 17;
    private const nuint CwBackPixel = 2,
        CwOverrideRedirect = 512;
    private readonly XConnection _x;
    private readonly nuint _window;
    private readonly nint _context;
    private readonly int _width;
    private readonly int _height;
    private readonly Queue<byte[]> _lines = new();

    /// <summary>Shows the window over everything and gives it the keyboard.</summary>
    public XPainter(string display, string? authorityPath, int width, int height)
    {
        (_width, _height) = (width, height);
        _x = XConnection.Open(display, authorityPath);
        _window = Xlib.XCreateSimpleWindow(_x.Handle, _x.Root, 0, 0, (uint)width, (uint)height, 0, 0, 0);
        var attributes = stackalloc byte[112];
        new Span<byte>(attributes, 112).Clear();
        // XSetWindowAttributes.override_redirect
        *(int*)(attributes + 88) = 1;
        _ = XChangeWindowAttributes(_x.Handle, _window, CwOverrideRedirect, attributes);
        _ = Xlib.XSelectInput(_x.Handle, _window, Events);
        _ = XMapRaised(_x.Handle, _window);
        _context = XCreateGC(_x.Handle, _window, 0, 0);
        WaitFor(e => e.Type == MapNotify);
        _ = XSetInputFocus(_x.Handle, _window, 1, 0);
        _x.Sync();
    }

    /// <param name="color">0xRRGGBB.</param>
    public void Fill(PixelRectangle area, uint color)
    {
        _ = XSetForeground(_x.Handle, _context, color);
        _ = XFillRectangle(_x.Handle, _window, _context, area.X, area.Y, (uint)area.Width, (uint)area.Height);
        _x.Flush();
    }

    /// <summary>
    /// Adds a line below all others, twice over the width, and draws the whole area below <paramref name="top"/> anew, as a terminal does
    /// (a copied area would be one command of a protocol that knows copying).
    /// </summary>
    public void ScrollText(string text, int top)
    {
        const int LineHeight = 16,
            Baseline = 12;
        _lines.Enqueue(System.Text.Encoding.ASCII.GetBytes(text));
        while (_lines.Count > (_height - top) / LineHeight)
        {
            _ = _lines.Dequeue();
        }

        Fill(new PixelRectangle(0, top, _width, _height - top), 0x202020);
        _ = XSetForeground(_x.Handle, _context, 0xd0d0d0);
        var y = top + Baseline;
        foreach (var line in _lines)
        {
            // SAFETY: Xlib copies the bytes before it returns.
            fixed (byte* pointer = line)
            {
                for (var x = 4; x < _width; x += _width / 2)
                {
                    _ = XDrawString(_x.Handle, _window, _context, x, y, pointer, line.Length);
                }
            }

            y += LineHeight;
        }

        _x.Flush();
    }

    /// <summary>Names the window and lists it as the one client, as a window manager does.</summary>
    public void List(string title, string windowClass)
    {
        SetText("_NET_WM_NAME", title);
        SetText("WM_CLASS", $"test\0{windowClass}\0");
        var window = _window;
        const int WindowType = 33,
            Replace = 0;
        _ = Xlib.XChangeProperty(_x.Handle, _x.Root, _x.Atom("_NET_CLIENT_LIST"), WindowType, 32, Replace, (byte*)&window, 1);
        _x.Sync();
    }

    /// <summary>Waits until the server has painted all.</summary>
    public void Sync() => _x.Sync();

    /// <summary>Gives the guest this keyboard cursor shape by its number in the cursor font (X11/cursorfont.h).</summary>
    public void ShowCursor(uint shape)
    {
        _ = XDefineCursor(_x.Handle, _window, XCreateFontCursor(_x.Handle, shape));
        _x.Sync();
    }

    /// <summary>As xset(1) does it: after how long, and how often (ms), the server repeats a held key by itself.</summary>
    public void SetKeyRepeat(uint delayMs, uint intervalMs)
    {
        _ = _x.UseKeyboard();
        _ = Xlib.XkbSetAutoRepeatRate(_x.Handle, Xlib.CoreKeyboard, delayMs, intervalMs);
        _x.Sync();
    }

    /// <summary>The next key or button event, waiting for it; null after the deadline.</summary>
    public XPainterEvent? ReadInput(TimeSpan deadline)
    {
        using var poller = new Poller();
        var until = MonotonicClock.NowUs + (long)deadline.TotalMicroseconds;
        while (true)
        {
            while (_x.TryReadEvent(out var e))
            {
                if (e.Type is KeyPress or KeyRelease or ButtonPress or ButtonRelease or MotionNotify)
                {
                    return Describe(e);
                }

                if (e.Type == 34)
                {
                    _ = Xlib.XRefreshKeyboardMapping(&e);
                }
            }

            if (MonotonicClock.NowUs >= until)
            {
                return null;
            }

            poller.Wait(_x.Descriptor, until);
        }
    }

    public void Dispose() => _x.Dispose();

    private void SetText(string property, string text)
    {
        var bytes = System.Text.Encoding.UTF8.GetBytes(text);
        fixed (byte* data = bytes)
        {
            _ = Xlib.XChangeProperty(_x.Handle, _window, _x.Atom(property), _x.Atom("UTF8_STRING"), 8, 0, data, bytes.Length);
        }
    }

    private XPainterEvent Describe(XEvent e)
    {
        var text = "";
        if (e.Type == KeyPress)
        {
            nuint keysym;
            var buffer = stackalloc byte[32];
            _ = XLookupString(&e, buffer, 32, &keysym, 0);
            text = KeySyms.ToText((uint)keysym);
        }

        var kind = e.Type switch
        {
            KeyPress or KeyRelease => "key",
            MotionNotify => "move",
            _ => "button",
        };
        return new(kind, e.Type is KeyPress or ButtonPress, e.Detail, e.X, e.Y, e.State, text);
    }

    private void WaitFor(Func<XEvent, bool> wanted)
    {
        using var poller = new Poller();
        while (true)
        {
            while (_x.TryReadEvent(out var e))
            {
                if (wanted(e))
                {
                    return;
                }
            }

            _x.ThrowIfBroken("showing a window");
            poller.Wait(_x.Descriptor, -1);
        }
    }

    [LibraryImport(NativeLibraries.X11)]
    private static partial int XMapRaised(nint display, nuint window);

    [LibraryImport(NativeLibraries.X11)]
    private static partial nint XCreateGC(nint display, nuint drawable, nuint mask, nint values);

    [LibraryImport(NativeLibraries.X11)]
    private static partial int XSetForeground(nint display, nint context, nuint color);

    [LibraryImport(NativeLibraries.X11)]
    private static partial int XFillRectangle(nint display, nuint drawable, nint context, int x, int y, uint width, uint height);

    [LibraryImport(NativeLibraries.X11)]
    private static partial int XDrawString(nint display, nuint drawable, nint context, int x, int y, byte* text, int length);

    [LibraryImport(NativeLibraries.X11)]
    private static partial int XSetInputFocus(nint display, nuint window, int revertTo, nuint time);

    [LibraryImport(NativeLibraries.X11)]
    private static partial int XChangeWindowAttributes(nint display, nuint window, nuint mask, byte* attributes);

    [LibraryImport(NativeLibraries.X11)]
    private static partial nuint XCreateFontCursor(nint display, uint shape);

    [LibraryImport(NativeLibraries.X11)]
    private static partial int XDefineCursor(nint display, nuint window, nuint cursor);

    [LibraryImport(NativeLibraries.X11)]
    private static partial int XLookupString(XEvent* e, byte* buffer, int length, nuint* keysym, nint compose);
}

/// <param name="Kind">key, button or move.</param>
/// <param name="Detail">Keycode or button number.</param>
/// <param name="Text">The character of a key press, as a client without input method reads it.</param>
public sealed record XPainterEvent(string Kind, bool Down, uint Detail, int X, int Y, uint State, string Text);
