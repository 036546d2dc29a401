using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Oriel.Agents;
using Oriel.Egress;
using Oriel.Egress.Policy;
using Oriel.Egress.Sessions;
using Oriel.Linux.Kvm;
using Oriel.Linux.Tests.Guest;
using Oriel.Linux.Tests.Keeper;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Firecracker;

/// <summary>What these tests need of the machine; each skips with the reason.</summary>
internal static class TinyGuestRing
{
    public const string Variable = "ORIEL_TINY_GUEST";

    /// <summary>As the drivers ask for it: the VMM's user has no power.</summary>
    public static void RequireTap()
    {
        const string Device = "/dev/net/tun";
        Assert.SkipUnless(
            File.Exists(Device) && File.GetUnixFileMode(Device).HasFlag(UnixFileMode.OtherWrite),
            $"{Device} is not there or not open to every user."
        );
    }

    public static void RequireAsked() =>
        Assert.SkipUnless(Environment.GetEnvironmentVariable(Variable) == "1", $"{Variable}=1 starts a tiny guest to prove the driver.");

    /// <summary>The real Firecracker, and KVM that runs a guest's instructions.</summary>
    public static void RequireFirecracker()
    {
        Assert.SkipWhen(Programs.Find("firecracker") is null, "There is no firecracker on the PATH.");
        var problem = KvmProbe.Try();
        Assert.SkipWhen(problem is not null, $"No guest instruction runs on KVM: {problem}.");
    }
}

/// <summary>
/// A guest with a kernel of its own and nothing but the agent, by the real keeper, driver and egress: booted, configured, attested, made to
/// run programs, paused, resumed, kept, gone on from by another one, ended. By Firecracker where there is KVM; the same by QEMU's emulation
/// shows the guest itself anywhere.
/// </summary>
public sealed class TinyGuestTests
{
    /// <summary>
    /// Of 64, Debian's kernel leaves its programs 10 before the first of them has started (docs/decisions/0052-firecracker.md).
    /// </summary>
    private const long MemoryMib = 128;

    private const string Notes = "/home/user/notes.txt";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(150);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Firecracker_TinyGuest_GoesThroughItsWholeLife()
    {
        TinyGuestRing.RequireAsked();
        TinyGuestRing.RequireFirecracker();
        await LiveAsync("firecracker", spec => spec);
    }

    [Fact]
    public async Task QemuByEmulation_TinyGuest_GoesThroughItsWholeLife()
    {
        Assert.SkipWhen(Programs.Find("qemu-system-x86_64") is null, "There is no qemu-system-x86_64 on the PATH.");
        await LiveAsync("qemu", spec => spec with { Accelerator = "tcg", TimeScale = 5 });
    }

    [Fact]
    public async Task QemuByEmulation_HostsDiskFull_StandsStillAndThenLosesNothing()
    {
        const int Mib = 1 << 20;
        Assert.SkipWhen(Programs.Find("qemu-system-x86_64") is null, "There is no qemu-system-x86_64 on the PATH.");
        TinyGuestRing.RequireTap();
        KeeperRing.Require();
        using var image = await TinyImage.BuildAsync(Token);
        // Where the scratch disk lies, this host has 32 MiB, and the guest's disk promises 256.
        await using var keeper = await TestKeeper.StartAsync(
            untilRunning: false,
            limits: new KeeperLimits(MemoryMib << 20, 1, 0, null, DiskBytes: 256 * Mib),
            change: spec => spec with { Driver = "qemu", Accelerator = "tcg", TimeScale = 5, ImagePath = image.Path },
            before: "mkdir -p \"$2/scratch\" && mount -t tmpfs -o size=32m,mode=755 tmpfs \"$2/scratch\""
        );
        await keeper.WaitForAsync<GuestRunning>(patience: Patience);
        using var agent = await AgentConnection.OpenAsync(keeper.Bundle.AgentSocket, keeper.Spec.AgentKey, Token);
        var content = RandomNumberGenerator.GetBytes(64 * Mib);
        var put = PutAsync(agent, "/home/user/large", content);
        await keeper.WaitForAsync<MachineReport>(seen => seen.State == MachineState.Halted, Patience);
        await Assert.ThrowsAsync<TimeoutException>(() => RunAsync(agent, "true").WaitAsync(TimeSpan.FromSeconds(2), Token));

        await keeper.InNamespacesAsync($"mount -o remount,size=1g '{keeper.Bundle.Scratch}'");
        await keeper.WaitForAsync<MachineReport>(seen => seen.State == MachineState.Running, Patience);
        await put.WaitAsync(Patience, Token);
        var clear = new ExecStart { Command = "sh", User = "root" };
        clear.Args.AddRange(["-c", "echo 3 > /proc/sys/vm/drop_caches"]);
        Assert.Equal(0, (await agent.RunAsync(clear, "", Token)).Exit.ExitCode);
        var read = await GetAsync(agent, "/home/user/large");
        Assert.True(read.AsSpan().SequenceEqual(content), "What was written while the host's disk was full is not what is read.");
    }

