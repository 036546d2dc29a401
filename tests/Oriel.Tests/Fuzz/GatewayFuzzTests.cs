using System.Net;
using System.Net.Sockets;
using System.Text;
using Oriel.Egress.Policy;
using Oriel.Protocol;
using Oriel.Tests.Egress;
using Oriel.Tests.Processes;

namespace Oriel.Tests.Fuzz;

/// <summary>The whole gateway at its socket: it answers or closes, and goes on serving.</summary>
[Collection(nameof(Alone))]
public sealed class GatewayFuzzTests
{
    /// <summary>Stands for the port of the site in the seeds.</summary>
    private const string SeedPort = "65001";

    private const int Alive = 100;
    private const long MaxGrowth = 64 * 1024 * 1024;

    [Fact]
    public async Task Connection_Mutated_IsAnsweredOrClosedAndTheNextIsServed()
    {
        // Names of the seeds alone are resolved: a mutated one is not in the list.
        await using var egress = new EgressFixture(
            new EgressPolicy { Mode = EgressMode.List, Allow = [new EgressRule("site.test"), new EgressRule("127.0.0.1")] }
        );
        var rounds = 0;
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await Fuzzer.RunAsync(
            "gateway",
            async input =>
            {
                var bytes = Replace(input, SeedPort, egress.Port);
                var raw = bytes is [(byte)'{', ..];
                await using var guest = raw ? await RawAsync(egress) : await egress.ProxyAsync();
                var answer = await SayAsync(guest, bytes);
                Assert.True(answer.Length == 0 || (!raw && answer.StartsWith("HTTP/1.1 ", StringComparison.Ordinal)), answer);
                if (++rounds % Alive == 0)
                {
                    await RequireAliveAsync(egress);
                }
            },
            iterations: 300,
            form: FuzzForm.Text
        );
        await RequireAliveAsync(egress);
        await RequireNothingKeptAsync(egress, before);
    }

    [Fact]
    public async Task TargetsAnswer_Mutated_IsPassedOnOrToldAndTheNextIsServed()
    {
        using var target = new TcpListener(IPAddress.Loopback, 0);
        target.Start();
        var port = ((IPEndPoint)target.LocalEndpoint).Port;
        await using var egress = new EgressFixture(EgressPolicy.Internet);
        var request = Encoding.ASCII.GetBytes($"GET http://site.test:{port}/ HTTP/1.1\r\nHost: site.test\r\n\r\n");
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await Fuzzer.RunAsync(
            "http-response",
            async input =>
            {
                await using var guest = await egress.ProxyAsync();
                var answering = AnswerAsync(target, input);
                var answer = await SayAsync(guest, request);
                await answering;
                Assert.StartsWith("HTTP/1.", answer, StringComparison.Ordinal);
            },
            iterations: 200,
            form: FuzzForm.Text
        );
        await RequireAliveAsync(egress);
        await RequireNothingKeptAsync(egress, before);
    }

    private static async Task AnswerAsync(TcpListener target, byte[] answer)
    {
        using var socket = await target.AcceptSocketAsync(TestContext.Current.CancellationToken);
        await using var stream = new NetworkStream(socket);
        try
        {
            await HttpProxyTests.ReadHeadAsync(stream);
            await stream.WriteAsync(answer, TestContext.Current.CancellationToken);
            socket.Shutdown(SocketShutdown.Send);
            await EgressFixture.ReadToEndAsync(stream);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // The gateway has heard enough.
        }
    }

    private static async Task<NetworkStream> RawAsync(EgressFixture egress)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(egress.Options.SocketPath));
        return new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>Says all, then reads to the end, both at once as the other end may stop listening.</summary>
    private static async Task<string> SayAsync(NetworkStream stream, byte[] bytes)
    {
        var answer = EgressFixture.ReadToEndAsync(stream);
        try
        {
            await stream.WriteAsync(bytes, TestContext.Current.CancellationToken);
            stream.Socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            // Refused before the end.
        }

        return await answer;
    }

    private static async Task RequireAliveAsync(EgressFixture egress)
    {
        await using var guest = await egress.ProxyAsync();
        var answer = await SayAsync(
            guest,
            Encoding.ASCII.GetBytes($"GET http://{GuestNetwork.CanaryHost}/alive HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        );
        Assert.EndsWith(egress.ExpectedCanary("alive"), answer, StringComparison.Ordinal);
    }

    private static async Task RequireNothingKeptAsync(EgressFixture egress, long before)
    {
        await Eventually.HoldsAsync(() => egress.Session.Connections == 0, () => $"{egress.Session.Connections} connections are open");
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, MaxGrowth);
    }

    private static byte[] Replace(byte[] input, string from, int to) =>
        Encoding.Latin1.GetBytes(
            Encoding
                .Latin1.GetString(input)
                .Replace(from, to.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal)
        );
}
