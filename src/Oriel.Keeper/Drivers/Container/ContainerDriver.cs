using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Oriel.Keeper.Bundles;
using Oriel.Keeper.Events;
using Oriel.Keeper.Logs;
using Oriel.Keeper.Network;
using Oriel.Linux.Cgroups;
using Oriel.Linux.Children;
using Oriel.Linux.Namespaces;
using Oriel.Protocol;
using Oriel.Protocol.Boot;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Keeper.Drivers.Container;

/// <summary>
/// A guest made of namespaces: an overlay over the image's read-only rootfs, crun, and the agent as its first process. Its network
/// namespace is the keeper's, and its user namespace one below, so that guest root cannot change the network it is given.
/// </summary>
internal sealed class ContainerDriver : IDriver
{
    /// <summary>A file to be shown in place of the image's agent; for development.</summary>
    public const string AgentOverrideVariable = "ORIEL_AGENT_BINARY";

    private const string ContainerId = "guest";
    private const UnixFileMode Everyone =
        UnixFileMode.UserRead
        | UnixFileMode.UserWrite
        | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead
        | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead
        | UnixFileMode.OtherExecute;

    private const string LoopbackIPv6 = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";

    private static readonly TimeSpan CreateDeadline = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StartDeadline = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(2);

    private readonly KeeperSpec _spec;
    private readonly string _work;
    private readonly string _root;
    private readonly string _sys;
    private readonly Cgroup? _cgroup;
    private NetworkNamespace? _network;

    public ContainerDriver(KeeperSpec spec)
    {
        _spec = spec;
        _work = Path.Combine(new Bundle(spec.Bundle).Scratch, "run");
        _root = Path.Combine(_work, "rootfs");
        _sys = Path.Combine(_work, "sys");
        // Opened before anything is mounted over the host's cgroup directories.
        _cgroup = spec.Limits.Cgroup is { } cgroup ? Cgroup.Open(cgroup) : null;
    }

    private string ConfigDirectory => Path.Combine(_work, "oci");

    private string StateDirectory => Path.Combine(_work, "state");

    private string PidFile => Path.Combine(_work, "pid");

    private string BootFile => Path.Combine(_work, "boot.json");

    /// <summary>All that is needed to run, but not to keep: in memory, in this mount namespace only, gone with the keeper.</summary>
    public void PrepareMounts()
    {
        NamespaceLimits.Apply();
        Directory.CreateDirectory(_work);
        Mounts.Mount("tmpfs", _work, "tmpfs", MountOptions.NoSuid | MountOptions.NoDevices, "mode=0700,size=4m");
        Directory.CreateDirectory(_sys);
        Directory.CreateDirectory(ConfigDirectory);
        Directory.CreateDirectory(StateDirectory);
        MountCgroups();
    }

