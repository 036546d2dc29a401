using System.Net.Sockets;
using Oriel.Linux.Calls;
using Oriel.Linux.Descriptors;

namespace Oriel.Linux.Files;

/// <summary>A socket with a name in a directory where somebody who is not trusted may put something else under that name.</summary>
public static class SocketFile
{
    /// <summary>Connects to what has the name, if that is a socket: never to what a link in its place leads to.</summary>
    /// <param name="socket">A unix one.</param>
    /// <param name="path">Its directories are trusted. Of any length.</param>
    /// <exception cref="SocketException">There is none, or nobody listens.</exception>
    public static async Task ConnectAsync(Socket socket, string path, CancellationToken cancellationToken)
    {
        using var file = new OwnedDescriptor(
            FileCalls.OpenAt(FileCalls.AtFdCwd, path, FileCalls.PathOnly | FileCalls.NoFollow | FileCalls.CloseOnExec, 0)
        );
        if (file.IsInvalid)
        {
            throw new SocketException((int)SocketError.AddressNotAvailable);
        }

        // A link that was opened as itself is no socket: the kernel refuses it.
        await socket.ConnectAsync(new UnixDomainSocketEndPoint($"/proc/self/fd/{file.Value}"), cancellationToken);
    }
}