    private static async Task PutAsync(AgentConnection agent, string path, byte[] content)
    {
        const int Piece = 1 << 20;
        using var call = agent.Guest.PutFile(deadline: DateTime.UtcNow + (2 * Patience), cancellationToken: Token);
        await call.RequestStream.WriteAsync(
            new PutFileChunk
            {
                Header = new PutFileHeader { Path = path, TotalSize = content.Length },
            },
            Token
        );
        for (var at = 0; at < content.Length; at += Piece)
        {
            await call.RequestStream.WriteAsync(new PutFileChunk { Data = ByteString.CopyFrom(content, at, Piece) }, Token);
        }

        await call.RequestStream.CompleteAsync();
        Assert.Equal(SHA256.HashData(content), (await call).Sha256.ToByteArray());
    }

    private static async Task<byte[]> GetAsync(AgentConnection agent, string path)
    {
        using var call = agent.Guest.GetFile(
            new GetFileRequest { Path = path },
            deadline: DateTime.UtcNow + Patience,
            cancellationToken: Token
        );
        using var read = new MemoryStream();
        await foreach (var chunk in call.ResponseStream.ReadAllAsync(Token))
        {
            chunk.Data.WriteTo(read);
        }

        return read.ToArray();
    }

    private static async Task LiveAsync(string driver, Func<KeeperSpec, KeeperSpec> change)
    {
        TinyGuestRing.RequireTap();
        KeeperRing.Require();
        using var image = await TinyImage.BuildAsync(Token);
        await using var keeper = await TestKeeper.StartAsync(
            untilRunning: false,
            limits: new KeeperLimits(MemoryMib << 20, 1, 0, null, DiskBytes: 64L << 20),
            change: spec => change(spec with { Driver = driver, ImagePath = image.Path })
        );
        await using var gateway = EgressGateway.Start(
            new EgressOptions { SocketPath = keeper.Spec.EgressSocket },
            TimeProvider.System,
            NullLogger<EgressGateway>.Instance
        );
        using var egress = gateway.Register(keeper.Spec.DesktopId, keeper.Spec.EgressKey, new EgressPolicy());
        await keeper.WaitForAsync<GuestRunning>(patience: Patience);
        TestContext.Current.SendDiagnosticMessage(
            "{0}",
            string.Join(
                ", ",
                keeper
                    .Seen.OfType<KeeperStep>()
                    .Where(step => step.State == KeeperStepState.Done)
                    .Select(step => $"{step.Name} {step.ElapsedUs / 1000} ms")
            )
        );

        using var agent = await AgentConnection.OpenAsync(keeper.Bundle.AgentSocket, keeper.Spec.AgentKey, Token);
        await ConfigureAsync(agent);
        await AttestAsync(agent, keeper.Spec);
        var memory = await RunAsync(agent, "cat /proc/meminfo");
        Assert.InRange(long.Parse(memory.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]), 16 * 1024, MemoryMib * 1024);
        Assert.NotEqual(File.ReadAllText("/proc/sys/kernel/osrelease").Trim(), (await RunAsync(agent, "uname -r")).Trim());

        await PauseAndResumeAsync(keeper, agent);
        await ForkAndRestoreAsync(keeper, agent, image);

