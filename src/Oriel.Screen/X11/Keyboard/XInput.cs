using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Keyboard;

/// <summary>
/// The mouse and keyboard of one client, through XTEST. It remembers what it holds down, so that <see cref="ReleaseAll"/> releases exactly
/// that. Used by one thread at a time.
/// </summary>
public sealed unsafe class XInput : IDisposable
{
    private readonly XConnection _x;
    private readonly XKeyboard _keyboard;
    private readonly HashSet<uint> _buttons = [];
    private readonly WheelAccumulator _wheelX = new(6, 7),
        _wheelY = new(4, 5);

    private XInput(XConnection x, SpareKeys spares)
    {
        _x = x;
        int eventBase,
            errorBase,
            major,
            minor;
        if (Xlib.XTestQueryExtension(x.Handle, &eventBase, &errorBase, &major, &minor) == 0)
        {
            throw new XException("the X server has no XTEST");
        }

        _keyboard = new(x, spares);
    }

    /// <param name="spares">The spare keys of the same display, shared with its other clients and not disposed here.</param>
    /// <exception cref="XException">No X server answers, or it has no XTEST.</exception>
    public static XInput Open(string display, string? authorityPath, SpareKeys spares)
    {
        var x = XConnection.Open(display, authorityPath);
        try
        {
            return new XInput(x, spares);
        }
        catch
        {
            x.Dispose();
            throw;
        }
    }

    public void Move(int x, int y)
    {
        _ = Xlib.XTestFakeMotionEvent(_x.Handle, 0, x, y, 0);
        Finish();
    }

    /// <param name="button">DOM numbering: 0 left, 1 middle, 2 right, 3 back, 4 forward; others are ignored.</param>
    public void Button(int x, int y, uint button, bool down)
    {
        _ = Xlib.XTestFakeMotionEvent(_x.Handle, 0, x, y, 0);
        if (button <= 4)
        {
            // X: 1 left, 2 middle, 3 right, 4-7 the wheel, 8 back, 9 forward.
            Press(button < 3 ? button + 1 : button + 5, down);
        }

        Finish();
    }

    /// <param name="dx">120 = one notch to the right; fractions add up.</param>
    /// <param name="dy">120 = one notch down.</param>
    public void Wheel(int x, int y, int dx, int dy)
    {
        _ = Xlib.XTestFakeMotionEvent(_x.Handle, 0, x, y, 0);
        Turn(_wheelY, dy);
        Turn(_wheelX, dx);
        Finish();
    }

    /// <param name="code">KeyboardEvent.code, the key's position.</param>
    /// <param name="key">KeyboardEvent.key, what it means to the user.</param>
    public void Key(string code, string key, bool down)
    {
        if (down)
        {
            _keyboard.Down(code, key);
        }
        else
        {
            _keyboard.Up(code);
        }

        Finish();
    }

    /// <summary>Types text as it is, whatever the guest's layout.</summary>
    public void Text(string text)
    {
        _keyboard.Type(text);
        Finish();
    }

    /// <summary>Releases every key and button that this client holds down.</summary>
    public void ReleaseAll()
    {
        foreach (var button in _buttons.ToArray())
        {
            Press(button, down: false);
        }

        _keyboard.ReleaseAll();
        Finish();
    }

    public void Dispose()
    {
        if (!_x.IsBroken)
        {
            ReleaseAllQuietly();
        }

        _x.Dispose();
    }

    private void ReleaseAllQuietly()
    {
        try
        {
            ReleaseAll();
            _x.Sync();
        }
        catch (XException)
        {
            // The server is gone, and with it everything that was held down.
        }
    }

    private void Turn(WheelAccumulator wheel, int delta)
    {
        var (button, notches) = wheel.Add(delta);
        for (var i = 0; i < notches; i++)
        {
            _ = Xlib.XTestFakeButtonEvent(_x.Handle, button, 1, 0);
            _ = Xlib.XTestFakeButtonEvent(_x.Handle, button, 0, 0);
        }
    }

    private void Press(uint button, bool down)
    {
        if (down ? _buttons.Add(button) : _buttons.Remove(button))
        {
            _ = Xlib.XTestFakeButtonEvent(_x.Handle, button, down ? 1 : 0, 0);
        }
    }

    private void Finish()
    {
        _x.Flush();
        _x.ThrowIfBroken("input");
    }
}

/// <summary>Turns wheel movement in 1/120 notches into clicks of the X wheel buttons.</summary>
internal sealed class WheelAccumulator(uint negativeButton, uint positiveButton)
{
    private const int Notch = 120,
        MaxNotches = 20;
    private int _rest;

    /// <summary>The button and how often it clicks; a change of direction drops the remainder.</summary>
    internal (uint Button, int Notches) Add(int delta)
    {
        delta = Math.Clamp(delta, -Notch * MaxNotches, Notch * MaxNotches);
        if (Math.Sign(delta) * Math.Sign(_rest) < 0)
        {
            _rest = 0;
        }

        _rest += delta;
        var notches = _rest / Notch;
        _rest -= notches * Notch;
        return (notches < 0 ? negativeButton : positiveButton, Math.Min(MaxNotches, Math.Abs(notches)));
    }
}
