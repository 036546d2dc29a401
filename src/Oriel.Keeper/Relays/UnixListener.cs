using System.Net.Sockets;

namespace Oriel.Keeper.Relays;

/// <summary>A unix socket in the bundle that only its owner can reach.</summary>
internal static class UnixListener
{
    private const int Backlog = 16;

    /// <param name="name">Relative to the bundle, which is the working directory.</param>
    public static Socket Listen(string name)
    {
        File.Delete(name);
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(name));
        // Nobody can connect before Listen, so there is no moment at which others could.
        File.SetUnixFileMode(name, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        listener.Listen(Backlog);
        return listener;
    }
}
