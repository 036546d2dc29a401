using System.Globalization;

namespace Oriel.Desktops.Node;

/// <summary>Whether there is room left where the desktops of this node lie.</summary>
/// <param name="free">In bytes; throws <see cref="IOException"/> where it cannot be measured.</param>
internal sealed class HostDisk(Func<long> free)
{
    /// <summary>A desktop's first minutes take some 100 MiB; with less than this, several at work are at the end soon.</summary>
    private const long Low = 1L << 30;

    private const long Enough = Low + (Low / 2);
    private bool _isLow;

    /// <returns>What to warn of, or null.</returns>
    public string? Look()
    {
        try
        {
            _isLow = free() < (_isLow ? Enough : Low);
        }
        catch (IOException)
        {
            // Nothing is known anew.
        }

        return _isLow ? Message : null;
    }

    private static readonly string Message = string.Create(
        CultureInfo.InvariantCulture,
        $"The server's disk is nearly full: less than {Enough >> 20} MiB are free for all desktops together. Make room on the server, or destroy desktops that are no longer needed."
    );
}
