using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Keyboard;

/// <summary>
/// Keeps the X server from repeating held keys by its own clock: a release that is late, by the network or by a busy guest, would type what
/// nobody typed. The viewer's keyboard repeats instead. Not by XAutoRepeatOff: programs read that as a person's wish and may turn it on
/// again, while the longest delay that there is (65 s) lets them be.
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

    /// <summary>The session's settings daemon sets the delay when it starts, and a person may with xset(1).</summary>
    internal bool IsChangedBy(in XEvent e) => e.Type == _eventBase && e.XkbType == ControlsNotify;

    /// <summary>Does nothing, and notifies nobody, where it is so already.</summary>
    internal void LeaveToTheViewer() => _ = Xlib.XkbSetAutoRepeatRate(_x.Handle, Xlib.CoreKeyboard, LongestMs, LongestMs);
}
