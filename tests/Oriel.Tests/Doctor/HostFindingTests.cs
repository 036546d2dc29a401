using System.Text.Json.Nodes;
using Oriel.Desktops.Drivers;
using Oriel.Images;
using Oriel.Server.Commands.Doctor;

namespace Oriel.Tests.Doctor;

/// <summary>What doctor finds on hosts of many kinds: trees of files stand for what the kernel shows.</summary>
public sealed class HostFindingTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("oriel-host-").FullName;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Theory]
    [InlineData("0", "0", "100", "kernel.unprivileged_userns_clone=1")]
    [InlineData("1", "1", "100", "kernel.apparmor_restrict_unprivileged_userns=0")]
    [InlineData("1", "0", "0", "user.max_user_namespaces=15000")]
    [InlineData("1", "0", "100", "CONFIG_USER_NS")]
    public async Task UserNamespaces_ThatCannotBeMade_FailAndNameTheSetting(string clone, string apparmor, string most, string mend)
    {
        Write("kernel/unprivileged_userns_clone", clone);
        Write("kernel/apparmor_restrict_unprivileged_userns", apparmor);
        Write("user/max_user_namespaces", most);
        var finding = await NamespaceChecks.UserNamespacesAsync(Token, _root, "sh", "-c", "echo 'unshare failed: Operation not permitted' >&2; exit 1");

        Assert.Equal((DoctorOutcome.Fail, "unshare failed: Operation not permitted"), (finding.Outcome, finding.Seen));
        Assert.Contains(mend, finding.Mend);
    }

    [Fact]
    public async Task UserNamespaces_ThatCanBeMade_AreOk()
    {
        var finding = await NamespaceChecks.UserNamespacesAsync(Token, _root, "true");

        Assert.Equal((DoctorOutcome.Ok, null), (finding.Outcome, finding.Mend));
    }

    [Fact]
    public void Tools_ThatAreMissing_FailAndNameTheirPackages()
    {
        var finding = HostChecks.Tools(DesktopDriver.Container, DoctorOutcome.Fail, _root, []);
        Assert.Equal(
            (DoctorOutcome.Fail, "setsid, unshare, newuidmap, newgidmap, ip, nft, nsenter and crun are not installed", "sudo apt-get install crun iproute2 nftables uidmap util-linux"),
            (finding.Outcome, finding.Seen, finding.Mend));
    }

    [Fact]
    public void Cgroup_NotMounted_WarnsAndSaysHowToDelegate()
    {
        Write("mounts", "cgroup /sys/fs/cgroup/memory cgroup rw 0 0");
        Write("cgroup", "4:memory:/");
        var finding = HostChecks.Cgroup(_root);

        Assert.Equal((DoctorOutcome.Warn, "no cgroup2 is mounted"), (finding.Outcome, finding.Seen));
        Assert.Contains("Delegate=yes", finding.Mend);
    }

    [Theory]
    [InlineData("", "it has no controllers")]
    [InlineData("memory pids", "lacks cpu")]
    public void Cgroup_NotDelegated_WarnsAndNamesWhatIsMissing(string controllers, string seen)
    {
        MountCgroup(controllers);
        var finding = HostChecks.Cgroup(_root);

        Assert.Equal(DoctorOutcome.Warn, finding.Outcome);
        Assert.Contains(seen, finding.Seen);
        Assert.Contains("Delegate=yes", finding.Mend);
    }

    [Fact]
    public void Cgroup_Delegated_IsOk()
    {
        MountCgroup("cpu io memory pids");

        Assert.Equal(DoctorOutcome.Ok, HostChecks.Cgroup(_root).Outcome);
    }

    /// <summary>Where ./oriel, started as root, has put it: what counts is the group that holds the desktops' groups, not the server's leaf in it.</summary>
    [Fact]
    public void Cgroup_InTheServersLeaf_IsJudgedByTheGroupAboveIt()
    {
        MountCgroup("cpu memory pids");
        Write("cgroup", "0::/user.slice/oriel-server");
        Write("sys/user.slice/oriel-server/cgroup.controllers", "");

        Assert.Equal(DoctorOutcome.Ok, HostChecks.Cgroup(_root).Outcome);
    }

    [Fact]
    public void Cgroup_OfAnotherOwner_WarnsThatItIsNotOurs()
    {
        // A file where the probe's directory would be made stands for a tree that may not be written to, for root as well.
        MountCgroup("cpu memory pids");
        Write("sys/user.slice/oriel-doctor", "");
        var finding = HostChecks.Cgroup(_root);

        Assert.Equal(DoctorOutcome.Warn, finding.Outcome);
        Assert.Contains("not ours to divide", finding.Seen);
    }

    [Fact]
    public void Tun_Missing_WarnsAndNamesTheModule()
    {
        var finding = HostChecks.Tun(Path.Combine(_root, "tun"));

        Assert.Equal(DoctorOutcome.Warn, finding.Outcome);
        Assert.Contains(_root, finding.Seen);
        Assert.Contains("modprobe tun", finding.Mend);
        Assert.Equal(DoctorOutcome.Ok, HostChecks.Tun("/dev/null").Outcome);
    }

    [Theory]
    [InlineData(1.9, (int)DoctorOutcome.Fail)]
    [InlineData(7.9, (int)DoctorOutcome.Warn)]
    [InlineData(8.1, (int)DoctorOutcome.Ok)]
    public void Disk_FreeSpace_IsJudgedAndSaysHowMuchIsNeeded(double gibibytes, int outcome)
    {
        var finding = HostChecks.Disk("/data", (long)(gibibytes * (1L << 30)));

        Assert.Equal((DoctorOutcome)outcome, finding.Outcome);
        Assert.Contains($"{gibibytes:0.0} GiB free at /data", finding.Seen);
        Assert.Equal(outcome == (int)DoctorOutcome.Ok, finding.Mend is null);
        Assert.Equal("disk", HostChecks.Disk(_root).Name);
    }

    [Fact]
    public void Fonts_OfTheImage_NameWhatIsMissing()
    {
        Assert.Contains("./oriel up", HostChecks.Fonts(_root).Mend);
        AddImage("fonts-dejavu-core", "fonts-noto-cjk");
        var without = HostChecks.Fonts(_root);
        AddImage("fonts-dejavu-core", "fonts-noto-cjk", "fonts-noto-color-emoji");

        Assert.Equal((DoctorOutcome.Warn, "without fonts-noto-color-emoji"), (without.Outcome, without.Seen));
        Assert.Contains("packages.txt", without.Mend);
        Assert.Equal(DoctorOutcome.Ok, HostChecks.Fonts(_root).Outcome);
    }

    private void MountCgroup(string controllers)
    {
        Write("mounts", $"cgroup2 {_root}/sys cgroup2 rw 0 0");
        Write("cgroup", "0::/user.slice");
        Write("sys/user.slice/cgroup.controllers", controllers);
    }

    private void AddImage(params string[] packages)
    {
        var hex = new string('b', 64);
        Directory.CreateDirectory(Path.Combine(DataDirectory.Images(_root), hex, "rootfs"));
        File.WriteAllText(Path.Combine(DataDirectory.Images(_root), hex, "manifest.json"), new JsonObject
        {
            ["name"] = "desktop",
            ["digest"] = "sha256:" + hex,
            ["suite"] = "trixie",
            ["recipeHash"] = "",
            ["size"] = 1,
            ["entries"] = 1,
            ["createdAt"] = "2026-01-01T00:00:00+00:00",
            ["packages"] = new JsonArray([.. packages.Select(name => new JsonObject { ["name"] = name, ["version"] = "1" })]),
            ["bootTest"] = new JsonObject { ["passed"] = true, ["at"] = "2026-01-01T00:00:00+00:00", ["steps"] = new JsonArray() },
        }.ToJsonString());
    }

    private void Write(string path, string content)
    {
        var whole = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(whole)!);
        File.WriteAllText(whole, content + "\n");
    }
}