    public async Task CreateLinkAsync(CancellationToken cancellationToken)
    {
        _network = NetworkNamespace.Create(() =>
        {
            GatewayLink.ApplySettings();
            // Programs bind ::1 too, as /etc/hosts names it (RFC 8252 section 7.3).
            if (File.Exists(LoopbackIPv6))
            {
                File.WriteAllText(LoopbackIPv6, "0");
            }

            // Guest root has no power over this namespace, so the low ports must be open to all.
            File.WriteAllText("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
            Mounts.Mount(
                "sysfs",
                _sys,
                "sysfs",
                MountOptions.ReadOnly | MountOptions.NoSuid | MountOptions.NoDevices | MountOptions.NoExecute
            );
        });
        await new HostProgram("ip", "-batch", "-")
        {
            Input = $"""
                link add {Firewall.Link} address {GatewayLink.GatewayMac} type veth peer name eth0 address {GatewayLink.GuestMac} netns {_network.Path}

                """,
        }.OutputAsync(cancellationToken);
        var seen = await new HostProgram("nsenter", $"--net={_network.Path}", "ip", "-batch", "-")
        {
            Input = $"""
                link set lo up
                address add {GuestNetwork.GuestAddress}/{GuestNetwork.PrefixLength} dev eth0
                link set eth0 up
                neighbour replace {GuestNetwork.GatewayAddress} lladdr {GatewayLink.GatewayMac} dev eth0 nud permanent
                route add default via {GuestNetwork.GatewayAddress} dev eth0
                address show dev eth0

                """,
        }.OutputAsync(cancellationToken);
        GatewayLink.RequireAddress(seen, GuestNetwork.GuestAddress);
    }

    public Task<string?> PrepareScratchAsync(CancellationToken cancellationToken)
    {
        var lower = new ImageDirectory(_spec.ImagePath).Tree;
        if (!Directory.Exists(lower))
        {
            throw new DirectoryNotFoundException($"The image {_spec.ImageDigest} has no rootfs at {lower}.");
        }

        var scratch = new Bundle(_spec.Bundle).Scratch;
        var upper = Path.Combine(scratch, "upper");
        var work = Path.Combine(scratch, "work");
        foreach (var path in (string[])[lower, scratch])
        {
            if (path.AsSpan().IndexOfAny(",:\\") >= 0)
            {
                throw new InvalidDataException($"overlayfs cannot take a path with a comma, colon or backslash: {path}");
            }
        }

        // The guest's / has the upper directory's mode.
        Directory.CreateDirectory(upper, Everyone);
        Directory.CreateDirectory(work);
        Directory.CreateDirectory(_root);
        // volatile: no fsync reaches the disk, as a scratch disk never outlives its keeper.
        Mounts.Mount(
            "overlay",
            _root,
            "overlay",
            MountOptions.None,
            $"userxattr,volatile,lowerdir={lower},upperdir={upper},workdir={work}"
        );
        return Task.FromResult<string?>(null);
    }

    public async Task<IGuest> StartAsync(StepLog steps, ConsoleLog console, CancellationToken cancellationToken)
    {
        Process? runtime = null;
        ProcessHandle? init = null;
        await steps.RunAsync(
            StepNames.ContainerCreate,
            CreateDeadline * _spec.TimeScale,
            async token =>
            {
                WriteConfig();
                var missing = _cgroup?.Limit(_spec.Limits.MemoryBytes, _spec.Limits.Cpus, _spec.Limits.Pids) ?? [];
                runtime = StartRuntime(console, out var pump);
                await WaitAsync(() => new FileInfo(PidFile) is { Exists: true, Length: > 0 }, runtime, pump, token);
                // crun writes the number in one piece, before it lets the first process run.
                init = ProcessHandle.Open(int.Parse(await File.ReadAllTextAsync(PidFile, token), CultureInfo.InvariantCulture));
                return missing.Count == 0 ? null : $"not limited: {string.Join(", ", missing)}";
            },
            cancellationToken
        );
        await steps.RunAsync(
            StepNames.ContainerStart,
            StartDeadline * _spec.TimeScale,
            async token =>
            {
                await WaitAsync(() => HasBecomeTheAgent(init!.Pid), runtime!, Task.CompletedTask, token);
                return null;
            },
            cancellationToken
        );
        return new ContainerGuest(runtime!, init!, _cgroup);
    }

    public void Dispose()
    {
        _network?.Dispose();
        _cgroup?.Dispose();
    }

    // crun reads its cgroup here and refuses what is not cgroup v2 alone. The tmpfs below it is for hosts that have cgroup2 at this path
    // already, as Debian with systemd does: the kernel refuses (EBUSY) to mount a file system over its own root.
    private static void MountCgroups()
    {
        const string Path = "/sys/fs/cgroup";
        const MountOptions Options = MountOptions.NoSuid | MountOptions.NoDevices | MountOptions.NoExecute;
        Mounts.Mount("tmpfs", Path, "tmpfs", Options, "mode=0555,size=4k");
        Mounts.Mount("cgroup2", Path, "cgroup2", Options);
    }

    private void WriteConfig()
    {
        var boot = new BootConfig(_spec.DesktopId, _spec.AgentKey, _spec.Hostname, _spec.Warm, _spec.TimeScale);
        OwnBundle.WriteOwnerOnly(
            BootFile,
            JsonSerializer.SerializeToUtf8Bytes(boot, BootJsonContext.Default.BootConfig),
            UnixFileMode.UserRead
        );
        var agent = Environment.GetEnvironmentVariable(AgentOverrideVariable);
        var paths = new ContainerPaths(_root, _network!.Path, _sys, BootFile, string.IsNullOrEmpty(agent) ? null : agent);
        var config = OciConfigBuilder.Build(paths, _spec.Hostname, Math.Min(OciConfigBuilder.OpenFiles, HardLimitOfOpenFiles()));
        File.WriteAllBytes(
            Path.Combine(ConfigDirectory, "config.json"),
            JsonSerializer.SerializeToUtf8Bytes(config, OciJsonContext.Default.OciConfig)
        );
    }

    // The shell puts both outputs on one pipe, which the guest's first process inherits, and itself into the guest's cgroup. crun stays as
    // its parent and ends with its exit code (to be waited for here it would have to be a child of this process, and the runtime's own
    // waiting for children does not leave such a one alone).
    private Process StartRuntime(ConsoleLog console, out Task pump)
    {
        Programs.Require("crun");
        var start = new ProcessStartInfo(
            "/bin/sh",
            [
                "-c",
                $"{Cgroups.Join}exec \"$@\" </dev/null 2>&1 {Cgroups.Leave}",
                Cgroups.Of(_cgroup),
                "crun",
                "--root",
                StateDirectory,
                "--cgroup-manager=disabled",
                "run",
                "--bundle",
                ConfigDirectory,
                "--pid-file",
                PidFile,
                ContainerId,
            ]
        )
        {
            RedirectStandardOutput = true,
        };
        var runtime = Programs.Start(start);
        pump = console.PumpAsync(runtime.StandardOutput.BaseStream, CancellationToken.None);
        return runtime;
    }

    private static async Task WaitAsync(Func<bool> condition, Process runtime, Task pump, CancellationToken cancellationToken)
    {
        while (!condition())
        {
            if (runtime.HasExited)
            {
                await pump.WaitAsync(cancellationToken);
                throw new InvalidOperationException($"crun ended with {runtime.ExitCode}; its words are the last lines of the console");
            }

            await Task.Delay(LookPause, cancellationToken);
        }
    }

    // Until it executes the agent, the container's first process is crun's own program (or its sealed copy of it in memory).
    private static bool HasBecomeTheAgent(int pid) =>
        ProcessTable.ProgramOf(pid) is { } program && !program.Contains("crun", StringComparison.Ordinal);

    private static ulong HardLimitOfOpenFiles()
    {
        const string Name = "Max open files";
        var line = File.ReadLines("/proc/self/limits").First(text => text.StartsWith(Name, StringComparison.Ordinal));
        var hard = line[Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[1];
        return ulong.TryParse(hard, CultureInfo.InvariantCulture, out var value) ? value : ulong.MaxValue;
    }
}
