using Microsoft.Extensions.Logging;
using Oriel.Desktops.Node;
using Oriel.Tests.Server;
using Oriel.Tests.Shared;

namespace Oriel.Tests.Desktops;

public sealed class CgroupDelegationTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("oriel-cgroup-").FullName;

    private string Leaf => Path.Combine(_root, "oriel-server");

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void TryRemoveLeaf_ThereIsNone_HasNothingToDo() => Assert.True(CgroupDelegation.TryRemoveLeaf(_root));

    /// <summary>A file in the leaf stands for what the kernel does not let go of.</summary>
    [Theory]
    [InlineData("1", "")]
    [InlineData("", "d-aaaaaaaaaa")]
    public void TryRemoveLeaf_AnotherServersOrADesktopsGroup_IsLeftAlone(string process, string group)
    {
        Directory.CreateDirectory(Leaf);
        File.WriteAllText(Path.Combine(Leaf, "cgroup.procs"), process);
        Directory.CreateDirectory(Path.Combine(_root, group));
        File.WriteAllText(Path.Combine(_root, "cgroup.subtree_control"), "cpu memory");

        Assert.False(CgroupDelegation.TryRemoveLeaf(_root));
        Assert.True(Directory.Exists(Leaf));
        Assert.Equal("cpu memory", File.ReadAllText(Path.Combine(_root, "cgroup.subtree_control")));
    }

    /// <summary>As systemd removes a scope's groups once its last process has ended. Here a file keeps the directory until then.</summary>
    [Fact]
    public async Task RemoveAsync_SomebodyElseRemovesItMeanwhile_IsNoError()
    {
        var group = Directory.CreateDirectory(Path.Combine(_root, "d-aaaaaaaaaa")).FullName;
        var removing = CgroupDelegation.RemoveAsync(group);
        await Eventually.HoldsAsync(() => File.Exists(Path.Combine(group, "cgroup.kill")), () => "it was not killed");
        Directory.Move(group, Path.Combine(_root, "elsewhere"));

        await removing;
    }

    [Fact]
    public void Detect_NoGroupOfItsOwn_SaysInOneLineWhatIsMissingAndWhatToDo()
    {
        File.WriteAllText(Path.Combine(_root, "mounts"), "proc /proc proc rw 0 0\n");
        File.WriteAllText(Path.Combine(_root, "cgroup"), "0::/user.slice\n");
        var log = new TestServer.Lines();
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(log));
        CgroupDelegation.Detect(factory.CreateLogger("test"), _root);

        Assert.Contains("Desktops cannot be paused, nor limited in memory, CPU and processes: there is no cgroup v2 here; ", log.Text);
        Assert.Contains("systemd-run --user --scope -p Delegate=yes ./oriel up", log.Text);
        Assert.DoesNotContain('\n', log.Text.Trim());
    }
}
