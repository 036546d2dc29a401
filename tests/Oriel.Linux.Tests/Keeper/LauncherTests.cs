using Oriel.Desktops.Keepers;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>Keepers that do not get as far as their guest.</summary>
public sealed class LauncherTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("oriel-keeper-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task StartAsync_OfASpecThatTheKeeperRefuses_SaysWhy()
    {
        KeeperRing.Require();
        var fault = await Assert.ThrowsAsync<KeeperLaunchException>(() =>
            new KeeperLauncher("/nonexistent/oriel-keeper").StartAsync(SpecOf("b/../b"), CancellationToken.None)
        );
        Assert.Contains("/nonexistent/oriel-keeper", fault.Message);
    }

    /// <summary>
    /// A disk that takes neither the keeper's identity nor a line of its log: the words must reach the server without it.
    /// </summary>
    [Fact]
    public async Task StartAsync_KeeperThatCannotWrite_SaysWhyThoughItsLogIsFull()
    {
        KeeperRing.Require();
        var spec = SpecOf("b");
        var bundle = new Bundle(spec.Bundle);
        Directory.CreateDirectory(bundle.Path);
        File.CreateSymbolicLink(bundle.KeeperLog, "/dev/full");
        File.CreateSymbolicLink(Path.Combine(bundle.Path, $".{Path.GetFileName(bundle.Identity)}.new"), "/dev/full");
        var fault = await Assert.ThrowsAsync<KeeperLaunchException>(() =>
            new KeeperLauncher(KeeperRing.KeeperPath).StartAsync(spec, CancellationToken.None)
        );
        Assert.Matches("^The keeper ended with code 1: No space left on device.*$", fault.Message);
    }

    /// <summary>
    /// However far the start has come: unshare, while it makes the namespaces, has a helper that waits for it, for ever if it dies.
    /// </summary>
    [Fact]
    public async Task StartAsync_GivenUpAtAnyMoment_LeavesNoProcess()
    {
        KeeperRing.Require();
        var begun = 0;
        for (var i = 0; i < 150; i++)
        {
            using var given = new CancellationTokenSource(TimeSpan.FromMilliseconds(i % 30));
            try
            {
                KeeperLiveness.Kill(await new KeeperLauncher(KeeperRing.KeeperPath).StartAsync(SpecOf($"{i}"), given.Token));
                begun++;
            }
            catch (OperationCanceledException)
            {
                // Given up.
            }
        }

        await Eventually.HoldsAsync(
            () => HostProcesses.Naming(_directory).Count == 0,
            () => $"of {150 - begun} that were given up there are: {string.Join("; ", HostProcesses.Naming(_directory))}",
            KeeperRing.Deadline
        );
    }

    private KeeperSpec SpecOf(string name) =>
        new(
            "d-abcdefghij",
            Path.Combine(_directory, name),
            "container",
            "/nowhere",
            "sha256:x",
            "/nowhere",
            [],
            [],
            "h",
            new KeeperLimits(0, 0, 0, null)
        );
}
