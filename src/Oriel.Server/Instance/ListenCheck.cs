using System.Net;
using System.Net.Sockets;
using Oriel.Server.Configuration;

namespace Oriel.Server.Instance;

/// <summary>Tries the server's ports before anything else is started: what the parts that listen would say names no option.</summary>
internal static class ListenCheck
{
    /// <returns>Why the server cannot listen and which option mends it, or null.</returns>
    public static string? Problem(ServeOptions options) =>
        Problem(options.Bind, options.Port, ProtocolType.Tcp, "--port")
        ?? Problem(options.Bind, options.MediaPort, ProtocolType.Udp, "--media-port")
        ?? Problem(options.Bind, options.MediaPort, ProtocolType.Tcp, "--media-port");

    private static string? Problem(IPAddress address, int port, ProtocolType protocol, string option)
    {
        try
        {
            using var socket = new Socket(
                address.AddressFamily,
                protocol == ProtocolType.Tcp ? SocketType.Stream : SocketType.Dgram,
                protocol
            );
            socket.Bind(new IPEndPoint(address, port));
            if (protocol == ProtocolType.Tcp)
            {
                socket.Listen();
            }

            return null;
        }
        catch (SocketException e)
        {
            return Words(e, new IPEndPoint(address, port), option);
        }
    }

    internal static string Words(SocketException problem, IPEndPoint place, string option) =>
        problem.SocketErrorCode switch
        {
            SocketError.AddressAlreadyInUse => $"{place} is taken by another program; use {option} N",
            SocketError.AccessDenied => $"{place}: permission denied; ports below 1024 are root's, so use one above 1023: {option} N",
            SocketError.AddressNotAvailable => $"--bind {place.Address}: this machine has no such address",
            SocketError.AddressFamilyNotSupported => $"--bind {place.Address}: this machine has no IPv6",
            _ => $"{place}: {problem.Message} ({option})",
        };
}
