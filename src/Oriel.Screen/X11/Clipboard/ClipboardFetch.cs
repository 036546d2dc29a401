using Oriel.Linux.Clocks;
using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Clipboard;

/// <summary>
/// Reads the text of another program's selection, whole or in pieces (INCR, ICCCM 2.7.2). A new fetch ends the previous one.
/// </summary>
internal sealed class ClipboardFetch(XConnection x, nuint window)
{
    // An owner that is silent for this long is given up on.
    private const long PatienceUs = 5_000_000;
    private const int Properties = 8;
    private MemoryStream? _pieces;
    private int _fetches,
        _unanswered;
    private bool _waiting;

    /// <summary>
    /// The property for the owner to put the text in. Each fetch has its own, so that an answer to an earlier fetch is not mistaken for an
    /// answer to this one.
    /// </summary>
    internal nuint Property { get; private set; }

    /// <summary>When to stop waiting for the owner; negative = nothing is awaited.</summary>
    internal long DeadlineUs { get; private set; } = -1;

    /// <summary>The last fetch ended since its text has more than <see cref="XClipboard.MaxBytes"/>.</summary>
    internal bool IsTooLong { get; set; }

    internal void Begin(nuint selection)
    {
        IsTooLong = false;
        _pieces = null;
        _waiting = true;
        DeadlineUs = MonotonicClock.NowUs + PatienceUs;
        _unanswered++;
        Property = x.Atom($"ORIEL_CLIPBOARD_{_fetches++ % Properties}");
        _ = Xlib.XDeleteProperty(x.Handle, window, Property);
        _ = Xlib.XConvertSelection(x.Handle, selection, x.Atom("UTF8_STRING"), Property, window, 0);
    }

    /// <summary>The owner has answered. Returns the text if it is already complete.</summary>
    internal byte[]? Notified(nuint answered)
    {
        _unanswered = Math.Max(0, _unanswered - 1);
        if (!_waiting || answered != Property)
        {
            // Without a property the owner has no text: a picture, or nothing. Other properties are answers to earlier fetches.
            if (answered == 0 && _unanswered == 0)
            {
                Abandon();
            }

            return null;
        }

        var bytes = x.ReadProperty(window, Property, XClipboard.MaxBytes, delete: true, out var type, out var truncated);
        if (type == x.Atom("INCR"))
        {
            _pieces = new MemoryStream();
            DeadlineUs = MonotonicClock.NowUs + PatienceUs;
            return null;
        }

        Abandon();
        IsTooLong = truncated;
        return truncated || type != x.Atom("UTF8_STRING") ? null : bytes;
    }

    /// <summary>The owner has written the next piece. Returns the text if that was the last one.</summary>
    internal byte[]? Continue()
    {
        if (_pieces is null)
        {
            return null;
        }

        var piece = x.ReadProperty(window, Property, XClipboard.MaxBytes, delete: true, out _, out var truncated) ?? [];
        if (truncated || _pieces.Length + piece.Length > XClipboard.MaxBytes)
        {
            Abandon();
            IsTooLong = true;
            return null;
        }

        if (piece.Length > 0)
        {
            _pieces.Write(piece);
            DeadlineUs = MonotonicClock.NowUs + PatienceUs;
            return null;
        }

        var all = _pieces.ToArray();
        Abandon();
        return all;
    }

    internal void Expire(long nowUs)
    {
        if (DeadlineUs >= 0 && nowUs >= DeadlineUs)
        {
            Abandon();
        }
    }

    internal void Abandon()
    {
        _pieces = null;
        _waiting = false;
        DeadlineUs = -1;
    }
}
