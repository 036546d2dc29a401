using Oriel.Screen.X11.Capture;
using Oriel.Screen.X11.Raw;

namespace Oriel.Agent.Screens;

/// <summary>For the session: sets the configured size once X accepts connections and before any program draws.</summary>
internal static class InitialScreenSize
{
    internal const int DefaultWidth = 1280,
        DefaultHeight = 720;

    /// <param name="width">Pixels; 0 = the default.</param>
    /// <param name="height">Pixels; 0 = the default.</param>
    /// <returns>What the screen is now: even numbers, within the server's limits.</returns>
    /// <exception cref="XException">The server is not there or refuses.</exception>
    internal static (int Width, int Height) Apply(XDisplayAddress address, int width, int height)
    {
        var size = XScreenSize.Resize(
            address.Name,
            address.AuthorityPath,
            width > 0 ? width : DefaultWidth,
            height > 0 ? height : DefaultHeight
        );
        return (size.Width, size.Height);
    }
}
