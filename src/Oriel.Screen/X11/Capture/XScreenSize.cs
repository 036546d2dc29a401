using System.Text;
using Oriel.Screen.X11.Raw;

namespace Oriel.Screen.X11.Capture;

/// <param name="MaxWidth">The largest width possible without restarting the server.</param>
public sealed record XScreenSize(int Width, int Height, int MaxWidth, int MaxHeight)
{
    public const int MinWidth = 320,
        MinHeight = 200;

    private const string ModePrefix = "oriel-";

    /// <summary>The current size and the limits.</summary>
    /// <exception cref="XException">No X server answers.</exception>
    public static XScreenSize Read(string display, string? authorityPath)
    {
        using var x = XConnection.Open(display, authorityPath);
        return Read(x);
    }

    /// <summary>
    /// Sets the screen's size through RANDR, rounded down to even numbers and clamped to the limits. A mode of that size is created if
    /// there is none. On return the server has the new size; the window manager follows by itself.
    /// </summary>
    /// <exception cref="XException">No X server answers, it has no RANDR 1.2, or it refuses; the message has the X error.</exception>
    public static XScreenSize Resize(string display, string? authorityPath, int width, int height)
    {
        using var x = XConnection.Open(display, authorityPath);
        var present = Read(x);
        width = Math.Clamp(width & ~1, Math.Min(MinWidth, present.MaxWidth), present.MaxWidth & ~1);
        height = Math.Clamp(height & ~1, Math.Min(MinHeight, present.MaxHeight), present.MaxHeight & ~1);
        if (present.Width != width || present.Height != height)
        {
            Apply(x, width, height);
        }

        var result = Read(x);
        return result.Width == width && result.Height == height
            ? result
            : throw new XException(
                $"the screen is {result.Width}x{result.Height} after a resize to {width}x{height}: {x.TakeError() ?? "no X error"}"
            );
    }

    internal static unsafe XScreenSize Read(XConnection x)
    {
        var (width, height) = x.ReadScreenSize();
        int eventBase,
            errorBase,
            minWidth,
            minHeight,
            maxWidth,
            maxHeight;
        if (
            Xlib.XRRQueryExtension(x.Handle, &eventBase, &errorBase) == 0
            || Xlib.XRRGetScreenSizeRange(x.Handle, x.Root, &minWidth, &minHeight, &maxWidth, &maxHeight) == 0
        )
        {
            return new(width, height, width, height);
        }

        return new(width, height, Math.Max(width, maxWidth), Math.Max(height, maxHeight));
    }

    private static unsafe void Apply(XConnection x, int width, int height)
    {
        var resources = Xlib.XRRGetScreenResourcesCurrent(x.Handle, x.Root);
        if (resources == null || resources->OutputCount == 0 || resources->CrtcCount == 0)
        {
            throw new XException("the X server has no RANDR output");
        }

        var output = resources->Outputs[0];
        var info = Xlib.XRRGetOutputInfo(x.Handle, resources, output);
        var crtc = info != null && info->Crtc != 0 ? info->Crtc : resources->Crtcs[0];
        var mode = FindMode(x, resources, info, output, width, height);
        int status;
        // So that nobody sees the moment when the output is off.
        using (x.Grab())
        {
            _ = Xlib.XRRSetCrtcConfig(x.Handle, resources, crtc, 0, 0, 0, 0, 1, null, 0);
            Xlib.XRRSetScreenSize(x.Handle, x.Root, width, height, ToMillimetres(width), ToMillimetres(height));
            status = Xlib.XRRSetCrtcConfig(x.Handle, resources, crtc, 0, 0, 0, mode, 1, &output, 1);
        }

        RemoveUnusedModes(x, resources, output, mode);
        Xlib.XRRFreeOutputInfo(info);
        Xlib.XRRFreeScreenResources(resources);
        x.ThrowIfBroken("a resize");
        if (status != 0)
        {
            throw new XException($"the X server refuses {width}x{height}: RANDR status {status}, {x.TakeError() ?? "no X error"}");
        }
    }

    private static unsafe nuint FindMode(
        XConnection x,
        XRRScreenResources* resources,
        XRROutputInfo* output,
        nuint outputId,
        int width,
        int height
    )
    {
        for (var i = 0; i < resources->ModeCount; i++)
        {
            var mode = resources->Modes[i];
            if (mode.Width == width && mode.Height == height)
            {
                if (output == null || !new ReadOnlySpan<nuint>(output->Modes, output->ModeCount).Contains(mode.Id))
                {
                    Xlib.XRRAddOutputMode(x.Handle, outputId, mode.Id);
                }

                return mode.Id;
            }
        }

        var created = Create(x, width, height);
        Xlib.XRRAddOutputMode(x.Handle, outputId, created);
        x.Sync();
        return created;
    }

    // Timings follow VESA CVT 1.2 with reduced blanking: 160 pixels of horizontal and about 460 us of vertical blanking at 60 Hz.
    private static unsafe nuint Create(XConnection x, int width, int height)
    {
        const int Refresh = 60,
            HorizontalBlank = 160,
            VerticalBlankUs = 460;
        var linesOfBlank = Math.Max(14, (int)Math.Ceiling(VerticalBlankUs * (double)height / (1_000_000.0 / Refresh - VerticalBlankUs)));
        var name = Encoding.ASCII.GetBytes($"{ModePrefix}{width}x{height}");
        fixed (byte* namePointer = name)
        {
            XRRModeInfo mode = new()
            {
                Width = (uint)width,
                Height = (uint)height,
                HSyncStart = (uint)width + 48,
                HSyncEnd = (uint)width + 80,
                HTotal = (uint)width + HorizontalBlank,
                VSyncStart = (uint)height + 3,
                VSyncEnd = (uint)height + 7,
                VTotal = (uint)(height + linesOfBlank),
                DotClock = (nuint)((width + HorizontalBlank) * (long)(height + linesOfBlank) * Refresh),
                Name = namePointer,
                NameLength = (uint)name.Length,
            };
            // SAFETY: Xlib sends the struct and the name and keeps neither.
            return Xlib.XRRCreateMode(x.Handle, x.Root, &mode);
        }
    }

    private static unsafe void RemoveUnusedModes(XConnection x, XRRScreenResources* before, nuint output, nuint inUse)
    {
        for (var i = 0; i < before->ModeCount; i++)
        {
            var mode = before->Modes[i];
            var name = Encoding.ASCII.GetString(mode.Name, (int)mode.NameLength);
            if (mode.Id != inUse && name.StartsWith(ModePrefix, StringComparison.Ordinal))
            {
                Xlib.XRRDeleteOutputMode(x.Handle, output, mode.Id);
                Xlib.XRRDestroyMode(x.Handle, mode.Id);
            }
        }

        x.Sync();
        // A mode still shown on another output stays. That is no failure of the resize.
        _ = x.TakeError();
    }

    // 96 dots per inch.
    private static int ToMillimetres(int pixels) => Math.Max(1, (int)Math.Round(pixels * 25.4 / 96));
}
