using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json;
using Oriel.Protocol.Keeper;
using Oriel.Tests.Server;

namespace Oriel.Tests.Fuzz;

/// <summary>Whatever a keeper says of its desktop, the server goes on reading, and learns of the keeper's end.</summary>
public sealed class KeeperEventFuzzTests
{
    private const int Batch = 50;

    [Fact]
    public async Task KeeperEvent_Mutated_IsTakenOrIgnoredAndTheKeepersEndIsSeen()
    {
        await using var server = await TestServer.StartAsync(logged: Microsoft.Extensions.Logging.LogLevel.Error);
        var lines = new List<byte[]>();
        await Fuzzer.RunAsync(
            "keeper-event",
            async input =>
            {
                try
                {
                    if (JsonSerializer.Deserialize(input, KeeperMessageContext.Default.KeeperMessage) is not null)
                    {
                        lines.Add([.. input.Where(b => b != '\n'), (byte)'\n']);
                    }
                }
                catch (Exception e) when (e is JsonException or NotSupportedException)
                {
                    // The link ends the connection and makes another; one such line in a batch shows it.
                    if (lines.Count == Batch / 2)
                    {
                        lines.Add([.. input, (byte)'\n']);
                    }
                }

                if (lines.Count >= Batch)
                {
                    await PlayAsync(server, new ConcurrentQueue<byte[]>(lines));
                    lines.Clear();
                }
            },
            iterations: 300,
            form: FuzzForm.Json
        );
        Assert.True(server.Log.Text.Length == 0, server.Log.Text);
    }

    private static async Task PlayAsync(TestServer server, ConcurrentQueue<byte[]> lines)
    {
        var said = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Keepers.Speech = async socket =>
        {
            while (lines.TryDequeue(out var line))
            {
                await socket.SendAsync(line);
            }

            said.TrySetResult();
        };
        var id = (await server.CreateAsync())["id"]!.GetValue<string>();
        await said.Task.WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
        await server.Keepers.DieAsync(id);
        await server.WaitForAsync(id, "state", e => e["state"]!.GetValue<string>() is "failed" or "destroyed");
    }
}
