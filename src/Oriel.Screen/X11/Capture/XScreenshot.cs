using Oriel.Screen.X11.Raw;
using Oriel.Screen.Yuv;

namespace Oriel.Screen.X11.Capture;

/// <summary>The pixels of the whole screen at one moment.</summary>
/// <param name="Pixels">BGRX, rows without padding.</param>
public sealed record XScreenshot(int Width, int Height, byte[] Pixels)
{
    /// <summary>Reads the screen over a connection of its own.</summary>
    /// <exception cref="XException">No X server answers, or it has no MIT-SHM.</exception>
    public static XScreenshot Take(string display, string? authorityPath)
    {
        using var x = XConnection.Open(display, authorityPath);
        using var grabber = new ScreenGrabber(x);
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var (width, height) = x.ReadScreenSize();
            if (grabber.TryReadPixels(new PixelRectangle(0, 0, width, height)) is { } pixels)
            {
                return new(width, height, pixels);
            }
        }

        throw new XException("the screen kept changing its size");
    }
}
