using System.Text.Json.Nodes;
using Oriel.Desktops.Node;
using Oriel.Images.Store;
using Oriel.Protocol.Layout;
using Oriel.Server.Commands.Doctor;
using Oriel.Tests.Processes;

namespace Oriel.Tests.Doctor;

/// <summary>What doctor finds on hosts of many kinds: trees of files stand for what the kernel shows.</summary>
[Collection(nameof(Alone))]
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
        var finding = await NamespaceChecks.UserNamespacesAsync(
            Token,
            _root,
            "sh",
            "-c",
            "echo 'unshare failed: Operation not permitted' >&2; exit 1"
        );

        Assert.Equal((DoctorOutcome.Fail, "unshare failed: Operation not permitted"), (finding.Outcome, finding.Seen));
        Assert.Contains(mend, finding.Mend);
    }

    [Fact]
    public async Task UserNamespaces_ThatCanBeMade_AreOk()
    {
        var finding = await NamespaceChecks.UserNamespacesAsync(Token, _root, "true");

        Assert.Equal((DoctorOutcome.Ok, null), (finding.Outcome, finding.Mend));
    }

    [Theory]
    [InlineData("128\n", DoctorOutcome.Ok, "about 5 container desktops", null)]
    [InlineData("60\n", DoctorOutcome.Warn, "about 2 container desktops", "sudo sysctl fs.inotify.max_user_instances=1024")]
    [InlineData(null, DoctorOutcome.Warn, "there is no", "CONFIG_INOTIFY_USER")]
    public void Inotify_OfTheHost_IsToldInDesktops(string? most, object outcome, string seen, string? mend)
    {
        if (most is not null)
        {
            Write("max_user_instances", most);
        }

        var finding = HostChecks.Inotify(Path.Combine(_root, "max_user_instances"));

        Assert.Equal(outcome, finding.Outcome);
        Assert.Contains(seen, finding.Seen);
        Assert.Contains(mend ?? "", finding.Mend ?? "");
        Assert.Equal(mend is null, finding.Mend is null);
    }

    [Fact]
    public void Tools_ThatAreMissing_FailAndNameTheirPackages()
    {
        var finding = HostChecks.Tools(DesktopDriver.Container, DoctorOutcome.Fail, _root, []);
        Assert.Equal(
            (
                DoctorOutcome.Fail,
                "setsid, unshare, newuidmap, newgidmap, ip, nft, nsenter and crun are not installed",
                "sudo apt-get install crun iproute2 nftables uidmap util-linux"
            ),
            (finding.Outcome, finding.Seen, finding.Mend)
        );
    }

    [Fact]
    public void Cgroup_NotMounted_WarnsAndSaysWhatHelps()
    {
        Write("mounts", "cgroup /sys/fs/cgroup/memory cgroup rw 0 0");
        Write("cgroup", "4:memory:/");
        var finding = HostChecks.Cgroup(_root);

        Assert.Equal((DoctorOutcome.Warn, "no cgroup2 is mounted"), (finding.Outcome, finding.Seen));
        Assert.Contains("systemd.unified_cgroup_hierarchy=1", finding.Mend);
        Assert.DoesNotContain("Delegate", finding.Mend);
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
        Assert.Contains("./oriel up", finding.Mend);
    }

    /// <summary>./oriel has asked systemd for a group, and tells by this variable why it got none.</summary>
    [Fact]
    public void Cgroup_NotToBeHad_SaysWhatTheScriptFoundMissing()
    {
        Environment.SetEnvironmentVariable("ORIEL_SCOPE_PROBLEM", "no systemd user manager runs for ann: sudo loginctl enable-linger ann");
        try
        {
            MountCgroup("");
            Assert.Contains("enable-linger ann", HostChecks.Cgroup(_root).Mend);
        }
        finally
        {
            Environment.SetEnvironmentVariable("ORIEL_SCOPE_PROBLEM", null);
        }
    }

    [Fact]
    public void Cgroup_Delegated_IsOk()
    {
        MountCgroup("cpu io memory pids");

        Assert.Equal(DoctorOutcome.Ok, HostChecks.Cgroup(_root).Outcome);
    }

    /// <summary>
    /// Where ./oriel, started as root, has put it: what counts is the group that holds the desktops' groups, not the server's leaf in it.
    /// </summary>
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
        var finding = DataChecks.Disk("/data", (long)(gibibytes * (1L << 30)));

        Assert.Equal((DoctorOutcome)outcome, finding.Outcome);
        Assert.Contains($"{gibibytes:0.0} GiB free at /data", finding.Seen);
        Assert.Equal(outcome == (int)DoctorOutcome.Ok, finding.Mend is null);
        Assert.Equal("disk", DataChecks.Disk(_root).Name);
    }

    [Theory]
    [InlineData(7, false)]
    [InlineData(8, true)]
    public void Image_OlderThanAWeek_IsWarnedOfWithWhatUpdatesIt(int days, bool warned)
    {
        AddImage();
        var finding = DataChecks.Image(_root, new FixedClock(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).AddDays(days)));

        Assert.Equal(warned ? DoctorOutcome.Warn : DoctorOutcome.Ok, finding.Outcome);
        Assert.Equal(warned, finding.Mend?.Contains("--update", StringComparison.Ordinal) ?? false);
    }

    private sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }

    [Fact]
    public void Fonts_OfTheImage_NameWhatIsMissing()
    {
        Assert.Contains("./oriel up", DataChecks.Fonts(_root).Mend);
        AddImage("fonts-dejavu-core", "fonts-noto-cjk");
        var without = DataChecks.Fonts(_root);
        AddImage("fonts-dejavu-core", "fonts-noto-cjk", "fonts-noto-color-emoji");

        Assert.Equal((DoctorOutcome.Warn, "without fonts-noto-color-emoji"), (without.Outcome, without.Seen));
        Assert.Contains("packages.txt", without.Mend);
        Assert.Equal(DoctorOutcome.Ok, DataChecks.Fonts(_root).Outcome);
    }

    [Fact]
    public void DataDirectory_ThatDoesNotExist_IsToldAndNotMade()
    {
        var data = Path.Combine(_root, "not", "yet");

        Assert.Equal($"{data} does not exist yet: ./oriel up makes it", DataChecks.Directory(data).Seen);
        Assert.Equal(DoctorOutcome.Ok, DataChecks.Directory(_root).Outcome);
        Assert.Contains("GiB free at", DataChecks.Disk(data).Seen);
        Assert.Equal("none yet", DataChecks.Image(data).Seen);
        Assert.False(Directory.Exists(Path.Combine(_root, "not")));
    }

    [Fact]
    public async Task Overlay_DataDirectoryThatDoesNotExist_IsTriedAboveItAndLeavesNothing()
    {
        var finding = await DataChecks.OverlayAsync(Path.Combine(_root, "not", "yet"), Token);

        Assert.Contains(
            finding.Outcome == DoctorOutcome.Ok ? $"works in {_root}" : "--data",
            finding.Outcome == DoctorOutcome.Ok ? finding.Seen : finding.Mend
        );
        Assert.Empty(Directory.EnumerateFileSystemEntries(_root));
    }

    /// <summary>A folder of the kernel's, in which nobody makes one.</summary>
    [Fact]
    public async Task Overlay_NothingCanBeMadeThere_SaysThatItWasNotTried()
    {
        var finding = await DataChecks.OverlayAsync("/proc/sys/oriel", Token);

        Assert.Equal(DoctorOutcome.Ok, finding.Outcome);
        Assert.StartsWith("not tried: /proc/sys/oriel does not exist yet", finding.Seen);
    }

    [Fact]
    public void Image_FailedItsBootTest_NamesTheCauseAndNoBuildThatFailsTheSameWay()
    {
        AddImage(failed: "namespaces: mount cgroup2 on /sys/fs/cgroup: EBUSY (device or resource busy)");
        var finding = DataChecks.Image(_root);

        Assert.Equal(
            (DoctorOutcome.Fail, "failed its boot test: namespaces: mount cgroup2 on /sys/fs/cgroup: EBUSY (device or resource busy)"),
            (finding.Outcome, finding.Seen)
        );
        Assert.Contains("./oriel image test desktop", finding.Mend);
        Assert.DoesNotContain("image build", finding.Mend);
    }

    [Fact]
    public async Task Mounts_OneIsRefused_FailAndNameIt()
    {
        var refused = await NamespaceChecks.MountsAsync(
            Token,
            "sh",
            "-c",
            "echo 'cgroup2 on /sys/fs/cgroup: mount: /sys/fs/cgroup: cgroup2 already mounted.'; echo '  dmesg(1) may have more'; exit 1"
        );
        var done = await NamespaceChecks.MountsAsync(Token, "true");

        Assert.Equal(
            (DoctorOutcome.Fail, "cgroup2 on /sys/fs/cgroup: mount: /sys/fs/cgroup: cgroup2 already mounted."),
            (refused.Outcome, refused.Seen)
        );
        Assert.DoesNotContain("apt-get", refused.Mend);
        Assert.Equal((DoctorOutcome.Ok, null), (done.Outcome, done.Mend));
    }

    /// <summary>One id is the user's own, the others come from /etc/subuid; the range that is advised is nobody's yet.</summary>
    [Theory]
    [InlineData("0 1000 1\n1 100000 65535\n", "ann:100000:65536", "ann:100000:65536", (int)DoctorOutcome.Ok, "65536 of the 65536", null)]
    [InlineData(
        "0 1000 1\n1 100000 999\n",
        "ann:100000:1000",
        "ann:100000:1000",
        (int)DoctorOutcome.Fail,
        "1000 of the 65536",
        "--add-subuids 200000-265535 --add-subgids 200000-265535 ann"
    )]
    [InlineData(null, "", "", (int)DoctorOutcome.Fail, "unshare failed", "--add-subuids 200000-265535 --add-subgids 200000-265535 ann")]
    [InlineData(
        null,
        "oriel:200000:65536",
        "oriel:200000:65536",
        (int)DoctorOutcome.Fail,
        "unshare failed",
        "--add-subuids 265536-331071 --add-subgids 265536-331071 ann"
    )]
    [InlineData(
        null,
        "oriel:200000:65536",
        "bob:265536:65536",
        (int)DoctorOutcome.Fail,
        "unshare failed",
        "--add-subuids 331072-396607 --add-subgids 331072-396607 ann"
    )]
    [InlineData(
        null,
        "1000:200000:65536",
        "oriel:200000:65536",
        (int)DoctorOutcome.Fail,
        "unshare failed",
        "usermod --add-subgids 265536-331071 ann"
    )]
    [InlineData(null, "ann:200000:65536", "ann:200000:65536", (int)DoctorOutcome.Fail, "unshare failed", "setuid root")]
    public void SubordinateIds_AsTheyAre_AreCountedAndAFreeRangeIsAdvised(
        string? map,
        string subuid,
        string subgid,
        int outcome,
        string seen,
        string? mend
    )
    {
        Assert.SkipWhen(
            Oriel.Linux.Processes.Programs.Problem(Oriel.Linux.Processes.Programs.SearchPath, "newuidmap", "newgidmap") is not null,
            "newuidmap is not installed, which comes first."
        );
        Write("subuid", subuid);
        Write("subgid", subgid);
        var finding = NamespaceChecks.JudgeIds(
            map is null ? new HostProbeResult(1, "unshare failed") : new HostProbeResult(0, map),
            "ann",
            "1000",
            _root
        );

        Assert.Equal((DoctorOutcome)outcome, finding.Outcome);
        Assert.Contains(seen, finding.Seen);
        Assert.Equal(mend is null, finding.Mend is null);
        Assert.Contains(mend ?? "", finding.Mend ?? "");
    }

    [Theory]
    [InlineData("open of /dev/kvm: Permission denied", "oriel", "usermod -aG kvm oriel, then start Oriel again")]
    [InlineData("open of /dev/kvm: Permission denied", "ann", "usermod -aG kvm ann, then sign in again")]
    [InlineData("KVM_RUN: Invalid argument", "ann", "runs no guest")]
    public void Kvm_ThatDoesNotWork_IsMendedOnlyByWhatHelps(string seen, string user, string mend) =>
        Assert.EndsWith(
            mend,
            HostChecks
                .KvmMend(seen, user)
                .Replace(" (it may be a guest itself, whose host allows no nested virtualisation)", "", StringComparison.Ordinal)
        );

    [Fact]
    public void Qemu_WithoutItsFirmware_WarnsAndNamesThePackage()
    {
        var without = HostChecks.Qemu("QEMU emulator version 10.0", [_root]);
        Write("qboot.rom", "");
        var with = HostChecks.Qemu("QEMU emulator version 10.0", ["/nowhere", _root]);

        Assert.Equal((DoctorOutcome.Warn, "QEMU emulator version 10.0, without its firmware qboot.rom"), (without.Outcome, without.Seen));
        Assert.Contains("qemu-system-data", without.Mend);
        Assert.Equal((DoctorOutcome.Ok, $"QEMU emulator version 10.0, {_root}/qboot.rom"), (with.Outcome, with.Seen));
    }

    /// <summary>A user's PATH without /usr/sbin: what is there is not to be installed.</summary>
    [Fact]
    public void Tools_InAFolderThatPathLacks_FailAndNameThePath()
    {
        foreach (var tool in (string[])["setsid", "unshare", "newuidmap", "newgidmap", "ip", "nft", "nsenter", "crun"])
        {
            Write($"sbin/{tool}", "");
        }

        var finding = HostChecks.Tools(DesktopDriver.Container, DoctorOutcome.Fail, "/nowhere", [Path.Combine(_root, "sbin")]);
        Assert.Contains($"are in {_root}/sbin, which PATH lacks", finding.Seen);
        Assert.Equal($"export PATH=$PATH:{_root}/sbin", finding.Mend);
    }

    private void MountCgroup(string controllers)
    {
        Write("mounts", $"cgroup2 {_root}/sys cgroup2 rw 0 0");
        Write("cgroup", "0::/user.slice");
        Write("sys/user.slice/cgroup.controllers", controllers);
    }

    private void AddImage(params string[] packages) => AddImage(null, packages);

    private void AddImage(string? failed, string[]? packages = null)
    {
        var hex = new string('b', 64);
        var image = new ImageDirectory(Path.Combine(new DataLayout(_root).Images, hex));
        Directory.CreateDirectory(image.Tree);
        File.WriteAllText(
            image.Manifest,
            new JsonObject
            {
                ["name"] = "desktop",
                ["digest"] = "sha256:" + hex,
                ["suite"] = "trixie",
                ["recipeHash"] = "",
                ["size"] = 1,
                ["entries"] = 1,
                ["createdAt"] = "2026-01-01T00:00:00+00:00",
                ["packages"] = new JsonArray([.. (packages ?? []).Select(name => new JsonObject { ["name"] = name, ["version"] = "1" })]),
                ["bootTest"] = new JsonObject
                {
                    ["passed"] = failed is null,
                    ["reason"] = failed,
                    ["at"] = "2026-01-01T00:00:00+00:00",
                    ["steps"] = new JsonArray(),
                },
            }.ToJsonString()
        );
    }

    private void Write(string path, string content)
    {
        var whole = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(whole)!);
        File.WriteAllText(whole, content + "\n");
    }
}
