using Oriel.Linux.Tests.Keeper;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Linux.Tests.Firecracker;

/// <summary>
/// The keeper with its Firecracker driver and firecracker.pl in the VMM's place: everything up to the guest itself, without KVM. The real
/// namespaces, tap, disks, pipes and user; the stand-in says what it could do.
/// </summary>
public sealed class StandInTests : IDisposable
{
    // Not in /tmp, which is in memory on many a host: nothing is forked onto that.
    private readonly string _directory = Directory.CreateDirectory($"/var/tmp/oriel-fc-{Guid.NewGuid():n}").FullName;

    public StandInTests()
    {
        foreach (var disk in (string[])["vmlinux", "initramfs", "root.erofs"])
        {
            Directory.CreateDirectory(Path.Combine(_directory, "image/disks"));
            File.WriteAllText(Path.Combine(_directory, "image/disks", disk), disk);
        }

        // A link would not do: the keeper's /tmp is this one, but the program must be found by its name.
        var program = Path.Combine(_directory, "firecracker");
        File.Copy(Path.Combine(AppContext.BaseDirectory, "Firecracker", "firecracker.pl"), program);
        File.SetUnixFileMode(program, (UnixFileMode)0b111_101_101);
        File.SetUnixFileMode(_directory, (UnixFileMode)0b111_101_101);
        // What a keeper knows a delegated cgroup by; nothing limits anything here.
        foreach (var file in (string[])["cgroup.procs", "memory.max", "memory.swap.max", "cpu.max"])
        {
            Directory.CreateDirectory(Cgroup);
            File.WriteAllText(Path.Combine(Cgroup, file), "");
        }
    }

