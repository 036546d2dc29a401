using System.Text;
using Oriel.Keeper.Drivers.Firecracker;
using Oriel.Keeper.Drivers.Firecracker.Api;

namespace Oriel.Tests.Firecracker;

/// <summary>Every request that Oriel makes of Firecracker is one of the published interface, by schema and by order.</summary>
public sealed class ContractTests
{
    private static readonly MachineSpec Whole = new(
        VcpuCount: 2,
        MemoryMib: 1024,
        [
            new MachineDrive("root", ReadOnly: true),
            new MachineDrive("scratch", ReadOnly: false),
            new MachineDrive("config", ReadOnly: true),
        ],
        KernelArguments.Compose("oriel.test=1", serial: false),
        "oriel0",
        "02:6f:72:69:65:02",
        CpuTemplate: new CpuConfig(
            ["!56"],
            [new CpuidLeafModifier("0x1", "0x0", 0, [new CpuidRegisterModifier(CpuidRegister.Ecx, "0bxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0")])],
            [new MsrModifier("0x10a", "0b" + new string('x', 64))]
        ),
        Vsock: new Vsock(3, "vsock.sock")
    );

    private static readonly FirecrackerCapabilities Newest = FirecrackerCapabilities.Of(new FirecrackerVersion(1, 17, 0));
    private static readonly FirecrackerCapabilities Oldest = FirecrackerCapabilities.Of(FirecrackerVersion.Oldest);

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Boot_OfAMachineWithEverything_IsTheDocumentsRequestsInItsOrder()
    {
        await using var vmm = new PlayedFirecracker();
        await MachineSequence.BootAsync(Client(vmm), Whole, Token);
        Assert.Empty(vmm.Violations);
        Assert.Equal("Running", vmm.State);
        Assert.Equal(
            [
                "PUT /logger",
                "PUT /metrics",
                "PUT /machine-config",
                "PUT /cpu-config",
                "PUT /boot-source",
                "PUT /drives/root",
                "PUT /drives/scratch",
                "PUT /drives/config",
                "PUT /network-interfaces/eth0",
                "PUT /vsock",
                "PUT /entropy",
                "PUT /actions",
            ],
            vmm.Requests
        );
    }

    [Fact]
    public async Task Boot_OfAnyMachine_NamesItsFilesRelativelySoThatASnapshotFitsEveryDesktop()
    {
        await using var vmm = new PlayedFirecracker();
        await MachineSequence.BootAsync(Client(vmm), Whole with { CpuTemplate = null, Vsock = null }, Token);
        var paths = vmm
            .Bodies.SelectMany(body => body!.AsObject())
            .Where(field => field.Key.EndsWith("_path", StringComparison.Ordinal) || field.Key is "path_on_host")
            .Select(field => field.Value!.ToString());
        Assert.Equal(["vmm.log", "vmm.metrics", "kernel", "initramfs", "root", "scratch", "config"], paths);
        Assert.Equal(
            [true, false, true],
            vmm.Bodies.Where(body => body!["drive_id"] is not null).Select(body => body!["is_read_only"]!.GetValue<bool>())
        );
    }

    [Fact]
    public async Task SnapshotThenRestore_OfTheOldestVersion_IsTheDocumentsRequestsWithoutWhatCameLater()
    {
        await using var first = new PlayedFirecracker();
        await MachineSequence.BootAsync(Client(first), Whole, Token);
        first.Requests.Clear();
        await MachineSequence.SnapshotAsync(Client(first), SnapshotType.Full, Deadline, Token);
        Assert.Equal(["PATCH /vm", "PUT /snapshot/create"], first.Requests);

        await using var second = new PlayedFirecracker();
        await MachineSequence.RestoreAsync(Client(second), new RestoreSpec(), Oldest, Token);
        Assert.Equal(["PUT /logger", "PUT /metrics", "PUT /snapshot/load", "PATCH /vm"], second.Requests);
        Assert.Equal(["snapshot_path", "mem_backend", "resume_vm"], second.Bodies[2]!.AsObject().Select(field => field.Key));
        Assert.Equal("Running", second.State);
        Assert.Empty(first.Violations.Concat(second.Violations));
    }

