using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Peers;

namespace Oriel.WebRtc.Tests.Ice;

/// <summary>What a connection may do that names a peer: a user name fragment is no secret, the password is.</summary>
public sealed class TcpConnectionTests : IAsyncDisposable
{
    private static readonly string Offer = Fuzzer
        .Seeds("sdp")
        .Select(Encoding.UTF8.GetString)
        .First(text => text.StartsWith("v=0\r\no=- 866", StringComparison.Ordinal));
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly FakeTimeProvider _clock = new(DateTimeOffset.UtcNow);
    private readonly List<Socket> _clients = [];
    private WebRtcEndpoint? _endpoint;
    private PeerConnection? _peer;
    private IceCredentials? _ice;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Check_OfWhoKnowsTheNameOnly_HoldsItsSeatUntilTheDeadline()
    {
        await StartAsync(mostFromOne: 1);
        var client = await ConnectAsync();
        await SendAsync(client, Check(isValid: false));
        await SeenAsync(1);
        Assert.True(await IsClosedAsync(await ConnectAsync()));

        using var deadline = new CancellationTokenSource(Deadline);
        var closed = IsClosedAsync(client);
        while (!closed.IsCompleted)
        {
            Assert.False(deadline.IsCancellationRequested, "The connection outlives its deadline.");
            _clock.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        Assert.True(await closed);
    }

    [Fact]
    public async Task Check_Valid_LeavesTheSeatAndHasNoDeadline()
    {
        await StartAsync(mostFromOne: 1);
        var client = await ConnectAsync();
        await SendAsync(client, Check(isValid: true));
        await ReadFrameAsync(client);

        _clock.Advance(TimeSpan.FromSeconds(20));
        await SendAsync(client, Check(isValid: true));
        await ReadFrameAsync(client);
        var next = await ConnectAsync();
        await SendAsync(next, Check(isValid: true));
        await ReadFrameAsync(next);
    }

    [Fact]
    public async Task Frames_BeforeTheValidCheck_AreDroppedUnlessTheyAreChecks()
    {
        await StartAsync();
        var client = await ConnectAsync();
        await SendAsync(client, Check(isValid: false));
        await SendAsync(client, [22, 0xFE, 0xFD, 1, 2, 3]);
        await SendAsync(client, Check(isValid: true));
        await ReadFrameAsync(client);
        Assert.Equal(2, _peer!.GetStats().PacketsReceived);

        await SendAsync(client, [22, 0xFE, 0xFD, 1, 2, 3]);
        await SeenAsync(3);
    }

    [Fact]
    public async Task Connections_MoreThanTheBound_DisplaceTheOldestThatWaits()
    {
        await StartAsync();
        var taken = await ConnectAsync();
        await SendAsync(taken, Check(isValid: true));
        await ReadFrameAsync(taken);
        var waiting = new List<Socket>();
        for (var i = 0; i < 15; i++)
        {
            waiting.Add(await ConnectAsync());
            await SendAsync(waiting[i], Check(isValid: false));
            await SeenAsync(i + 2);
        }

        var last = await ConnectAsync();
        await SendAsync(last, Check(isValid: true));
        await ReadFrameAsync(last);

        Assert.True(await IsClosedAsync(waiting[0]));
        await SendAsync(taken, Check(isValid: true));
        await ReadFrameAsync(taken);
        await SendAsync(waiting[1], Check(isValid: true));
        await ReadFrameAsync(waiting[1]);
    }

    [Fact]
    public async Task Connections_MoreThatAreTakenThanTheBound_AreRefused()
    {
        await StartAsync();
        for (var i = 0; i < 16; i++)
        {
            var client = await ConnectAsync();
            await SendAsync(client, Check(isValid: true));
            await ReadFrameAsync(client);
        }

        var next = await ConnectAsync();
        await SendAsync(next, Check(isValid: true));
        Assert.True(await IsClosedAsync(next));
    }

    [Fact]
    public async Task Peer_Closes_AndSoDoItsConnections()
    {
        await StartAsync();
        var taken = await ConnectAsync();
        await SendAsync(taken, Check(isValid: true));
        await ReadFrameAsync(taken);
        var waiting = await ConnectAsync();
        await SendAsync(waiting, Check(isValid: false));
        await SeenAsync(2);

        await _peer!.DisposeAsync();

        Assert.True(await IsClosedAsync(taken));
        Assert.True(await IsClosedAsync(waiting));
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        if (_endpoint is not null)
        {
            await _endpoint.DisposeAsync();
        }
    }

    private async Task StartAsync(int mostFromOne = 64)
    {
        var options = new WebRtcOptions
        {
            Clock = _clock,
            ConnectTimeout = TimeSpan.FromHours(1),
            MaxPendingTcpPerAddress = mostFromOne,
        };
        _endpoint = await WebRtcEndpoint.StartAsync(options, NullLoggerFactory.Instance, Stop);
        _peer = _endpoint.CreatePeer(new PeerOptions());
        var answer = _peer.AcceptOffer(Offer);
        _ice = new IceCredentials(Line(answer, "a=ice-ufrag:"), Line(answer, "a=ice-pwd:"));
    }

    private async Task<Socket> ConnectAsync()
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _clients.Add(client);
        await client.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _endpoint!.Port), Stop);
        return client;
    }

    private async Task SeenAsync(int packets)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        while (_peer!.GetStats().PacketsReceived < packets)
        {
            Assert.False(deadline.IsCancellationRequested, $"Of {packets} packets the peer has seen {_peer.GetStats().PacketsReceived}.");
            await Task.Yield();
        }
    }

    private byte[] Check(bool isValid)
    {
        var buffer = new byte[256];
        var writer = new StunWriter(buffer, StunMessage.BindingRequest, "0123456789ab"u8);
        writer.Add(StunAttribute.Username, Encoding.ASCII.GetBytes(_ice!.Ufrag + ":peer"));
        writer.AddUInt64(StunAttribute.IceControlling, 1);
        writer.AddUInt32(StunAttribute.Priority, 1);
        writer.AddIntegrity(isValid ? _ice.Key : "guessed"u8.ToArray());
        writer.AddFingerprint();
        return buffer[..writer.Length];
    }

    private static async Task SendAsync(Socket client, byte[] packet)
    {
        var frame = new byte[2 + packet.Length];
        BinaryPrimitives.WriteUInt16BigEndian(frame, (ushort)packet.Length);
        packet.CopyTo(frame, 2);
        await client.SendAsync(frame, SocketFlags.None, Stop);
    }

    private static async Task ReadFrameAsync(Socket client)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        var buffer = new byte[600];
        var filled = 0;
        while (filled < 2 || filled < 2 + BinaryPrimitives.ReadUInt16BigEndian(buffer))
        {
            var read = await client.ReceiveAsync(buffer.AsMemory(filled), deadline.Token);
            Assert.NotEqual(0, read);
            filled += read;
        }
    }

    private static async Task<bool> IsClosedAsync(Socket client)
    {
        using var deadline = new CancellationTokenSource(Deadline);
        try
        {
            return await client.ReceiveAsync(new byte[16], SocketFlags.None, deadline.Token) == 0;
        }
        catch (SocketException)
        {
            return true; // reset
        }
    }

    private static string Line(string sdp, string prefix) =>
        sdp.Split("\r\n").First(line => line.StartsWith(prefix, StringComparison.Ordinal))[prefix.Length..];
}
