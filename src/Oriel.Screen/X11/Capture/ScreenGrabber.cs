using System.Runtime.InteropServices;
using Oriel.Linux;
using Oriel.Linux.Memory;
using Oriel.Screen.X11.Raw;
using Oriel.Screen.Yuv;

namespace Oriel.Screen.X11.Capture;

/// <summary>Reads pixels of the root window through MIT-SHM; the segment is recreated when it becomes too small.</summary>
internal sealed unsafe class ScreenGrabber(XConnection x) : IDisposable
{
    private const int ZPixmap = 2,
        BytesPerPixel = 4;

    /// <summary>World-accessible while the server attaches: it may run as another user of the guest.</summary>
    private const uint SegmentMode = 0x1B6; // 0666

    private XImage* _image;
    private XShmSegmentInfo* _segment;
    private SharedSegment? _memory;
    private long _capacity;

    /// <summary>Reads a rectangle into its place in the picture; false if the screen's size has changed.</summary>
    internal bool TryGrab(PixelRectangle area, I420Picture target)
    {
        if (!TryRead(area))
        {
            return false;
        }

        target.Convert((byte*)_segment->Address, area.Width * BytesPerPixel, area.X, area.Y, area.Width, area.Height);
        return true;
    }

    /// <summary>The rectangle's pixels (BGRX, no padding); null if the screen's size has changed.</summary>
    internal byte[]? TryReadPixels(PixelRectangle area) =>
        TryRead(area) ? new ReadOnlySpan<byte>((byte*)_segment->Address, area.Width * area.Height * BytesPerPixel).ToArray() : null;

    private bool TryRead(PixelRectangle area)
    {
        EnsureCapacity((long)area.Width * area.Height * BytesPerPixel);
        // The server writes width * height pixels at the segment's start; the image's header gives both numbers.
        _image->Width = area.Width;
        _image->Height = area.Height;
        _image->BytesPerLine = area.Width * BytesPerPixel;
        // SAFETY: the segment holds the area, as ensured above.
        var ok = Xlib.XShmGetImage(x.Handle, x.Root, _image, area.X, area.Y, nuint.MaxValue);
        x.ThrowIfBroken("a grab of the screen");
        return ok != 0;
    }

    private void EnsureCapacity(long bytes)
    {
        if (bytes <= _capacity)
        {
            return;
        }

        Release();
        var (width, height) = x.ReadScreenSize();
        var capacity = Math.Max(bytes, (long)width * height * BytesPerPixel);
        if (Xlib.XShmQueryExtension(x.Handle) == 0)
        {
            throw new XException("the X server has no MIT-SHM");
        }

        _segment = (XShmSegmentInfo*)NativeMemory.AllocZeroed((nuint)sizeof(XShmSegmentInfo));
        _image = Xlib.XShmCreateImage(
            x.Handle,
            Xlib.XDefaultVisual(x.Handle, 0),
            (uint)Xlib.XDefaultDepth(x.Handle, 0),
            ZPixmap,
            0,
            _segment,
            (uint)width,
            (uint)height
        );
        if (_image == null || _image->BitsPerPixel != 32 || _image->RedMask != 0xFF0000 || _image->ByteOrder != 0)
        {
            throw new XException("the screen must have 32 bits per pixel, blue first");
        }

        Attach(capacity);
        _image->Data = _segment->Address;
        _capacity = capacity;
    }

    private void Attach(long capacity)
    {
        try
        {
            _memory = SharedSegment.Create(capacity, SegmentMode);
        }
        catch (LinuxException e)
        {
            throw new XException(e.Message);
        }

        _segment->Id = _memory.Id;
        _segment->Address = _memory.Address;
        _ = Xlib.XShmAttach(x.Handle, _segment);
        x.Sync();
        _memory.Unlink();
        if (x.TakeError() is not null)
        {
            throw new XException("the X server could not attach the shared memory");
        }
    }

    private void Release()
    {
        if (_image != null)
        {
            if (!x.IsBroken)
            {
                _ = Xlib.XShmDetach(x.Handle, _segment);
            }

            _image->Data = 0;
            _ = Xlib.XFree((nint)_image);
            _image = null;
        }

        if (_segment != null)
        {
            _memory?.Dispose();
            _memory = null;
            NativeMemory.Free(_segment);
            _segment = null;
        }

        _capacity = 0;
    }

    public void Dispose() => Release();
}
