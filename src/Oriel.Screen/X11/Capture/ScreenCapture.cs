using Oriel.Linux.Clocks;
using Oriel.Linux.Polling;
using Oriel.Screen.X11.Raw;
using Oriel.Screen.Yuv;

namespace Oriel.Screen.X11.Capture;

/// <summary>
/// A picture of the screen, kept up to date through XDamage. One thread owns it: it waits on <see cref="Descriptor"/>, calls
/// <see cref="ReadEvents"/>, and calls <see cref="Capture"/> when it wants the pixels that changed.
/// </summary>
public sealed unsafe class ScreenCapture : IDisposable
{
    private const int DamageReportNonEmpty = 3,
        ConfigureNotify = 22,
        StructureNotifyMask = 1 << 17,
        MaxRectangles = 8;

    // A program that draws in several requests takes some microseconds from one to the next. Drawing without a pause is captured at the
    // limit.
    private const long QuietUs = 500,
        LongestSettleUs = 4000;
    private readonly XConnection _x;
    private readonly ScreenGrabber _grabber;
    private readonly int _damageEvent;
    private readonly nuint _damage,
        _region;
    private readonly List<PixelRectangle> _changed = [],
        _pending = [];
    private bool _sizeStale = true,
        _reported;

    private ScreenCapture(XConnection x)
    {
        _x = x;
        _grabber = new(x);
        int eventBase,
            errorBase;
        if (Xlib.XDamageQueryExtension(x.Handle, &eventBase, &errorBase) == 0)
        {
            throw new XException("the X server has no DAMAGE");
        }

        _ = x.UseFixes();
        _damageEvent = eventBase;
        _ = Xlib.XSelectInput(x.Handle, x.Root, StructureNotifyMask);
        _damage = Xlib.XDamageCreate(x.Handle, x.Root, DamageReportNonEmpty);
        _region = Xlib.XFixesCreateRegion(x.Handle, null, 0);
        x.Sync();
    }

    public int Descriptor => _x.Descriptor;

    public bool IsBroken => _x.IsBroken;

    /// <summary>The pixels as of the last capture; a new object after a change of size. Null before the first capture.</summary>
    public I420Picture? Picture { get; private set; }

    /// <summary>What the last capture read; empty = everything.</summary>
    public IReadOnlyList<PixelRectangle> Changed => _changed;

    /// <summary>CLOCK_MONOTONIC microseconds at which the oldest damage not yet captured was seen; negative = none.</summary>
    public long DamageUs { get; private set; } = -1;

    /// <exception cref="XException">No X server answers, or it has no DAMAGE.</exception>
    public static ScreenCapture Open(string display, string? authorityPath)
    {
        var x = XConnection.Open(display, authorityPath);
        try
        {
            return new ScreenCapture(x);
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
            if (e.Type == _damageEvent)
            {
                _reported = true;
                DamageUs = DamageUs < 0 ? MonotonicClock.NowUs : DamageUs;
            }
            else if (e.Type == ConfigureNotify && e.Window == _x.Root)
            {
                _sizeStale = true;
                DamageUs = DamageUs < 0 ? MonotonicClock.NowUs : DamageUs;
            }
        }

        _x.ThrowIfBroken("waiting for damage");
    }

    /// <summary>
    /// After damage, waits until drawing pauses for half a millisecond, but at most four milliseconds, so that a picture is captured whole.
    /// Otherwise half of it would be sent, and the other half would wait for the next frame.
    /// </summary>
    public void Settle(Poller poller)
    {
        var until = MonotonicClock.NowUs + LongestSettleUs;
        while (_reported && !_sizeStale && Picture is not null && MonotonicClock.NowUs < until)
        {
            // The reply comes once the server has handled all earlier requests.
            TakeDamage(Picture);
            var quiet = Math.Min(until, MonotonicClock.NowUs + QuietUs);
            while (!_reported && MonotonicClock.NowUs < quiet)
            {
                poller.Wait(Descriptor, quiet);
                ReadEvents();
            }
        }
    }

    /// <summary>Brings <see cref="Picture"/> up to date. False if nothing visible has changed.</summary>
    public bool Capture()
    {
        // The damage is taken before the pixels: what is drawn in between is reported again.
        if (_sizeStale || Picture is null)
        {
            Xlib.XDamageSubtract(_x.Handle, _damage, 0, _region);
            (DamageUs, _reported) = (-1, false);
            _pending.Clear();
            CaptureAll();
            return true;
        }

        TakeDamage(Picture);
        DamageUs = -1;
        _changed.Clear();
        _changed.AddRange(_pending);
        _pending.Clear();
        if (_changed.Count == 0)
        {
            return false;
        }

        foreach (var area in _changed)
        {
            if (!_grabber.TryGrab(area, Picture))
            {
                CaptureAll();
                break;
            }
        }

        return true;
    }

    public void Dispose()
    {
        _grabber.Dispose();
        _x.Dispose();
        Picture?.Dispose();
        Picture = null;
    }

    private void CaptureAll()
    {
        _changed.Clear();
        // The screen may change its size between the query and the grab, but only a few times in a row.
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var (width, height) = _x.ReadScreenSize();
            (width, height) = (width & ~1, height & ~1);
            if (Picture is null || Picture.Width != width || Picture.Height != height)
            {
                Picture?.Dispose();
                Picture = new I420Picture(width, height);
            }

            if (_grabber.TryGrab(new(0, 0, width, height), Picture))
            {
                _sizeStale = false;
                return;
            }
        }

        throw new XException("the screen could not be read");
    }

    private void TakeDamage(I420Picture picture)
    {
        XRectangle bounds;
        int count;
        _reported = false;
        Xlib.XDamageSubtract(_x.Handle, _damage, 0, _region);
        // SAFETY: Xlib's list is read within its count and freed.
        var list = Xlib.XFixesFetchRegionAndBounds(_x.Handle, _region, &count, &bounds);
        _x.ThrowIfBroken("reading the damage");
        if (list == null)
        {
            return;
        }

        if (count > MaxRectangles)
        {
            Add(bounds, picture);
        }
        else
        {
            for (var i = 0; i < count; i++)
            {
                Add(list[i], picture);
            }
        }

        _ = Xlib.XFree((nint)list);
    }

    private void Add(XRectangle rectangle, I420Picture picture)
    {
        var area = new PixelRectangle(rectangle.X, rectangle.Y, rectangle.Width, rectangle.Height).AlignedTo(picture.Width, picture.Height);
        if (area.IsEmpty || _pending.Exists(known => known.Contains(area)))
        {
            return;
        }

        _pending.RemoveAll(area.Contains);
        _pending.Add(area);
        if (_pending.Count > MaxRectangles)
        {
            var all = _pending.Aggregate((one, other) => one.Union(other));
            _pending.Clear();
            _pending.Add(all);
        }
    }
}
