using System.Net.Sockets;
using System.Text;
using Oriel.Keeper.Drivers.Firecracker.Api;

namespace Oriel.Tests.Firecracker;

/// <summary>A VMM that refuses, hangs, ends early, or says what is no answer.</summary>
public sealed class FaultTests
{
    private static readonly Dictionary<string, Func<FirecrackerApi, Task>> Requests = new()
    {
        [nameof(FirecrackerApi.DescribeAsync)] = api => api.DescribeAsync(Token),
        [nameof(FirecrackerApi.VersionAsync)] = api => api.VersionAsync(Token),
        [nameof(FirecrackerApi.PutLoggerAsync)] = api => api.PutLoggerAsync(new Logger("log", LogLevel.Error), Token),
        [nameof(FirecrackerApi.PutMetricsAsync)] = api => api.PutMetricsAsync(new Metrics("metrics"), Token),
        [nameof(FirecrackerApi.PutMachineConfigurationAsync)] = api =>
            api.PutMachineConfigurationAsync(new MachineConfiguration(1, 64), Token),
        [nameof(FirecrackerApi.PutCpuConfigAsync)] = api => api.PutCpuConfigAsync(new CpuConfig(), Token),
        [nameof(FirecrackerApi.PutBootSourceAsync)] = api => api.PutBootSourceAsync(new BootSource("k", null, ""), Token),
        [nameof(FirecrackerApi.PutDriveAsync)] = api => api.PutDriveAsync(new Drive("a", "p", false, true), Token),
        [nameof(FirecrackerApi.PutNetworkInterfaceAsync)] = api => api.PutNetworkInterfaceAsync(new NetworkInterface("eth0", "tap"), Token),
        [nameof(FirecrackerApi.PutVsockAsync)] = api => api.PutVsockAsync(new Vsock(3, "v"), Token),
        [nameof(FirecrackerApi.PutEntropyAsync)] = api => api.PutEntropyAsync(new EntropyDevice(), Token),
        [nameof(FirecrackerApi.ActAsync)] = api => api.ActAsync(InstanceActionType.InstanceStart, Token),
        [nameof(FirecrackerApi.PatchVmAsync)] = api => api.PatchVmAsync(VmState.Paused, Token),
        [nameof(FirecrackerApi.CreateSnapshotAsync)] = api => api.CreateSnapshotAsync(new SnapshotCreate("s", "m"), Short, Token),
        [nameof(FirecrackerApi.LoadSnapshotAsync)] = api =>
            api.LoadSnapshotAsync(new SnapshotLoad("s", new MemoryBackend(MemoryBackendType.File, "m")), Token),
    };

    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(300);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Refusal_WithAFaultMessage_IsCarriedThroughPrintableAndBounded()
    {
        var body = "{\"fault_message\":\"Invalid\\nkernel path: " + new string('x', 2000) + "\"}";
        var refused = await FailAsync($"HTTP/1.1 400 \r\nContent-Length: {body.Length}\r\n\r\n{body}");
        Assert.Equal((FirecrackerFault.Refused, 400), (refused.Fault, refused.Status));
        Assert.StartsWith("Invalid kernel path: xxx", refused.FaultMessage);
        Assert.Equal(1000, refused.FaultMessage!.Length);
        Assert.StartsWith("Firecracker, GET /version: Invalid kernel path", refused.Message);
    }

