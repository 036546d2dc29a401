using System.Net;
using System.Net.Sockets;
using Oriel.Linux.Descriptors;
using Oriel.Protocol;

namespace Oriel.Keeper.Relays;

/// <summary>
/// <c>agent.sock</c> on the host to the agent's port in the guest. The two ends prove themselves to one another; here it is bytes.
/// </summary>
internal sealed class AgentRelay
{
    /// <summary>The server needs one connection; a few more are for tools and for the moment of a server's change.</summary>
    public const int MaxConnections = 32;

    private static readonly IPEndPoint Agent = new(IPAddress.Parse(GuestNetwork.GuestAddress), GuestNetwork.AgentPort);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// A link that has just come up may lose the first packet, and TCP sends it again only after a second (RFC 6298 section 2).
    /// </summary>
    private static readonly TimeSpan AttemptLimit = TimeSpan.FromMilliseconds(200);

    private readonly SemaphoreSlim _slots = new(MaxConnections);

    /// <summary>Waits until the agent accepts a connection; the guest has no other way to say that it listens.</summary>
    /// <returns>How many attempts it took.</returns>
    public static async Task<int> WaitForAgentAsync(CancellationToken cancellationToken)
    {
        var pause = FirstPause;
        for (var attempt = 1; ; attempt++)
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(AttemptLimit);
            try
            {
                await socket.ConnectAsync(Agent, limit.Token);
                return attempt;
            }
            catch (SocketException)
            {
                await Task.Delay(pause, cancellationToken);
                pause = TimeSpan.FromTicks(Math.Min(pause.Ticks * 2, LongestPause.Ticks));
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // Lost, not refused: tried again immediately.
            }
        }
    }

    public async Task AcceptAsync(Socket listener, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await _slots.WaitAsync(cancellationToken);
            var client = await listener.AcceptNextAsync(cancellationToken);
            _ = ServeAsync(client, cancellationToken);
        }
    }

    private async Task ServeAsync(Socket client, CancellationToken cancellationToken)
    {
        using (client)
        using (var agent = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true })
        {
            try
            {
                await agent.ConnectAsync(Agent, cancellationToken);
                await SocketRelay.RunAsync(client, agent, cancellationToken);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // The agent is not there: the server sees its connection end and asks again.
            }
            finally
            {
                _slots.Release();
            }
        }
    }
}
