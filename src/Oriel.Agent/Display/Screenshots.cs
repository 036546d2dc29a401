using Google.Protobuf;
using Oriel.Agent.Screens;
using Oriel.Protocol.Display;
using Oriel.Screen.Png;
using Oriel.Screen.X11.Capture;
using Oriel.Screen.Yuv;

namespace Oriel.Agent.Display;

internal static class Screenshots
{
    /// <param name="maxWidth">Pixels; a wider screen is scaled down to it. 0 = as it is.</param>
    internal static ScreenshotReply Take(XDisplayAddress address, int maxWidth)
    {
        var shot = XScreenshot.Take(address.Name, address.AuthorityPath);
        var (width, height, pixels) = (shot.Width, shot.Height, shot.Pixels);
        if (maxWidth > 0 && maxWidth < width)
        {
            (width, height) = (maxWidth, Math.Max(1, (int)Math.Round((double)height * maxWidth / width)));
            pixels = ArgbScaler.Scale(pixels, shot.Width, shot.Height, width, height);
        }

        return new ScreenshotReply
        {
            Png = UnsafeByteOperations.UnsafeWrap(PngEncoder.EncodeBgrx(pixels, width, height)),
            Width = (uint)width,
            Height = (uint)height,
        };
    }
}
