using System.Text;
using Oriel.Linux.Clocks;
using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Clipboard;

/// <summary>
/// The CLIPBOARD selection as text, both ways (ICCCM 2, INCR included). One thread owns it: it waits on <see cref="Descriptor"/>
/// until <see cref="DeadlineUs"/>, calls <see cref="ReadEvents"/>, and takes <see cref="TakeText"/>. Pictures are ignored.
/// </summary>
public sealed unsafe class XClipboard : IDisposable
{
    /// <summary>The longest text in bytes of UTF-8; a longer one is left alone.</summary>
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

    /// <summary>When to call <see cref="ReadEvents"/> at the latest, to give up transfers that stall; negative = never.</summary>
    public long DeadlineUs =>
        _fetch.DeadlineUs < 0 ? _offers.DeadlineUs
        : _offers.DeadlineUs < 0 ? _fetch.DeadlineUs
        : Math.Min(_fetch.DeadlineUs, _offers.DeadlineUs);

    /// <exception cref="XException">No server there.</exception>
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

    /// <summary>Takes in what the server has sent; never blocks.</summary>
    public void ReadEvents()
    {
        var now = MonotonicClock.NowUs;
        _fetch.Expire(now);
        _offers.Expire(now);
        // Last, since a flush can take events in: what this loop does not see, a wait on the descriptor will.
        while (_x.TryReadEvent(out var e))
        {
            Handle(e);
        }

        // Windows of programs that went away in the middle are errors that mean nothing.
        _ = _x.TakeError();
        _x.ThrowIfBroken("the clipboard");
    }

    /// <summary>A text that a program of the guest has copied since the last call; null if none, or the same as before.</summary>
    public string? TakeText()
    {
        var text = _unread;
        _unread = null;
        return text;
    }

    /// <summary>
    /// Offers a text to the programs of the guest; on return they can ask for it. One that is offered already is left as it is.
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
            // Its own ownership comes back as a notice too; that is no news.
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
            // It may be of an ownership before the present one.
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

        var text = Encoding.UTF8.GetString(bytes);
        if (text != _text)
        {
            _text = text;
            _unread = text;
        }
    }
}