        Assert.Null(await keeper.AskAsync(id => new StopGuest(id, 60_000)));
        var exited = await keeper.WaitForAsync<KeeperExit>(patience: Patience);
        Assert.Equal("guest-exited", exited.Reason);
        await keeper.WaitForEndAsync();
    }

    private static async Task ConfigureAsync(AgentConnection agent)
    {
        var request = new ConfigureRequest
        {
            Hostname = "tiny",
            TimeZone = "UTC",
            KeyboardLayout = "us",
            Width = 1280,
            Height = 720,
            WallClockUs = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1000,
        };
        request.Files.Add(new ConfiguredFile { Path = Notes, Content = ByteString.CopyFromUtf8("tiny\n") });
        request.Env["http_proxy"] = $"http://{GuestNetwork.GatewayAddress}:{GuestNetwork.ProxyPort}";
        await agent.Guest.ConfigureAsync(request, deadline: DateTime.UtcNow + Patience, cancellationToken: Token);
    }

    private static async Task AttestAsync(AgentConnection agent, KeeperSpec spec)
    {
        var request = new AttestRequest { CanaryNonce = "n1" };
        request.Paths.Add(Notes);
        request.EnvNames.Add("http_proxy");
        var proof = await agent.Guest.AttestAsync(request, deadline: DateTime.UtcNow + Patience, cancellationToken: Token);
        Assert.Equal("tiny", proof.Hostname);
        Assert.Equal(SHA256.HashData("tiny\n"u8), Assert.Single(proof.Files).Sha256.ToByteArray());
        Assert.Equal(["exec", "login"], Assert.Single(proof.Env).SeenBy.Keys.Order());
        Assert.Equal((200, EgressSession.CanaryBody(spec.EgressKey, "n1"), ""), (proof.CanaryStatus, proof.CanaryBody, proof.CanaryError));
        Assert.NotEqual(File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim(), proof.BootId);
    }

    private static async Task PauseAndResumeAsync(TestKeeper keeper, AgentConnection agent)
    {
        Assert.Null(await keeper.AskAsync(id => new PauseGuest(id)));
        var asked = RunAsync(agent, "cat /proc/uptime");
        // It would answer in a fraction of that.
        await Assert.ThrowsAsync<TimeoutException>(() => asked.WaitAsync(TimeSpan.FromSeconds(2), Token));
        Assert.Null(await keeper.AskAsync(id => new ResumeGuest(id)));
        Assert.Matches(@"^\d", await asked.WaitAsync(Patience, Token));
    }

    /// <summary>A second machine goes on from what is kept of the first, which goes on too; what was kept stays as it was.</summary>
    private static async Task ForkAndRestoreAsync(TestKeeper keeper, AgentConnection agent, TinyImage image)
    {
        var kept = Directory.CreateTempSubdirectory("oriel-kept-");
        try
        {
            await RunAsync(agent, "echo kept > /dev/shm/memory; echo kept > /home/user/disk");
            Assert.Null(await keeper.AskAsync(id => new ForkGuest(id, kept.FullName), Patience));
            await RunAsync(agent, "echo later > /dev/shm/memory; echo later > /home/user/disk");
            var before = DigestsOf(kept);

            await using var other = await TestKeeper.StartAsync(
                untilRunning: false,
                limits: keeper.Spec.Limits,
                change: spec =>
                    spec with
                    {
                        Driver = keeper.Spec.Driver,
                        Accelerator = keeper.Spec.Accelerator,
                        TimeScale = keeper.Spec.TimeScale,
                        ImagePath = image.Path,
                        Snapshot = new KeeperSnapshot(kept.FullName, IsRestore: true),
                    }
            );
            await other.WaitForAsync<GuestRunning>(patience: Patience);
            using var second = await AgentConnection.OpenAsync(other.Bundle.AgentSocket, other.Spec.AgentKey, Token);
            Assert.Equal(
                "tiny\nkept\nkept\n",
                await RunAsync(second, $"cat {Notes} /dev/shm/memory /home/user/disk; echo mine > /dev/shm/memory")
            );
            Assert.Equal("later\nlater\n", await RunAsync(agent, "cat /dev/shm/memory /home/user/disk"));
            Assert.Equal(before, DigestsOf(kept));
        }
        finally
        {
            kept.Delete(recursive: true);
        }
    }

    private static string[] DigestsOf(DirectoryInfo directory) =>
        [
            .. directory
                .EnumerateFiles()
                .OrderBy(file => file.Name, StringComparer.Ordinal)
                .Select(file =>
                {
                    using var stream = file.OpenRead();
                    return $"{file.Name} {Convert.ToHexString(SHA256.HashData(stream))}";
                }),
        ];

    private static async Task<string> RunAsync(AgentConnection agent, string command)
    {
        var outcome = await agent.RunAsync(Token, "sh", "-c", command);
        Assert.True(outcome.Exit.ExitCode == 0, outcome.Stderr + outcome.Exit.Error);
        return outcome.Stdout;
    }
}
