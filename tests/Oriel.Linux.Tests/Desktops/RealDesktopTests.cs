using Microsoft.Extensions.Logging.Abstractions;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Loop;
using Oriel.Desktops.Node;
using Oriel.Desktops.Registry;
using Oriel.Desktops.Store;
using Oriel.Desktops.Templates;
using Oriel.Egress;
using Oriel.Egress.Policy;
using Oriel.Images.Store;
using Oriel.Images.Tools;
using Oriel.Protocol;
using Oriel.Protocol.Guest;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Desktops;

/// <summary>Desktops with the real keeper, image and agent; the server's part above them is the real one as well, without HTTP.</summary>
public sealed class RealDesktopTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Desktop_ReadyThenServerGone_IsAdoptedByTheNextAndDestroyedWithoutTrace()
    {
        var data = NewDataDirectory();
        Desktop desktop;
        await using (var node = await NodeAsync(data))
        {
            desktop = (await node.Service.CreateAsync(Spec())).Desktop!;
            await UntilAsync(desktop, DesktopState.Ready);
            Assert.NotNull(desktop.Attestation);
            Assert.Equal(
                Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData("from the test"u8)),
                Assert.Single(desktop.Attestation!.Files).Sha256
            );
        }

        Assert.NotEmpty(HostProcesses.Naming(data));
        await using (var node = await NodeAsync(data))
        {
            Assert.True(node.Service.TryGet(desktop.Id, out var adopted));
            await UntilAsync(adopted, DesktopState.Ready);
            Assert.Equal(desktop.Attestation!.KeeperPid, adopted.Attestation!.KeeperPid);
            await adopted.DestroyAsync(DesktopReason.Of(ReasonCodes.Requested, "the test is done"), Token);
            await UntilAsync(adopted, DesktopState.Destroyed);
        }

        await AssertNothingLeftAsync(data);
    }

    [Fact]
    public async Task Keeper_Killed_FailsTheDesktopAndLeavesNothing()
    {
        var data = NewDataDirectory();
        await using (var node = await NodeAsync(data))
        {
            var desktop = (await node.Service.CreateAsync(Spec())).Desktop!;
            await UntilAsync(desktop, DesktopState.Configuring);
            KeeperLiveness.Kill(new DataLayout(data).BundleOf(desktop.Id.ToString()).ReadIdentity()!);
            await UntilAsync(desktop, DesktopState.Destroyed);
            Assert.Contains(
                desktop.View.Reason!.Code,
                (string[])[ReasonCodes.KeeperDied, "guest-killed", ReasonCodes.AgentUnreachable, ReasonCodes.StepFailed]
            );
        }

        await AssertNothingLeftAsync(data);
    }

    /// <summary>By the server that made it, and by one that adopted it.</summary>
    [Fact]
    public async Task Session_ThatEnds_FailsTheReadyDesktopNamingWhatEnded()
    {
        var data = NewDataDirectory();
        Desktop kept;
        await using (var node = await NodeAsync(data))
        {
            var desktop = (await node.Service.CreateAsync(Spec())).Desktop!;
            kept = (await node.Service.CreateAsync(Spec())).Desktop!;
            await UntilAsync(desktop, DesktopState.Ready);
            await UntilAsync(kept, DesktopState.Ready);
            await EndSessionAsync(node, desktop);
        }

        await using (var node = await NodeAsync(data))
        {
            Assert.True(node.Service.TryGet(kept.Id, out var adopted));
            await UntilAsync(adopted, DesktopState.Ready);
            await EndSessionAsync(node, adopted);
        }

        await AssertNothingLeftAsync(data);
    }

    private static async Task EndSessionAsync(Node node, Desktop desktop)
    {
        var agent = await node.Service.ConnectAgentAsync(desktop.Id, Token);
        using var exec = agent.Guest.Exec(cancellationToken: Token);
        await exec.RequestStream.WriteAsync(
            new ExecInput
            {
                Start = new ExecStart
                {
                    Command = "/bin/sh",
                    Args =
                    {
                        "-c",
                        "for p in /proc/[0-9]*; do read name <$p/comm && [ \"$name\" = xfce4-session ] && kill -9 ${p#/proc/}; done",
                    },
                },
            },
            Token
        );
        await UntilAsync(desktop, DesktopState.Destroyed);
        Assert.Equal(ReasonCodes.SessionDied, desktop.View.Reason!.Code);
        Assert.Contains("xfce4-session", desktop.View.Reason.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Server_GoneInTheMiddleOfCreating_NextServerFailsItAndLeavesNothing()
    {
        var data = NewDataDirectory();
        Desktop desktop;
        await using (var node = await NodeAsync(data))
        {
            desktop = (await node.Service.CreateAsync(Spec())).Desktop!;
            await UntilAsync(desktop, DesktopState.Booting);
        }

        await using (var node = await NodeAsync(data))
        {
            Assert.True(node.Service.TryGet(desktop.Id, out var found));
            await UntilAsync(found, DesktopState.Destroyed);
            Assert.Equal(ReasonCodes.ServerRestarted, found.View.Reason!.Code);
        }

        await AssertNothingLeftAsync(data);
    }

    private static DesktopSpec Spec() =>
        new()
        {
            Template = DesktopTemplate.DefaultName,
            Name = "ring",
            Image = "desktop",
            Width = 1280,
            Height = 720,
            Hostname = "ring",
            TimeZone = "Europe/Paris",
            KeyboardLayout = "us",
            Files = [new FileSpec("/home/user/from-the-test.txt", "from the test"u8.ToArray(), 0x180, "user")],
            Environment = new Dictionary<string, string> { ["FROM_THE_TEST"] = "yes" },
            Egress = EgressPolicy.None,
            Limits = new DesktopLimits(0, 0, 0),
        };

    /// <summary>Waits for the state's own event; the deadline tells where it stood.</summary>
    private static async Task UntilAsync(Desktop desktop, DesktopState state)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Token);
        limit.CancelAfter(TimeSpan.FromMinutes(4));
        try
        {
            await foreach (var item in desktop.Events.ReadAsync(0, limit.Token))
            {
                var now = desktop.View;
                if (now.State == state)
                {
                    return;
                }

                Assert.True(
                    state == DesktopState.Destroyed || now.State is not (DesktopState.Failed or DesktopState.Destroyed),
                    $"{now.State}: {now.Reason}\n{string.Join('\n', now.Reason?.Log ?? [])}"
                );
            }
        }
        catch (OperationCanceledException) when (!Token.IsCancellationRequested)
        {
            throw new TimeoutException(
                $"The desktop is {desktop.View.State}, not {state}; last step: {desktop.View.Steps.LastOrDefault()}"
            );
        }

        Assert.Equal(state, desktop.View.State);
    }

    private static string NewDataDirectory()
    {
        var (app, images) = (Environment.GetEnvironmentVariable("ORIEL_TEST_APP"), Environment.GetEnvironmentVariable("ORIEL_TEST_DATA"));
        if (app is null || images is null)
        {
            Assert.Skip("ORIEL_TEST_APP (oriel-keeper) and ORIEL_TEST_DATA (an image) are not set: ./oriel test sets them.");
        }

        if (new ImageStore(new DataLayout(images).Images).FindUsable("desktop") is null)
        {
            Assert.Skip($"{images} has no usable image 'desktop'.");
        }

        return Directory.CreateTempSubdirectory("oriel-real-").FullName;
    }

    private static async Task<Node> NodeAsync(string data)
    {
        var layout = new DataLayout(data);
        Directory.CreateDirectory(layout.Run);
        var database = new DesktopDbContextFactory(layout.Database);
        await database.MigrateAsync(Token);
        var egress = EgressGateway.Start(
            new EgressOptions { SocketPath = layout.EgressSocket },
            TimeProvider.System,
            NullLogger<EgressGateway>.Instance
        );
        var images = new ImageStore(new DataLayout(Environment.GetEnvironmentVariable("ORIEL_TEST_DATA")!).Images);
        var keepers = new LocalKeeperHost(
            Path.Combine(Environment.GetEnvironmentVariable("ORIEL_TEST_APP")!, "oriel-keeper"),
            TimeProvider.System
        );
        var service = new DesktopService(
            new DesktopOptions { Layout = layout },
            new DesktopStore(database),
            keepers,
            egress,
            images,
            new TemplateCatalog([]),
            CgroupDelegation.Detect(NullLogger.Instance),
            new DesktopMetrics(),
            TimeProvider.System,
            NullLoggerFactory.Instance
        );
        await service.StartAsync(Token);
        return new Node(service, egress);
    }

    private static async Task AssertNothingLeftAsync(string data)
    {
        Assert.Empty(Directory.EnumerateFileSystemEntries(new DataLayout(data).Desktops));
        // The kernel ends a killed keeper's parent a moment after the keeper itself.
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (HostProcesses.Naming(data) is { Count: > 0 } left)
        {
            Assert.False(deadline.IsCancellationRequested, "processes are left: " + string.Join("; ", left));
            await timer.WaitForNextTickAsync(Token);
        }

        Assert.DoesNotContain(data, File.ReadAllText("/proc/self/mounts"));
        Directory.Delete(data, recursive: true);
    }

    private sealed record Node(DesktopService Service, EgressGateway Egress) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Service.DisposeAsync();
            await Egress.DisposeAsync();
        }
    }
}
