using System.Net.Sockets;

namespace Oriel.Server.Instance;

/// <summary>
/// The service manager that started this process, where one wants to hear of it: sd_notify(3), a datagram to the socket in NOTIFY_SOCKET.
/// </summary>
internal static class ServiceManager
{
    private const string Variable = "NOTIFY_SOCKET";

    /// <summary>Once, when requests are answered. The variable is gone afterwards, so that no child speaks in this one's name.</summary>
    public static void TellReady()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 1 } path)
        {
            return;
        }

        Environment.SetEnvironmentVariable(Variable, null);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        try
        {
            // An abstract address is written with @ for its leading NUL.
            socket.SendTo("READY=1"u8, new UnixDomainSocketEndPoint(path[0] == '@' ? '\0' + path[1..] : path));
        }
        catch (SocketException e)
        {
            Console.Error.WriteLine($"oriel: the service manager could not be notified at {path}: {e.Message}");
        }
    }
}
