using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Oriel.Egress.Dialing;

namespace Oriel.Tests.Egress;

public sealed class DialingTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Lookups_OfADesktopWithSlowNames_HoldUpNobodyElse()
    {
        using var released = new ManualResetEventSlim();
        var running = new ConcurrentDictionary<string, int>();
        var most = 0;
        using var names = new NameLookups(host =>
        {
            if (!host.StartsWith("slow", StringComparison.Ordinal))
            {
                return [IPAddress.Loopback];
            }

            var now = running.AddOrUpdate("slow", 1, (_, count) => count + 1);
            InterlockedMax(ref most, now);
            released.Wait(Token);
            running.AddOrUpdate("slow", 0, (_, count) => count - 1);
            return [IPAddress.Loopback];
        });
        var slow = Enumerable.Range(0, 512).Select(i => names.ResolveAsync("d-slow", $"slow{i}.test", Token)).ToList();

        for (var i = 0; i < 100; i++)
        {
            Assert.Equal([IPAddress.Loopback], await names.ResolveAsync("d-other", $"quick{i}.test", Token));
        }

        Assert.DoesNotContain(slow, lookup => lookup.IsCompleted);
        released.Set();
        await Task.WhenAll(slow);
        Assert.InRange(most, 1, NameLookups.MaxOfADesktop);
    }

    [Fact]
    public async Task Lookups_OfManyDesktops_TakeTurns()
    {
        using var released = new ManualResetEventSlim();
        var order = new ConcurrentQueue<string>();
        using var names = new NameLookups(host =>
        {
            released.Wait(Token);
            order.Enqueue(host);
            return [];
        });
        var desktops = Enumerable.Range(0, 64).Select(i => $"d-{i}").ToList();
        var lookups = Enumerable
            .Range(0, 8)
            .SelectMany(turn => desktops.Select(desktop => names.ResolveAsync(desktop, $"{desktop} {turn}", Token)))
            .ToList();
        released.Set();
        await Task.WhenAll(lookups);

        Assert.Equal(lookups.Count, order.Distinct().Count());
    }

    [Fact]
    public async Task Lookup_ThatIsGivenUp_EndsForItsCallerAndLeavesItsPlace()
    {
        using var released = new ManualResetEventSlim();
        using var names = new NameLookups(_ =>
        {
            released.Wait(Token);
            return [IPAddress.Loopback];
        });
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Token);
        var given = Enumerable.Range(0, 20).Select(i => names.ResolveAsync("d", $"a{i}", giveUp.Token)).ToList();
        await giveUp.CancelAsync();
        foreach (var lookup in given)
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => lookup);
        }

        released.Set();
        Assert.Equal([IPAddress.Loopback], await names.ResolveAsync("d", "b", Token));
    }

    [Fact]
    public async Task Lookup_OfANameThatDoesNotResolve_Throws()
    {
        using var names = new NameLookups(_ => throw new SocketException((int)SocketError.HostNotFound));
        await Assert.ThrowsAsync<SocketException>(() => names.ResolveAsync("d", "nowhere.test", Token));
    }

    [Fact]
    public async Task Race_FirstAddressSilent_TakesTheNextLongBeforeATimeOut()
    {
        using var silent = new Silent();
        using var listener = new TcpListener(IPAddress.Parse("127.0.0.2"), silent.Port);
        listener.Start();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Token);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));

        var connected = await ConnectionRace.RunAsync([IPAddress.Loopback, IPAddress.Parse("127.0.0.2")], silent.Port, deadline.Token);

        Assert.Equal(IPAddress.Parse("127.0.0.2"), connected?.Address);
        connected?.Socket.Dispose();
    }

    [Fact]
    public async Task Race_NobodyAccepts_IsNull()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var port = ((IPEndPoint)probe.LocalEndpoint).Port;
        probe.Stop();

        Assert.Null(await ConnectionRace.RunAsync([IPAddress.Loopback, IPAddress.Parse("127.0.0.2")], port, Token));
    }

    [Fact]
    public void Alternate_TwoFamilies_BeginsWithTheFirstOnes()
    {
        IPAddress[] given = [.. new[] { "2001:db8::1", "2001:db8::2", "192.0.2.1", "192.0.2.2", "192.0.2.3" }.Select(IPAddress.Parse)];

        var order = ConnectionRace.Alternate(given).Select(address => address.ToString());

        Assert.Equal(["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3"], order);
    }

    private static void InterlockedMax(ref int most, int now)
    {
        int seen;
        while ((seen = Volatile.Read(ref most)) < now && Interlocked.CompareExchange(ref most, now, seen) != seen)
        {
            // Another one was faster.
        }
    }

    /// <summary>A listener on loopback whose queue is full: the kernel drops what else comes.</summary>
    private sealed class Silent : IDisposable
    {
        private readonly Socket _listener = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        private readonly List<Socket> _queued = [];

        public Silent()
        {
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            _listener.Listen(0);
            for (var isFull = false; !isFull; )
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
                _queued.Add(socket);
                try
                {
                    socket.Connect(new IPEndPoint(IPAddress.Loopback, Port));
                }
                catch (SocketException)
                {
                    isFull = !socket.Poll(TimeSpan.FromMilliseconds(500), SelectMode.SelectWrite);
                }
            }
        }

        public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

        public void Dispose()
        {
            _queued.ForEach(socket => socket.Dispose());
            _listener.Dispose();
        }
    }
}
