using System.Text;
using Oriel.Linux.Clocks;
using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Clipboard;

/// <summary>
/// The CLIPBOARD selection as text, in both directions (ICCCM 2, including INCR). One thread owns it: it waits on <see cref="Descriptor"/>
/// until <see cref="DeadlineUs"/>, calls <see cref="ReadEvents"/>, then <see cref="TakeText"/>. Pictures are ignored.
/// </summary>
public sealed unsafe class XClipboard : IDisposable
{
    /// <summary>The longest text in bytes of UTF-8; a longer one is reported as too long.</summary>
    public const int MaxBytes = 1 << 20;

    private const int SelectionClear = 29,
        SelectionRequest = 30,
        SelectionNotify = 31,
        PropertyNotify = 28,
        PropertyNewValue = 0,
        PropertyDelete = 1;
    private const int PropertyChangeMask = 1 << 22,
        OwnerChanges = 7;
    private readonly XConnection _x;
    private readonly nuint _window,
        _selection;
    private readonly int _fixesEvent;
    private readonly ClipboardFetch _fetch;
    private readonly ClipboardOffers _offers;
    private string? _text,
        _unread;

    private XClipboard(XConnection x)
    {
        _x = x;
        _fixesEvent = x.UseFixes();
        _selection = x.Atom("CLIPBOARD");
        _window = Xlib.XCreateSimpleWindow(x.Handle, x.Root, -10, -10, 1, 1, 0, 0, 0);
        _ = Xlib.XSelectInput(x.Handle, _window, PropertyChangeMask);
        Xlib.XFixesSelectSelectionInput(x.Handle, _window, _selection, OwnerChanges);
        _fetch = new(x, _window);
        _offers = new(x, _window);
        if (Xlib.XGetSelectionOwner(x.Handle, _selection) != 0)
        {
            _fetch.Begin(_selection);
        }

        x.Sync();
    }

    public int Descriptor => _x.Descriptor;

    /// <summary>When to call <see cref="ReadEvents"/> at the latest, to give up stalled transfers; negative = never.</summary>
    public long DeadlineUs =>
        _fetch.DeadlineUs < 0 ? _offers.DeadlineUs
        : _offers.DeadlineUs < 0 ? _fetch.DeadlineUs
        : Math.Min(_fetch.DeadlineUs, _offers.DeadlineUs);

    /// <exception cref="XException">No X server answers.</exception>
    public static XClipboard Open(string display, string? authorityPath)
    {
        var x = XConnection.Open(display, authorityPath);
        try
        {
            return new XClipboard(x);
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
        var now = MonotonicClock.NowUs;
        _fetch.Expire(now);
        _offers.Expire(now);
        // Last, since any flush may read events into Xlib's queue. What arrives after this loop wakes the wait on the descriptor.
        while (_x.TryReadEvent(out var e))
        {
            Handle(e);
        }

        // Errors about windows of programs that went away are harmless.
        _ = _x.TakeError();
        _x.ThrowIfBroken("the clipboard");
    }

    /// <summary>
    /// The text that a program in the guest has copied since the last call; null if there is none. The same text copied again is news
    /// (ICCCM 2.1: a new owner), since the viewer may have copied another one meanwhile.
    /// </summary>
    public string? TakeText()
    {
        var text = _unread;
        _unread = null;
        return text;
    }

    /// <summary>True once when a program in the guest has copied more than <see cref="MaxBytes"/>.</summary>
    public bool TakeIsTooLong()
    {
        var isTooLong = _fetch.IsTooLong;
        _fetch.IsTooLong = false;
        return isTooLong;
    }

    /// <summary>
    /// Offers a text to the programs in the guest; they can ask for it as soon as this returns. A text already offered is left as it is.
    /// </summary>
    public void SetText(string text)
    {
        if (text == _text && IsOwner)
        {
            return;
        }

        _text = text;
        _unread = null;
        _fetch.Abandon();
        _offers.Set(Encoding.UTF8.GetBytes(text));
        _ = Xlib.XSetSelectionOwner(_x.Handle, _selection, _window, 0);
        _x.Sync();
        _x.ThrowIfBroken("setting the clipboard");
    }

    public void Dispose() => _x.Dispose();

    private bool IsOwner => Xlib.XGetSelectionOwner(_x.Handle, _selection) == _window;

    private void Handle(in XEvent e)
    {
        if (e.Type == _fixesEvent)
        {
            // The notice of our own ownership is not a change.
            if (e.FixesSelection == _selection && e.FixesOwner != _window && e.FixesOwner != 0)
            {
                _fetch.Begin(_selection);
            }

            return;
        }

        switch (e.Type)
        {
            case SelectionNotify when e.Window == _window:
                Complete(_fetch.Notified(e.NotifyProperty));
                break;
            case PropertyNotify when e.Window == _window && e.PropertyAtom == _fetch.Property && e.PropertyState == PropertyNewValue:
                Complete(_fetch.Continue());
                break;
            case PropertyNotify when e.Window != _window && e.PropertyState == PropertyDelete:
                _offers.Continue(e.Window, e.PropertyAtom);
                break;
            case SelectionRequest:
                _offers.Answer(e);
                break;
            // The event may refer to an earlier ownership.
            case SelectionClear when !IsOwner:
                _offers.Clear();
                break;
        }
    }

    private void Complete(byte[]? bytes)
    {
        if (bytes is null || bytes.Length == 0)
        {
            return;
        }

        _text = _unread = Encoding.UTF8.GetString(bytes);
    }
}