    private string Cgroup => Path.Combine(_directory, "cgroup");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Start_OfAMachine_GivesTheVmmItsFilesAndItsTapAndNoPower()
    {
        await using var keeper = await StartAsync("VMM_EXIT=148");
        var exited = await keeper.WaitForAsync<KeeperExit>();

        Assert.Equal("start-failed", exited.Reason);
        Assert.Contains(
            "agent-link: the guest ended before its agent answered: guest-exited, the VMM was ended by its own system-call filter",
            exited.Detail
        );
        var done = keeper
            .Seen.OfType<KeeperStep>()
            .Where(seen => seen.State == KeeperStepState.Done)
            .ToDictionary(seen => seen.Name, seen => seen.Detail);
        Assert.Equal(["namespaces", "network", "scratch", "vm-start", "vm-boot"], done.Keys);
        Assert.StartsWith("Firecracker 1.16.1", done["vm-start"]);
        var console = await File.ReadAllLinesAsync(keeper.Bundle.ConsoleLog, TestContext.Current.CancellationToken);
        string[] said =
        [
            $"named {TestKeeper.DesktopId}",
            "status Uid 64000",
            "status Capabilities none",
            "status CapBnd none",
            "status NoNewPrivs 1",
            "opened oriel0",
        ];
        Assert.Empty(said.Except(console));
        // Of this host: what packages install, devices, and its own descriptors.
        string[] seen =
        [
            .. console.Where(line => line.StartsWith("sees ", StringComparison.Ordinal)).Select(line => line["sees ".Length..]),
        ];
        Assert.Contains("/kernel", seen);
        Assert.Empty(seen.Select(path => path[1..]).Except(Root));
        // "makes" also a user namespace.
        string[] changes = ["makes", "renames", "writable"];
        Assert.DoesNotContain(console, line => changes.Any(change => line.StartsWith(change + " ", StringComparison.Ordinal)));
        Assert.Contains(
            console,
            line => line.StartsWith("asked PUT /machine-config {\"vcpu_count\":1,\"mem_size_mib\":64,", StringComparison.Ordinal)
        );
        Assert.Contains(
            console,
            line =>
                line.StartsWith("asked PUT /boot-source", StringComparison.Ordinal)
                && line.Contains("8250.nr_uarts=0\"", StringComparison.Ordinal)
        );
        Assert.Equal("the stand-in's log\n", await File.ReadAllTextAsync(keeper.Bundle.VmmLog, TestContext.Current.CancellationToken));
        Assert.Equal("{\"the stand-in\":1}", await File.ReadAllTextAsync(keeper.Bundle.VmmMetrics, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("VMM_FAULT=/boot-source", "vm-boot: Firecracker, PUT /boot-source: refused as told (status 400)")]
    [InlineData("VMM_VERSION=1.9.1", "vm-start: Firecracker 1.9.1 is too old")]
    public async Task Start_RefusedByTheVmm_FailsWithTheStepAndItsWord(string environment, string why)
    {
        await using var keeper = await StartAsync(environment);
        var exited = await keeper.WaitForAsync<KeeperExit>();
        Assert.Equal("start-failed", exited.Reason);
        Assert.StartsWith(why, exited.Detail);
        await keeper.WaitForEndAsync();
    }

    [Theory]
    [InlineData("/version", "vm-start: Firecracker, GET /version")]
    [InlineData("/logger", "vm-boot: Firecracker, PUT /logger")]
    [InlineData("/machine-config", "vm-boot: Firecracker, PUT /machine-config")]
    [InlineData("/network-interfaces/eth0", "vm-boot: Firecracker, PUT /network-interfaces/eth0")]
    [InlineData("/actions", "vm-boot: Firecracker, PUT /actions")]
    public async Task Start_VmmThatEndsInARequest_FailsWithItsEndAndItsLastWords(string path, string request)
    {
        await using var keeper = await StartAsync($"VMM_DIES={path} VMM_EXIT=148");
        var exited = await keeper.WaitForAsync<KeeperExit>();
        Assert.Equal("start-failed", exited.Reason);
        Assert.StartsWith(request + ": ", exited.Detail);
        Assert.Contains("; Firecracker has ended: " + EndOfTheFilter, exited.Detail);
    }

    [Theory]
    [InlineData("fork", "/snapshot/create", "148", "Firecracker, PUT /snapshot/create", EndOfTheFilter, "guest-exited")]
    [InlineData("fork", "/snapshot/create", "kill", "Firecracker, PUT /snapshot/create", "signal 9", "guest-killed")]
    [InlineData("save", "/snapshot/create", "148", "Firecracker, PUT /snapshot/create", EndOfTheFilter, "guest-exited")]
    [InlineData("pause", "/vm", "148", "Firecracker, PATCH /vm", EndOfTheFilter, "guest-exited")]
    public async Task Command_VmmThatEndsInIt_IsAnsweredBeforeTheEndIsTold(
        string command,
        string path,
        string exit,
        string request,
        string end,
        string reason
    )
    {
        var kept = Directory.CreateDirectory(Path.Combine(_directory, "kept"), OwnerOnly).FullName;
        await using var keeper = await StartAsync(
            $"VMM_STAYS=1 VMM_DIES={path} VMM_EXIT={exit}",
            command == "save" ? new KeeperSnapshot(kept, IsRestore: false) : null
        );
        var problem = await AskAsync(
            keeper,
            id =>
                command switch
                {
                    "fork" => new ForkGuest(id, kept),
                    "save" => new SaveGuest(id),
                    _ => new PauseGuest(id),
                }
        );
        Assert.StartsWith(request + ": ", problem);
        Assert.EndsWith("; Firecracker has ended: " + end, problem);
        // Of a machine whose agent was never there this is the start's end.
        var exited = await keeper.WaitForAsync<KeeperExit>();
        Assert.Contains($"the guest ended before its agent answered: {reason}, {end}", exited.Detail);
    }

    [Fact]
    public async Task Start_WithoutFirecracker_SaysWhatToInstall()
    {
        File.Delete(Path.Combine(_directory, "firecracker"));
        Assert.SkipWhen(Programs.Find("firecracker") is not null, "There is a real firecracker on the PATH.");
        await using var keeper = await StartAsync("");
        Assert.Contains("install Firecracker 1.10.0 or later", (await keeper.WaitForAsync<KeeperExit>()).Detail);
    }

    [Fact]
    public async Task Snapshot_OfAMachine_IsWhatAnotherGoesOnFromWithoutACopyOfItsMemory()
    {
        var kept = Directory.CreateDirectory(Path.Combine(_directory, "kept"), OwnerOnly).FullName;
        await using (var keeper = await StartAsync("VMM_STAYS=1", new KeeperSnapshot(kept, IsRestore: false)))
        {
            Assert.Null(await AskAsync(keeper, id => new SaveGuest(id)));
            await HasAskedAsync(keeper, [Paused, Created("Diff")]);
            Assert.Equal("0", File.ReadAllText(Path.Combine(Cgroup, "memory.swap.max")));
            Assert.Equal(MachineState.Saved, keeper.Seen.OfType<MachineReport>().Last().State);
            Assert.Contains("does not run again", await AskAsync(keeper, id => new ResumeGuest(id), hasStarted: true));
        }

        Assert.Equal(("snapshot of the machine", "mem_file of the machine"), (Read(kept, "state"), Read(kept, "memory")));
        Assert.Equal(64L << 20, new FileInfo(new SnapshotDirectory(kept).Scratch).Length);

        await using var restored = await StartAsync("VMM_STAYS=1", new KeeperSnapshot(kept, IsRestore: true));
        await restored.WaitForStepAsync("agent-link");
        Assert.Equal(
            ["namespaces", "network", "scratch", "vm-start", "restore"],
            restored.Seen.OfType<KeeperStep>().Where(seen => seen.State == KeeperStepState.Done).Select(seen => seen.Name)
        );
        string[] loaded =
        [
            "PUT /snapshot/load {\"snapshot_path\":\"state\",\"mem_backend\":{\"backend_type\":\"File\",\"backend_path\":\"memory\"},\"resume_vm\":false,\"clock_realtime\":true}",
            Resumed,
        ];
        await HasAskedAsync(restored, loaded);
        var console = await ConsoleAsync(restored);
        Assert.Contains("read memory: mem_file of the machine", console);
        Assert.DoesNotContain(console, line => line.StartsWith("writable", StringComparison.Ordinal));

        // What it has not touched is its file's, and would be missing in a diff.
        var fork = Directory.CreateDirectory(Path.Combine(_directory, "fork"), OwnerOnly).FullName;
        Assert.Null(await AskAsync(restored, id => new ForkGuest(id, fork), hasStarted: true));
        await HasAskedAsync(restored, [.. loaded, Paused, Created("Full"), Resumed]);
    }

    [Theory]
    [InlineData("VMM_VERSION=1.12.0", "Full")]
    [InlineData("VMM_NO_DIFF=1", "Diff Full")]
    public async Task Fork_ByAVmmThatMakesNoDiff_IsWhole(string environment, string types)
    {
        var fork = Directory.CreateDirectory(Path.Combine(_directory, "fork"), OwnerOnly).FullName;
        await using var keeper = await StartAsync($"VMM_STAYS=1 {environment}");
        Assert.Null(await AskAsync(keeper, id => new ForkGuest(id, fork)));
        await HasAskedAsync(keeper, [Paused, .. types.Split(' ').Select(Created), Resumed]);
        Assert.Equal("mem_file of the machine", Read(fork, "memory"));
    }

    [Fact]
    public async Task Fork_OntoAFileSystemInMemory_IsRefusedAndTheGuestIsNotAsked()
    {
        var fork = Directory.CreateDirectory(Path.Combine(_directory, "fork"), OwnerOnly).FullName;
        await using var keeper = await StartAsync("VMM_STAYS=1", before: $"mount -t tmpfs tmpfs {fork}");
        var problem = await AskAsync(keeper, id => new ForkGuest(id, fork));
        Assert.StartsWith(
            $"{fork} is on a file system in memory: the 64 MiB that Firecracker writes there would count as the desktop's own memory",
            problem
        );
        Assert.Null(await AskAsync(keeper, id => new PauseGuest(id), hasStarted: true));
        await HasAskedAsync(keeper, [Paused]);
    }

    [Fact]
    public async Task Snapshot_RefusedByTheVmm_FailsWithItsWordAndTheGuestGoesOn()
    {
        var kept = Directory.CreateDirectory(Path.Combine(_directory, "kept"), OwnerOnly).FullName;
        await using var keeper = await StartAsync("VMM_STAYS=1 VMM_FAULT=/snapshot/create", new KeeperSnapshot(kept, IsRestore: false));
        var problem = await AskAsync(keeper, id => new SaveGuest(id));
        Assert.Equal("Firecracker, PUT /snapshot/create: refused as told (status 400)", problem);
        await HasAskedAsync(keeper, [Paused, Created("Diff"), Created("Full"), Resumed]);
        Assert.Null(await AskAsync(keeper, id => new PauseGuest(id), hasStarted: true));
        Assert.Null(await AskAsync(keeper, id => new ResumeGuest(id), hasStarted: true));
    }

    [Fact]
    public async Task Fork_OfAMachine_IsAllOfItAndTheGuestGoesOn()
    {
        await using var keeper = await StartAsync("VMM_STAYS=1");
        for (var i = 0; i < 2; i++)
        {
            var fork = Directory.CreateDirectory(Path.Combine(_directory, $"fork{i}"), OwnerOnly).FullName;
            Assert.Null(await AskAsync(keeper, id => new ForkGuest(id, fork), hasStarted: i > 0));
            Assert.Equal(("snapshot of the machine", "mem_file of the machine"), (Read(fork, "state"), Read(fork, "memory")));
            Assert.Equal(64L << 20, new FileInfo(new SnapshotDirectory(fork).Scratch).Length);
        }

        await HasAskedAsync(keeper, [Paused, Created("Diff"), Resumed, Paused, Created("Full"), Resumed]);
    }

    /// <summary>All that there may be in a VMM's root.</summary>
    private string[] Root =>
        [
            .. (string[])["bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "dev", "etc", "proc", "own"],
            .. (string[])["kernel", "initramfs", "root", "scratch", "config", "vmm.log", "vmm.metrics"],
            .. (string[])["dev/null", "dev/urandom", "dev/kvm", "dev/net", "dev/net/tun", "etc/ld.so.cache", "proc/self", "proc/self/fd"],
            // The program, which no package installed.
            .. Parents(Path.Combine(_directory, "firecracker")).Select(path => path[1..]),
        ];

    private static IEnumerable<string> Parents(string path) => path == "/" ? [] : Parents(Path.GetDirectoryName(path)!).Append(path);

    private const string Paused = "PATCH /vm {\"state\":\"Paused\"}";
    private const string Resumed = "PATCH /vm {\"state\":\"Resumed\"}";
    private const string EndOfTheFilter =
        "the VMM was ended by its own system-call filter (exit code 148); its last words: Shutting down VM after intercepting a bad syscall (44).";
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private static string Created(string type) =>
        $"PUT /snapshot/create {{\"snapshot_path\":\"snapshots/state\",\"mem_file_path\":\"snapshots/memory\",\"snapshot_type\":\"{type}\"}}";

    private static string Read(string directory, string name) => File.ReadAllText(Path.Combine(directory, name));

    private static Task<string[]> ConsoleAsync(TestKeeper keeper) =>
        File.ReadAllLinesAsync(keeper.Bundle.ConsoleLog, TestContext.Current.CancellationToken);

    /// <summary>
    /// What was asked of the VMM about a machine that is there, or to make it be there; the stand-in says it before it answers, and the
    /// keeper reads it when it can.
    /// </summary>
    private static async Task HasAskedAsync(TestKeeper keeper, string[] expected)
    {
        string[] asked = [];
        await Eventually.HoldsAsync(async () =>
        {
            asked =
            [
                .. (await ConsoleAsync(keeper))
                    .Where(line =>
                        line.StartsWith("asked PATCH", StringComparison.Ordinal)
                        || line.StartsWith("asked PUT /snapshot", StringComparison.Ordinal)
                    )
                    .Select(line => line["asked ".Length..]),
            ];
            return asked.Length >= expected.Length ? null : $"asked was {string.Join("; ", asked)}";
        });
        Assert.Equal(expected, asked);
    }

    /// <param name="hasStarted">The keeper is known to wait for its guest's agent, which the stand-in has none of.</param>
    private static async Task<string?> AskAsync(TestKeeper keeper, Func<long, KeeperCommand> command, bool hasStarted = false)
    {
        if (!hasStarted)
        {
            await keeper.WaitForStepAsync("agent-link");
        }

        return await keeper.AskAsync(command);
    }

    private Task<TestKeeper> StartAsync(string environment, KeeperSnapshot? snapshot = null, string before = "true")
    {
        TinyGuestRing.RequireTap();
        return TestKeeper.StartAsync(
            untilRunning: false,
            limits: new KeeperLimits(64L << 20, 1, 0, Cgroup, DiskBytes: 64L << 20),
            change: spec => spec with { Driver = "firecracker", ImagePath = Path.Combine(_directory, "image"), Snapshot = snapshot },
            environment: $"PATH={_directory}:$PATH {environment}",
            before: before
        );
    }
}
