namespace Oriel.Agent.Screens;

/// <summary>
/// Where the viewers put the pointer last, to tell their own moves from those of a program in the guest. X has no event for a
/// pointer that a program warps; the position is compared whenever the screen's monitor wakes up anyway.
/// </summary>
internal sealed class PointerPosition
{
    // An injected move may not have reached the server when it is asked.
    private const long SettleUs = 200_000;
    private readonly Lock _lock = new();
    private (int X, int Y) _known = (-1, -1);
    private long _injectedUs = long.MinValue / 2;

    internal void Inject(int x, int y, long nowUs)
    {
        lock (_lock)
        {
            _known = (x, y);
            _injectedUs = nowUs;
        }
    }

    /// <summary>Whether the pointer is where nobody but the guest put it; then this is the known place from now on.</summary>
    internal bool IsMovedByGuest(int x, int y, long nowUs)
    {
        lock (_lock)
        {
            if (_known == (x, y) || nowUs - _injectedUs < SettleUs)
            {
                return false;
            }

            _known = (x, y);
            return true;
        }
    }
}
