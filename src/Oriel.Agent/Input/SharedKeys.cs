using Oriel.Agent.Screens;
using Oriel.Screen.X11.Keyboard;
using Oriel.Screen.X11.Raw;

namespace Oriel.Agent.Input;

/// <summary>The spare keys of the desktop's keyboard, which all Input calls share; opened with the first.</summary>
internal sealed class SharedKeys : IDisposable
{
    private readonly Lock _lock = new();
    private SpareKeys? _keys;

    /// <exception cref="XException">No server there.</exception>
    internal SpareKeys Of(XDisplayAddress address)
    {
        lock (_lock)
        {
            return _keys ??= SpareKeys.Open(address.Name, address.AuthorityPath);
        }
    }

    public void Dispose() => _keys?.Dispose();
}
