using System.Net;

namespace Oriel.WebRtc.Ice;

internal sealed class UdpPath(UdpTransport transport, SocketAddress address, IPacketReceiver peer) : IcePath
{
    public IPacketReceiver Peer { get; } = peer;
    public SocketAddress Address { get; } = address;
    public override IPEndPoint Remote { get; } = ToEndPoint(address);
    public override bool IsTcp => false;

    public static IPEndPoint ToEndPoint(SocketAddress address) =>
        (IPEndPoint)
            new IPEndPoint(address.Family == System.Net.Sockets.AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, 0).Create(
                address
            );

    public override void Send(ReadOnlySpan<byte> packet) => transport.Send(packet, Address);

    public override void Close() => transport.Forget(this);
}
