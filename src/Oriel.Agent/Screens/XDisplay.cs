namespace Oriel.Agent.Screens;

/// <summary>
/// Where the desktop's X server is. Session announces it once the server accepts connections; Display awaits it.
/// </summary>
internal sealed class XDisplay
{
    private readonly TaskCompletionSource<XDisplayAddress> _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task<XDisplayAddress> Ready => _ready.Task;

    public void Announce(XDisplayAddress address) => _ready.TrySetResult(address);

    public void Fail(Exception cause) => _ready.TrySetException(cause);
}

/// <param name="Name">As in DISPLAY, <c>:0</c>.</param>
/// <param name="AuthorityPath">The file for XAUTHORITY.</param>
internal sealed record XDisplayAddress(string Name, string AuthorityPath);