    /// <summary>At its warnings it writes tens of lines at each boot and resume of which none is of anything wrong.</summary>
    [Fact]
    public async Task Boot_OfAnyMachine_LogsErrorsAlone()
    {
        await using var vmm = new PlayedFirecracker();
        await MachineSequence.BootAsync(Client(vmm), Whole, Token);
        Assert.Equal("Error", vmm.Bodies[0]!["level"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("1.10.1", "Full")]
    [InlineData("1.12.0", "Full")]
    [InlineData("1.13.0", "Diff")]
    [InlineData("1.16.1", "Diff")]
    public async Task Snapshot_FirstOfABootedMachine_IsSparseWhereTheVersionCan(string version, string type)
    {
        await using var vmm = new PlayedFirecracker { Version = version };
        await MachineSequence.BootAsync(Client(vmm), Whole, Token);
        Assert.True(FirecrackerVersion.TryParse(await Client(vmm).VersionAsync(Token), out var parsed));
        var policy = new SnapshotPolicy(
            1L << 30,
            isBooted: true,
            isLimited: true,
            FirecrackerCapabilities.Of(parsed),
            canSwap: () => false,
            timeScale: 1
        );
        vmm.Requests.Clear();
        for (var i = 0; i < 2; i++)
        {
            await MachineSequence.SnapshotAsync(Client(vmm), policy.Next(), policy.Deadline, Token);
        }

        Assert.Equal(["PATCH /vm", "PUT /snapshot/create", "PATCH /vm", "PUT /snapshot/create"], vmm.Requests);
        Assert.Equal([type, "Full"], TypesOf(vmm));
        Assert.Empty(vmm.Violations);
    }

    [Fact]
    public async Task Snapshot_DiffThatTheVmmRefuses_IsTakenWhole()
    {
        await using var vmm = new PlayedFirecracker { Version = "1.10.1" };
        await MachineSequence.BootAsync(Client(vmm), Whole, Token);
        await MachineSequence.SnapshotAsync(Client(vmm), SnapshotType.Diff, Deadline, Token);
        Assert.Equal(["Diff", "Full"], TypesOf(vmm));
        Assert.Contains("dirty page tracking disabled", Assert.Single(vmm.Violations));
        Assert.Equal("Paused", vmm.State);
    }

    /// <summary>Of one that is full, hangs or dies the whole one would do so too.</summary>
    [Fact]
    public async Task Snapshot_DiffThatIsNotAnswered_IsNotTakenAgain()
    {
        await using var vmm = new PlayedFirecracker { Misbehave = (request, _) => Task.FromResult(request == "PUT /snapshot/create") };
        await MachineSequence.BootAsync(Client(vmm), Whole, Token);
        var failed = await Assert.ThrowsAsync<FirecrackerException>(() =>
            MachineSequence.SnapshotAsync(Client(vmm), SnapshotType.Diff, Deadline, Token)
        );
        Assert.Equal(FirecrackerFault.BrokenAnswer, failed.Fault);
    }

    [Fact]
    public async Task Restore_WithEverythingOfTheNewestVersion_KeepsToTheDocument()
    {
        await using var vmm = new PlayedFirecracker();
        await MachineSequence.RestoreAsync(Client(vmm), new RestoreSpec(ResumeVm: false, Tap: "tap7", VsockPath: "v7.sock"), Newest, Token);
        Assert.Empty(vmm.Violations);
        Assert.Equal("Paused", vmm.State);
        Assert.Equal(
            """{"snapshot_path":"state","mem_backend":{"backend_type":"File","backend_path":"memory"},"resume_vm":false,"network_overrides":[{"iface_id":"eth0","host_dev_name":"tap7"}],"vsock_override":{"uds_path":"v7.sock"},"clock_realtime":true}""",
            vmm.Bodies[2]!.ToJsonString()
        );
    }

    [Theory]
    [InlineData("tap7", null, "1.12")]
    [InlineData(null, "v7.sock", "1.16")]
    public async Task Restore_WithWhatTheVersionLacks_IsRefusedBeforeAnyRequest(string? tap, string? vsock, string since)
    {
        await using var vmm = new PlayedFirecracker();
        var refused = await Assert.ThrowsAsync<NotSupportedException>(() =>
            MachineSequence.RestoreAsync(Client(vmm), new RestoreSpec(true, tap, vsock), Oldest, Token)
        );
        Assert.Contains(since, refused.Message);
        Assert.Empty(vmm.Requests);
    }

    [Fact]
    public async Task Requests_OfARunningMachine_KeepToTheDocument()
    {
        await using var vmm = new PlayedFirecracker();
        var api = Client(vmm);
        Assert.Equal(InstanceState.NotStarted, (await api.DescribeAsync(Token)).State);
        Assert.Equal("1.16.1", await api.VersionAsync(Token));
        await MachineSequence.BootAsync(api, Whole, Token);
        await api.PatchVmAsync(VmState.Paused, Token);
        Assert.Equal(InstanceState.Paused, (await api.DescribeAsync(Token)).State);
        await api.CreateSnapshotAsync(new SnapshotCreate("s", "m", SnapshotType.Diff), Deadline, Token);
        await api.PatchVmAsync(VmState.Resumed, Token);
        await api.ActAsync(InstanceActionType.FlushMetrics, Token);
        await api.ActAsync(InstanceActionType.SendCtrlAltDel, Token);
        Assert.Equal(InstanceState.Running, (await api.DescribeAsync(Token)).State);
        Assert.Empty(vmm.Violations);
    }

    /// <summary>Each field that a record has is one of the schema, also those that Oriel leaves out at present.</summary>
    [Fact]
    public async Task Requests_WithEveryFieldThatTheRecordsHave_KeepToTheDocument()
    {
        await using var vmm = new PlayedFirecracker();
        var api = Client(vmm);
        var limiter = new RateLimiter(new TokenBucket(1, 2, 3), new TokenBucket(4, 5));
        foreach (var level in Enum.GetValues<LogLevel>())
        {
            await api.PutLoggerAsync(new Logger("log", level, true, true), Token);
        }

        await api.PutMachineConfigurationAsync(new MachineConfiguration(32, 128, Smt: true, TrackDirtyPages: true), Token);
        foreach (var register in Enum.GetValues<CpuidRegister>())
        {
            await api.PutCpuConfigAsync(
                new CpuConfig(CpuidModifiers: [new CpuidLeafModifier("0", "0", 1, [new CpuidRegisterModifier(register, "0b1")])]),
                Token
            );
        }

        await api.PutBootSourceAsync(new BootSource("k", null, ""), Token);
        await api.PutDriveAsync(new Drive("a", "p", true, true, DriveCache.Writeback, DriveEngine.Async, limiter), Token);
        await api.PutDriveAsync(new Drive("b", "p", false, false, DriveCache.Unsafe, DriveEngine.Sync), Token);
        await api.PutNetworkInterfaceAsync(new NetworkInterface("eth1", "tap1", "02:00:00:00:00:01", limiter, limiter), Token);
        await api.PutEntropyAsync(new EntropyDevice(limiter), Token);
        Assert.Empty(vmm.Violations);

        await using var other = new PlayedFirecracker();
        await Client(other)
            .LoadSnapshotAsync(
                new SnapshotLoad(
                    "s",
                    new MemoryBackend(MemoryBackendType.Uffd, "u.sock"),
                    true,
                    [new NetworkOverride("eth0", "tap1")],
                    new VsockOverride("v"),
                    false
                ),
                Token
            );
        Assert.Empty(other.Violations);
    }

    /// <summary>That the stand-in does refuse: what it lets through would prove nothing otherwise.</summary>
    [Theory]
    [InlineData("PUT", "/machine-config", """{"vcpu_count":1}""", "$.mem_size_mib is missing")]
    [InlineData("PUT", "/machine-config", """{"vcpu_count":"1","mem_size_mib":64}""", "$.vcpu_count is no integer")]
    [InlineData("PUT", "/machine-config", """{"vcpu_count":33,"mem_size_mib":64}""", "$.vcpu_count is above 32")]
    [InlineData("PUT", "/machine-config", """{"vcpu_count":1,"mem_size_mib":64,"memory":1}""", "$.memory is not in the schema")]
    [InlineData("PUT", "/machine-config", """{"vcpu_count":1,"mem_size_mib":64,"huge_pages":"1G"}""", "$.huge_pages is none of")]
    [InlineData(
        "PUT",
        "/drives/a",
        """{"drive_id":"b","path_on_host":"p","is_root_device":false,"is_read_only":true}""",
        "drive_id in the body is not that of the path"
    )]
    [InlineData(
        "PUT",
        "/drives/a",
        """{"drive_id":"a","path_on_host":"p","is_root_device":false,"rate_limiter":{"ops":{"size":1}}}""",
        "$.rate_limiter.ops.refill_time is missing"
    )]
    [InlineData("PUT", "/vsock", """{"guest_cid":2,"uds_path":"v"}""", "$.guest_cid is below 3")]
    [InlineData(
        "PUT",
        "/snapshot/load",
        """{"snapshot_path":"s","network_overrides":[{"iface_id":"eth0"}]}""",
        "$.network_overrides[0].host_dev_name is missing"
    )]
    [InlineData("PUT", "/actions", """{"action_type":"InstanceStop"}""", "$.action_type is none of")]
    [InlineData("PUT", "/actions", """{"action_type":"InstanceStart"}""", "without kernel configuration")]
    [InlineData("PATCH", "/vm", """{"state":"Paused"}""", "not supported before starting")]
    [InlineData("PUT", "/vm", """{"state":"Paused"}""", "no such request")]
    [InlineData("PUT", "/machines", "{}", "no such request")]
    [InlineData("GET", "/version", "{}", "a body where there is none")]
    public async Task Played_RequestAgainstTheDocument_IsRefused(string method, string path, string body, string why)
    {
        await using var vmm = new PlayedFirecracker();
        var answer = await new ApiTransport(vmm.SocketPath).SendAsync(
            method,
            path,
            Encoding.UTF8.GetBytes(body),
            FirecrackerApi.UsualDeadline,
            Token
        );
        Assert.Equal(400, answer.Status);
        Assert.Contains(why, Assert.Single(vmm.Violations));
    }

    [Fact]
    public async Task Played_RequestOutOfOrder_IsRefused()
    {
        await using var vmm = new PlayedFirecracker();
        var api = Client(vmm);
        await MachineSequence.BootAsync(api, Whole, Token);
        await RefusedAsync(() => api.PutDriveAsync(new Drive("late", "p", false, true), Token), "after starting");
        await RefusedAsync(() => api.PutEntropyAsync(new EntropyDevice(), Token), "after starting");
        await RefusedAsync(() => api.ActAsync(InstanceActionType.InstanceStart, Token), "already running");
        await RefusedAsync(() => api.CreateSnapshotAsync(new SnapshotCreate("s", "m"), Deadline, Token), "not paused");
        await RefusedAsync(
            () => api.LoadSnapshotAsync(new SnapshotLoad("s", new MemoryBackend(MemoryBackendType.File, "m")), Token),
            "after starting"
        );
        Assert.Equal(5, vmm.Violations.Count);

        await using var configured = new PlayedFirecracker();
        await Client(configured).PutMachineConfigurationAsync(new MachineConfiguration(1, 64), Token);
        await RefusedAsync(() => MachineSequence.RestoreAsync(Client(configured), new RestoreSpec(), Oldest, Token), "after configuring");
    }

    [Fact]
    public void Document_IsTheOneOfTheNewestVersionThatOrielKnows()
    {
        Assert.True(FirecrackerVersion.TryParse(ApiDocument.Published.Version, out var version));
        Assert.Null(version.Refusal());
        Assert.Contains(
            ApiDocument.Published.Operations,
            operation => operation is { Method: "PUT", Path: "/drives/{drive_id}", Stage: ApiStage.BeforeStart, BodyRequired: true }
        );
        Assert.Contains(
            ApiDocument.Published.Operations,
            operation => operation is { Method: "PUT", Path: "/snapshot/create", Stage: ApiStage.AfterStart }
        );
    }

    private static IEnumerable<string> TypesOf(PlayedFirecracker vmm) =>
        vmm.Bodies.Where(body => body?["snapshot_type"] is not null).Select(body => body!["snapshot_type"]!.GetValue<string>());

    private static FirecrackerApi Client(PlayedFirecracker vmm) => new(new ApiTransport(vmm.SocketPath));

    private static async Task RefusedAsync(Func<Task> request, string why)
    {
        var refused = await Assert.ThrowsAsync<FirecrackerException>(request);
        Assert.Equal((FirecrackerFault.Refused, 400), (refused.Fault, refused.Status));
        Assert.Contains(why, refused.FaultMessage);
    }
}
