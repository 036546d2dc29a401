using System.Net;
using System.Text;
using System.Text.Json;
using Oriel.Desktops.Keepers;
using Oriel.Keeper.Bundles;
using Oriel.Keeper.Drivers.Container;
using Oriel.Keeper.Events;
using Oriel.Keeper.Logs;
using Oriel.Keeper.Network;
using Oriel.Keeper.Relays;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Keeper;

public sealed class KeeperTests
{
    [Fact]
    public void Spec_AsJson_ComesBackTheSame()
    {
        var spec = new KeeperSpec(
            "d-abcdefghij",
            "/data/desktops/d-abcdefghij",
            "container",
            "/data/images/x",
            "sha256:ab",
            "/data/run/egress.sock",
            [1, 2],
            [3],
            "host",
            new KeeperLimits(1L << 32, 1.5, 4096, "/sys/fs/cgroup/oriel/x")
        );

        var json = JsonSerializer.Serialize(spec, KeeperJsonContext.Default.KeeperSpec);
        var back = JsonSerializer.Deserialize(json, KeeperJsonContext.Default.KeeperSpec)!;

        Assert.Equal(spec with { EgressKey = back.EgressKey, AgentKey = back.AgentKey }, back);
        Assert.Equal(
            (spec.EgressKey, spec.AgentKey),
            (back.EgressKey, back.AgentKey),
            (one, other) => one.Item1.SequenceEqual(other.Item1) && one.Item2.SequenceEqual(other.Item2)
        );
    }

    [Fact]
    public void OciConfig_OfAContainer_IsTheOneReviewed()
    {
        var paths = new ContainerPaths("/b/scratch/run/rootfs", "/proc/1/fd/9", "/b/scratch/run/sys", "/b/scratch/run/boot.json", null);
        var config = OciConfigBuilder.Build(paths, "desk", 65536);

        var actual = JsonSerializer.Serialize(
            config,
            new OciJsonContext(new JsonSerializerOptions(OciJsonContext.Default.Options) { WriteIndented = true }).OciConfig
        );
        var reviewed = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Keeper", "oci-config.json"));

        if (actual != reviewed.Trim())
        {
            var path = Path.Combine(Path.GetTempPath(), "oci-config.json");
            File.WriteAllText(path, actual + "\n");
            Assert.Fail(
                $"A change of the configuration is a change of what a guest may do: review {path}, then put it in place of tests/Oriel.Tests/Keeper/oci-config.json."
            );
        }
    }

    [Fact]
    public void HostIdentity_OfThisProcess_IsOneThatIsAlive()
    {
        var identity = HostIdentity.Read();

        Assert.Equal((Environment.ProcessId, KeeperIdentity.CurrentVersion), (identity.Pid, identity.ProtocolVersion));
        Assert.True(KeeperLiveness.IsAlive(identity));
        Assert.False(KeeperLiveness.IsAlive(identity with { StartTicks = identity.StartTicks - 1 }));
    }

    [Fact]
    public void Firewall_CountersOfNft_AreRead()
    {
        const string Json =
            """{"nftables":[{"metainfo":{"version":"1.0.6"}},{"counter":{"family":"ip","name":"dropped-udp","table":"oriel","handle":2,"packets":3,"bytes":90}}]}""";

        Assert.Equal([new("dropped-udp", 3)], Firewall.ParseCounters(Json));
    }

    [Fact]
    public void EgressRelay_SocketAddressOfTheKernel_IsRead() =>
        Assert.Equal(
            new IPEndPoint(IPAddress.Parse("203.0.113.9"), 8443),
            EgressRelay.ParseSocketAddress([2, 0, 0x20, 0xFB, 203, 0, 113, 9, 0, 0, 0, 0, 0, 0, 0, 0])
        );

    [Fact]
    public void Console_OfBytesOfAnyKind_BecomesBoundedPrintableLines()
    {
        var directory = Directory.CreateTempSubdirectory("oriel-console-").FullName;
        try
        {
            var events = new EventLog(TimeProvider.System);
            using (var console = new ConsoleLog(new Bundle(directory).ConsoleLog, events))
            {
                console.Append("plain\r\n\n"u8);
                console.Append([0x1B, (byte)'[', 0xFF, (byte)'\n']);
                console.Append(Encoding.ASCII.GetBytes(new string('x', 5000) + "\n"));
            }

            var lines = events.LastConsoleLines(10);
            Assert.Equal(["plain", "\uFFFD[\uFFFD", new string('x', 2000), new string('x', 2000), new string('x', 1000)], lines);
            Assert.Equal(lines, File.ReadAllLines(new Bundle(directory).ConsoleLog));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    [Fact]
    public void EventLog_OfASlowSubscriber_CutsItOffAndKeepsTheSteps()
    {
        var events = new EventLog(TimeProvider.System);
        events.Publish(at => new KeeperStep(at, "namespaces", KeeperStepState.Done));
        var slow = events.Subscribe().Reader;
        for (var i = 0; i < EventLog.SubscriberBacklog + 10; i++)
        {
            var line = $"{i}";
            events.Publish(at => new ConsoleLine(at, line));
        }

        var received = 0;
        while (slow.TryRead(out _))
        {
            received++;
        }

        Assert.True(slow.Completion.IsCompleted);
        Assert.Equal(EventLog.SubscriberBacklog + 1, received);
        var replay = events.Subscribe().Reader;
        Assert.True(replay.TryRead(out var first));
        Assert.Equal("namespaces", ((KeeperStep)first).Name);
        Assert.Equal(1 + EventLog.ConsoleLinesKept, replay.Count + 1);
    }

    [Fact]
    public async Task EventLog_AfterTheEnd_TellsItToWhoComesLate()
    {
        var events = new EventLog(TimeProvider.System);
        events.End("guest-exited", "exit code 0");
        events.Publish(at => new ConsoleLine(at, "too late"));

        var all = new List<KeeperMessage>();
        await foreach (var happened in events.Subscribe().Reader.ReadAllAsync(TestContext.Current.CancellationToken))
        {
            all.Add(happened);
        }

        Assert.IsType<KeeperExit>(Assert.Single(all));
    }

    /// <summary>A desktop that is paused each night must not grow its keeper, nor what each new server is told.</summary>
    [Fact]
    public void EventLog_OfWhatMayHappenForEver_KeepsTheLast()
    {
        var events = new EventLog(TimeProvider.System);
        for (var i = 0; i < 1000; i++)
        {
            var state = i % 2 == 0 ? MachineState.Paused : MachineState.Running;
            events.Publish(at => new MachineReport(at, state));
            events.Publish(at => new KeeperCounters(at, new Dictionary<string, long> { ["dropped-udp"] = 1 }));
        }

        events.End("guest-exited", null);
        Assert.Equal([typeof(MachineReport), typeof(KeeperExit)], Kinds());

        List<Type> Kinds()
        {
            var reader = events.Subscribe().Reader;
            var kinds = new List<Type>();
            while (reader.TryRead(out var message))
            {
                kinds.Add(message.GetType());
            }

            return kinds;
        }
    }
}
