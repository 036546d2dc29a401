using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Keyboard;

/// <summary>
/// Keeps the X server from repeating held keys on its own clock: a release delayed by the network or a busy guest would type characters
/// that nobody typed. The viewer's keyboard repeats instead. XAutoRepeatOff is not used: programs take it for the user's choice and may
/// turn it on again. The longest possible delay (65 s) does not disturb them.
/// </summary>
internal sealed class KeyRepeat
{
    private const uint ControlsNotifyMask = 1 << 3,
        LongestMs = ushort.MaxValue;
    private const int ControlsNotify = 3;
    private readonly XConnection _x;
    private readonly int _eventBase;

    internal KeyRepeat(XConnection x)
    {
        _x = x;
        _eventBase = x.UseKeyboard();
        _ = Xlib.XkbSelectEvents(x.Handle, Xlib.CoreKeyboard, ControlsNotifyMask, ControlsNotifyMask);
        LeaveToTheViewer();
    }

    /// <summary>
    /// Whether something else changed the delay: the session's settings daemon does when it starts, and a user may with xset(1).
    /// </summary>
    internal bool IsChangedBy(in XEvent e) => e.Type == _eventBase && e.XkbType == ControlsNotify;

    /// <summary>Sets the longest delay. Does nothing, and notifies nobody, if it is already set.</summary>
    internal void LeaveToTheViewer() => _ = Xlib.XkbSetAutoRepeatRate(_x.Handle, Xlib.CoreKeyboard, LongestMs, LongestMs);
}
