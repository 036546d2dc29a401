using Microsoft.Extensions.Time.Testing;
using Oriel.WebRtc.Sctp;

namespace Oriel.WebRtc.Tests.Sctp;

/// <summary>
/// Two associations joined by a link in memory that loses, duplicates and reorders packets by a seeded plan, on a clock that only
/// <see cref="RunUntil"/> moves.
/// </summary>
internal sealed class SctpPair : IDisposable
{
    private readonly PriorityQueue<(SctpAssociation To, byte[] Packet), (double At, long Order)> _wire = new();
    private readonly Random _random;
    private readonly DateTimeOffset _start;
    private long _order;

    public SctpPair(int seed = 1, SctpOptions? client = null, SctpOptions? server = null)
    {
        _random = new Random(seed);
        _start = Clock.GetUtcNow();
        Client = new SctpAssociation((client ?? new SctpOptions()) with { IsDtlsClient = true }, packet => Put(Server!, packet), Clock);
        Server = new SctpAssociation(server ?? new SctpOptions(), packet => Put(Client, packet), Clock);
        Client.Closed += reason => ClientEnd = reason;
        Server.Closed += reason => ServerEnd = reason;
        Server.ChannelOpened += Opened.Add;
    }

    public FakeTimeProvider Clock { get; } = new();

    public SctpAssociation Client { get; }

    public SctpAssociation Server { get; }

    public List<DataChannel> Opened { get; } = [];

    public string? ClientEnd { get; private set; }

    public string? ServerEnd { get; private set; }

    /// <summary>Share of packets lost, 0 to 1.</summary>
    public double Loss { get; set; }

    public double Duplication { get; set; }

    /// <summary>One-way delay in milliseconds, and what is added to it at random (which reorders).</summary>
    public double Delay { get; set; } = 1;

    public double Jitter { get; set; }

    /// <summary>Sees each packet before it is lost; false drops it.</summary>
    public Func<SctpAssociation, byte[], bool>? Filter { get; set; }

    public int Sent { get; private set; }

    private double Now => (Clock.GetUtcNow() - _start).TotalMilliseconds;

    public SctpPair Connect()
    {
        Client.Start();
        RunUntil(() => Client.State == AssociationState.Established && Server.State == AssociationState.Established, 60);
        return this;
    }

    /// <summary>Moves the clock until the condition holds; fails after so many seconds of the clock.</summary>
    public void RunUntil(Func<bool> condition, double seconds)
    {
        var deadline = Now + (seconds * 1000);
        while (!condition())
        {
            Assert.True(
                Now < deadline,
                $"after {seconds} s: client {Client.State} ({ClientEnd}), server {Server.State} ({ServerEnd}), {Sent} packets"
            );
            Step();
        }
    }

    public void Run(double seconds)
    {
        for (var deadline = Now + (seconds * 1000); Now < deadline; )
        {
            Step();
        }
    }

    public void Dispose()
    {
        Client.Dispose();
        Server.Dispose();
    }

    private void Step()
    {
        Clock.Advance(TimeSpan.FromMilliseconds(1));
        while (_wire.TryPeek(out var next, out var when) && when.At <= Now)
        {
            _wire.Dequeue();
            next.To.Receive(next.Packet);
        }
    }

    private void Put(SctpAssociation to, ReadOnlyMemory<byte> packet)
    {
        Sent++;
        var copy = packet.ToArray();
        Assert.True(copy.Length <= 1191, $"a packet of {copy.Length} bytes");
        if (Filter is { } filter && !filter(to, copy))
        {
            return;
        }

        if (_random.NextDouble() < Loss)
        {
            return;
        }

        for (var copies = _random.NextDouble() < Duplication ? 2 : 1; copies > 0; copies--)
        {
            _wire.Enqueue((to, copy), (Now + Delay + (_random.NextDouble() * Jitter), _order++));
        }
    }
}
