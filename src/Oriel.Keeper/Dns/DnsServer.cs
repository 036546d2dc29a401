using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Oriel.Linux.Descriptors;

namespace Oriel.Keeper.Dns;

/// <summary>Serves one guest's DNS over UDP and TCP (RFC 7766) on sockets that the owner has bound and disposes.</summary>
public sealed class DnsServer(DnsResponder responder, Action<bool> answered)
{
    public const int MaxConnections = 32;

    private const int MaxQueryLength = 4096;
    private static readonly TimeSpan IdleLimit = TimeSpan.FromSeconds(10);

    private readonly SemaphoreSlim _slots = new(MaxConnections);

    public async Task ServeUdpAsync(Socket socket, CancellationToken cancellationToken)
    {
        var query = new byte[MaxQueryLength];
        var response = new byte[DnsResponder.BufferLength];
        var from = new SocketAddress(AddressFamily.InterNetwork);
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var length = await socket.ReceiveFromAsync(query, SocketFlags.None, from, cancellationToken);
                var count = Answer(query.AsMemory(0, length), response);
                if (count > 0)
                {
                    await socket.SendToAsync(response.AsMemory(0, count), SocketFlags.None, from, cancellationToken);
                }
            }
            catch (SocketException)
            {
                // One datagram's trouble (the guest is going, or its port was closed) is not the next one's.
            }
        }
    }

    public async Task ServeTcpAsync(Socket listener, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await _slots.WaitAsync(cancellationToken);
            var client = await listener.AcceptNextAsync(cancellationToken);
            _ = ServeClientAsync(client, cancellationToken);
        }
    }

    private async Task ServeClientAsync(Socket client, CancellationToken cancellationToken)
    {
        try
        {
            await using var stream = new NetworkStream(client, ownsSocket: true);
            var query = new byte[MaxQueryLength];
            var response = new byte[2 + DnsResponder.BufferLength];
            while (true)
            {
                using var idle = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                idle.CancelAfter(IdleLimit);
                await stream.ReadExactlyAsync(query.AsMemory(0, 2), idle.Token);
                var length = BinaryPrimitives.ReadUInt16BigEndian(query);
                if (length > MaxQueryLength)
                {
                    return;
                }

                await stream.ReadExactlyAsync(query.AsMemory(0, length), idle.Token);
                var count = Answer(query.AsMemory(0, length), response.AsSpan(2));
                if (count == 0)
                {
                    return;
                }

                BinaryPrimitives.WriteUInt16BigEndian(response, (ushort)count);
                await stream.WriteAsync(response.AsMemory(0, 2 + count), idle.Token);
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // The client has gone, or asked nothing for too long.
        }
        finally
        {
            _slots.Release();
        }
    }

    private int Answer(ReadOnlyMemory<byte> query, Span<byte> response)
    {
        var count = responder.Answer(query, response);
        answered(count > 0);
        return count;
    }
}