    [Theory]
    [InlineData("HTTP/1.1 500 \r\nContent-Length: 5\r\n\r\nhello", "Refused", "without a fault message (5 bytes of something else)")]
    [InlineData("HTTP/1.1 400 \r\nContent-Length: 2\r\n\r\n[]", "Refused", "without a fault message")]
    [InlineData("HTTP/1.1 503 \r\n\r\n", "Refused", "without a fault message (0 bytes")]
    [InlineData("HTTP/1.1 200 \r\nContent-Length: 9\r\n\r\nnot json!", "BrokenAnswer", "9 bytes is not what the interface says")]
    [InlineData("HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}", "BrokenAnswer", "not what the interface says")]
    [InlineData("HTTP/1.1 200 \r\nContent-Length: 100\r\n\r\n{\"firecracker_version\":", "BrokenAnswer", "ended after 23 of 100 bytes")]
    [InlineData("HTTP/1.1 200 \r\nContent-Le", "BrokenAnswer", "ended within the headers")]
    [InlineData("", "BrokenAnswer", "ended without an answer")]
    [InlineData("HTTP/1.1 200 \r\nContent-Length: 10485760\r\n\r\n{", "BrokenAnswer", "a body of 10485760 bytes")]
    [InlineData("HTTP/1.1 200 \r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}", "BrokenAnswer", "two different lengths")]
    [InlineData("HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "BrokenAnswer", "chunks")]
    [InlineData("SSH-2.0-OpenSSH_9.2\r\n\r\n", "BrokenAnswer", "no status line")]
    public async Task Answer_ThatIsBroken_SaysWhatIsWrong(string answer, string fault, string why)
    {
        var failed = await FailAsync(answer);
        Assert.Equal(fault, failed.Fault.ToString());
        Assert.Contains(why, failed.Message);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 \r\n\r\n", "more than 65536 bytes")]
    [InlineData("HTTP/1.1 200 \r\nX: ", "more than 8192 bytes of headers")]
    public async Task Answer_OfTenMegabytes_IsLeftUnread(string start, string why)
    {
        var failed = await FailAsync(start + new string('a', 10 * 1024 * 1024));
        Assert.Equal(FirecrackerFault.BrokenAnswer, failed.Fault);
        Assert.Contains(why, failed.Message);
    }

    [Theory]
    [InlineData("", "request sent")]
    [InlineData("HTTP/1.1 200 \r\nContent-Length: 30\r\n\r\n{\"firecracker", "status 200")]
    public async Task Answer_ThatDoesNotCome_EndsAtTheDeadlineAndSaysWhatWasLastSeen(string part, string lastSeen)
    {
        await using var vmm = new PlayedFirecracker
        {
            Misbehave = async (_, connection) =>
            {
                await connection.SendAsync(Encoding.ASCII.GetBytes(part));
                // Until the client has had enough.
                await connection.ReceiveAsync(new byte[1]);
                return true;
            },
        };
        var failed = await Assert.ThrowsAsync<FirecrackerException>(() =>
            new ApiTransport(vmm.SocketPath).SendAsync("GET", "/version", default, Short, Token)
        );
        Assert.Equal(FirecrackerFault.NoAnswer, failed.Fault);
        Assert.Contains("no answer within 0.3 s", failed.Message);
        Assert.Contains(lastSeen, failed.Message);
    }

    /// <summary>Every request that Oriel makes, by its name: what the VMM's end has to do with its failure is asked each time.</summary>
    [Theory]
    [InlineData(nameof(FirecrackerApi.DescribeAsync))]
    [InlineData(nameof(FirecrackerApi.VersionAsync))]
    [InlineData(nameof(FirecrackerApi.PutLoggerAsync))]
    [InlineData(nameof(FirecrackerApi.PutMetricsAsync))]
    [InlineData(nameof(FirecrackerApi.PutMachineConfigurationAsync))]
    [InlineData(nameof(FirecrackerApi.PutCpuConfigAsync))]
    [InlineData(nameof(FirecrackerApi.PutBootSourceAsync))]
    [InlineData(nameof(FirecrackerApi.PutDriveAsync))]
    [InlineData(nameof(FirecrackerApi.PutNetworkInterfaceAsync))]
    [InlineData(nameof(FirecrackerApi.PutVsockAsync))]
    [InlineData(nameof(FirecrackerApi.PutEntropyAsync))]
    [InlineData(nameof(FirecrackerApi.ActAsync))]
    [InlineData(nameof(FirecrackerApi.PatchVmAsync))]
    [InlineData(nameof(FirecrackerApi.CreateSnapshotAsync))]
    [InlineData(nameof(FirecrackerApi.LoadSnapshotAsync))]
    public async Task Request_ThatTheVmmEndsIn_IsExplained(string request)
    {
        await using var vmm = new PlayedFirecracker { Misbehave = (_, _) => Task.FromResult(true) };
        var api = new FirecrackerApi(
            new ApiTransport(vmm.SocketPath),
            failed =>
                Task.FromResult(
                    new FirecrackerException(failed.Fault, failed.Request, $"{failed.Why}; it has ended of itself", inner: failed)
                )
        );
        var failed = await Assert.ThrowsAsync<FirecrackerException>(() => Requests[request](api));
        Assert.True(failed.IsOfTheConnection);
        Assert.EndsWith("it has ended of itself", failed.Message);
        Assert.Equal(
            Requests.Keys.Order(StringComparer.Ordinal),
            typeof(FirecrackerApi)
                .GetMethods()
                .Where(method => method.ReturnType.IsAssignableTo(typeof(Task)))
                .Select(method => method.Name)
                .Order(StringComparer.Ordinal)
        );
    }

    [Fact]
    public async Task Caller_WhoCancels_GetsTheCancellationNotAFault()
    {
        using var cancel = new CancellationTokenSource();
        await using var vmm = new PlayedFirecracker
        {
            Misbehave = async (_, connection) =>
            {
                await cancel.CancelAsync();
                await connection.ReceiveAsync(new byte[1]);
                return true;
            },
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            new FirecrackerApi(new ApiTransport(vmm.SocketPath)).VersionAsync(cancel.Token)
        );
    }

    [Fact]
    public async Task Socket_ThatIsNotThere_IsUnreachable()
    {
        var failed = await Assert.ThrowsAsync<FirecrackerException>(() =>
            new FirecrackerApi(new ApiTransport("/nowhere/api.sock")).VersionAsync(Token)
        );
        Assert.Equal(FirecrackerFault.Unreachable, failed.Fault);
        Assert.Contains("no connection", failed.Message);
    }

    [Fact]
    public void ResponseHead_Mutated_IsParsedOrRefused() =>
        Fuzzer.Run(
            "firecracker-answer",
            static input =>
            {
                try
                {
                    var head = ResponseHead.Parse(input);
                    Assert.InRange(head.Status, 100, 599);
                    Assert.True(head.ContentLength is null or >= 0);
                }
                catch (FormatException)
                {
                    // Its documented refusal.
                }
            },
            form: FuzzForm.Text
        );

    private static async Task<FirecrackerException> FailAsync(string answer)
    {
        await using var vmm = new PlayedFirecracker
        {
            Misbehave = async (_, connection) =>
            {
                var bytes = Encoding.ASCII.GetBytes(answer).AsMemory();
                while (!bytes.IsEmpty)
                {
                    bytes = bytes[await connection.SendAsync(bytes)..];
                }

                connection.Shutdown(SocketShutdown.Send);
                return true;
            },
        };
        return await Assert.ThrowsAsync<FirecrackerException>(() =>
            new FirecrackerApi(new ApiTransport(vmm.SocketPath)).VersionAsync(Token)
        );
    }
}
