using System.Diagnostics;
using System.Text.Json;
using Oriel.Desktops.Keepers;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Keeper;

/// <summary>A keeper that ends by any means takes everything of its desktop with it.</summary>
public sealed class CleanUpTests
{
    [Theory]
    [InlineData("keeper")]
    [InlineData("unshare")]
    [InlineData("guest")]
    public async Task Kill9_OfAnyOfThem_LeavesNothing(string victim)
    {
        await using var keeper = await TestKeeper.StartAsync();
        await keeper.RunAsync(
            "echo kept > /root/file; mkdir -p /home/user/d; chown 1000:1000 /home/user/d; (setpriv --reuid 1000 --regid 1000 --clear-groups setsid sleep 600 >/dev/null 2>&1 &)"
        );
        var family = ProcessFamily.Of(keeper.Identity.Pid);
        var networks = family[2..]
            .Select(member => ProcessFamily.LinkOf($"/proc/{member.Pid}/ns/net"))
            .Append(ProcessFamily.LinkOf($"/proc/{keeper.Identity.Pid}/ns/net"))
            .OfType<string>()
            .ToHashSet();
        var interfaces = Interfaces();
        Assert.Equal(2, networks.Count);

        var target = victim switch
        {
            "unshare" => family[0],
            "keeper" => family[1],
            _ => family.First(member => File.ReadAllText($"/proc/{member.Pid}/cmdline").Contains("oriel-agent", StringComparison.Ordinal)),
        };
        using (var process = Process.GetProcessById(target.Pid))
        {
            process.Kill();
        }

        await Eventually.HoldsAsync(
            () => !family.Any(member => member.IsThere),
            () => $"there are {string.Join(", ", family.Where(member => member.IsThere))}",
            KeeperRing.Deadline
        );
        await Eventually.HoldsAsync(
            () => !ProcessFamily.NetworkNamespaces().Overlaps(networks),
            () => $"there are {string.Join(", ", ProcessFamily.NetworkNamespaces())}, of those {string.Join(", ", networks)} must go",
            KeeperRing.Deadline
        );
        Assert.False(KeeperLiveness.IsAlive(keeper.Identity));
        Assert.Equal(interfaces, Interfaces());
        Assert.DoesNotContain(keeper.Bundle.Path, await File.ReadAllTextAsync("/proc/self/mountinfo"));
        Assert.DoesNotContain(Mounts(), line => line.Contains(keeper.Bundle.Path, StringComparison.Ordinal));
        if (victim == "guest")
        {
            var exit = await File.ReadAllBytesAsync(keeper.Bundle.Exit);
            var last = (KeeperExit)JsonSerializer.Deserialize(exit, KeeperMessageContext.Default.KeeperMessage)!;
            Assert.Equal(("guest-killed", "signal 9"), (last.Reason, last.Detail));
        }

        Assert.Equal("kept\n", await File.ReadAllTextAsync(Path.Combine(keeper.Bundle.Scratch, "upper/root/file")));
        await BundleRemover.RemoveAsync(keeper.Bundle, CancellationToken.None);
        Assert.False(keeper.Bundle.Exists);
    }

    [Fact]
    public async Task Kill9_OfTheKeeperWhileTheGuestStarts_LeavesNothing()
    {
        await using var keeper = await TestKeeper.StartAsync(untilRunning: false);
        await keeper.WaitForStepAsync("container-create");
        var family = ProcessFamily.Of(keeper.Identity.Pid);

        KeeperLiveness.Kill(keeper.Identity);

        await Eventually.HoldsAsync(
            () => !family.Any(member => member.IsThere),
            () => $"there are {string.Join(", ", family.Where(member => member.IsThere))}",
            KeeperRing.Deadline
        );
    }

    [Fact]
    public async Task Image_AfterADesktopWroteEverywhere_IsUnchanged()
    {
        await using var keeper = await TestKeeper.StartAsync();
        var etc = Path.Combine(new ImageDirectory(keeper.Spec.ImagePath).Tree, "etc");
        var file = Path.Combine(etc, "hostname");
        var before = (File.Exists(file), Directory.GetLastWriteTimeUtc(etc));

        await keeper.RunAsync("echo changed > /etc/hostname; rm -rf /usr/share/doc; touch /etc/new");

        Assert.Equal(before, (File.Exists(file), Directory.GetLastWriteTimeUtc(etc)));
        Assert.False(File.Exists(Path.Combine(etc, "new")));
    }

    private static IEnumerable<string> Interfaces() => Directory.EnumerateDirectories("/sys/class/net").Order();

    // Every mount namespace that this user may look into.
    private static IEnumerable<string> Mounts()
    {
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            string[] lines;
            try
            {
                lines = File.ReadAllLines(Path.Combine(directory, "mountinfo"));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                continue;
            }

            foreach (var line in lines)
            {
                yield return line;
            }
        }
    }
}
