using Oriel.Keeper.Bundles;
using Oriel.Keeper.Dns;
using Oriel.Keeper.Drivers;
using Oriel.Keeper.Drivers.Container;
using Oriel.Keeper.Drivers.Firecracker;
using Oriel.Keeper.Drivers.Qemu;
using Oriel.Keeper.Events;
using Oriel.Keeper.Logs;
using Oriel.Keeper.Network;
using Oriel.Keeper.Relays;
using Oriel.Linux.Namespaces;
using Oriel.Linux.Processes;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Keeper.Service;

/// <summary>
/// The life of one desktop: bring up the namespaces' network, start the guest, relay, obey, and end when the guest does. Nothing is undone
/// by hand at the end: this is the first process of its pid namespace, and with it the kernel takes back all the rest.
/// </summary>
internal sealed class DesktopKeeper
{
    private static readonly TimeSpan StepDeadline = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan AgentDeadline = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan DefaultStop = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan DrainDeadline = TimeSpan.FromSeconds(1);

    private readonly OwnBundle _bundle;
    private readonly EventLog _events = new(TimeProvider.System);
    private readonly StepLog _steps;
    private readonly RelayCounters _counters = new();
    private readonly SyntheticNames _names = new();
    private readonly ControlServer _control;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _services = [];
    private readonly GuestControl _guest;
    private readonly Lock _stopGate = new();
    private bool _stopping;

    public DesktopKeeper(OwnBundle bundle)
    {
        _bundle = bundle;
        _steps = new StepLog(_events, TimeProvider.System);
        _guest = new GuestControl(_events);
        if (bundle.Spec.Snapshot is { IsRestore: true } snapshot && File.Exists(new SnapshotDirectory(snapshot.Directory).Names))
        {
            _names = SyntheticNames.Load(new SnapshotDirectory(snapshot.Directory).Names);
        }

        _control = new ControlServer(_events, ExecuteAsync);
    }

    /// <returns>The exit code: 0 where the guest was started, whatever became of it.</returns>
    public async Task<int> RunAsync(KeeperIdentity identity)
    {
        using var controlListener = UnixListener.Listen(Bundle.Current.KeeperSocket);
        using var control = new CancellationTokenSource();
        _services.Add(_control.AcceptAsync(controlListener, control.Token));
        // Last: who reads it finds the socket answering.
        _bundle.WriteIdentity(identity);
        // Until here whoever started this listens at standard error; from here on it may go away.
        StandardStreams.JoinErrorToOutput();
        using var console = new ConsoleLog(_bundle.Files.ConsoleLog, _events);
        GuestExit exit;
        var code = 0;
        try
        {
            exit = await StartAsync(console);
        }
        catch (Exception e)
        {
            (exit, code) = Failure(e);
        }

        await EndAsync(exit);
        return code;
    }

    /// <summary>Asks the guest to end, and kills it when <paramref name="deadline"/> has passed. Idempotent.</summary>
    public void Stop(TimeSpan deadline)
    {
        lock (_stopGate)
        {
            if (_stopping)
            {
                return;
            }

            _stopping = true;
        }

        _services.Add(StopAsync(deadline));
    }

    private async Task<GuestExit> StartAsync(ConsoleLog console)
    {
        using var driver = CreateDriver(_bundle.Spec);
        var deadline = StepDeadline * _bundle.Spec.TimeScale;
        await _steps.RunAsync(StepNames.Namespaces, deadline, _ => PrepareNamespaces(driver), _stop.Token);
        await _steps.RunAsync(StepNames.Network, deadline, token => StartNetworkAsync(driver, token), _stop.Token);
        await _steps.RunAsync(StepNames.Scratch, deadline, driver.PrepareScratchAsync, _stop.Token);
        var guest = await driver.StartAsync(_steps, console, _stop.Token);
        _guest.Take(guest);
        _services.Add(_guest.FollowHaltsAsync(guest, _stop.Token));
        await LinkAgentAsync(guest);
        _events.Publish(at => new GuestRunning(at));
        return await guest.Exited;
    }

    private static IDriver CreateDriver(KeeperSpec spec) =>
        spec.Driver switch
        {
            "container" => new ContainerDriver(spec),
            "qemu" => new QemuDriver(spec),
            "firecracker" => new FirecrackerDriver(spec),
            _ => throw new InvalidDataException($"There is no driver {spec.Driver}."),
        };

    private static Task<string?> PrepareNamespaces(IDriver driver)
    {
        Mounts.MakeAllPrivate();
        // The pid namespace's own: the one inherited shows the host's processes.
        Mounts.Mount("proc", "/proc", "proc", MountOptions.NoSuid | MountOptions.NoDevices | MountOptions.NoExecute);
        GatewayLink.ApplySettings();
        driver.PrepareMounts();
        return Task.FromResult<string?>(null);
    }

    private async Task<string?> StartNetworkAsync(IDriver driver, CancellationToken cancellationToken)
    {
        await driver.CreateLinkAsync(cancellationToken);
        // Rules first: there is no moment in which the link is up without them.
        await Firewall.ApplyAsync(cancellationToken);
        await GatewayLink.ConfigureAsync(cancellationToken);
        var egress = new EgressRelay(_bundle.Spec, _names, _counters);
        _services.Add(egress.AcceptProxyAsync(EgressRelay.Listen(GuestNetwork.ProxyPort), _stop.Token));
        _services.Add(egress.AcceptTransparentAsync(EgressRelay.Listen(GuestNetwork.TransparentPort), _stop.Token));
        var dns = new DnsServer(new DnsResponder(_names), _counters.Dns);
        _services.Add(dns.ServeTcpAsync(EgressRelay.Listen(GuestNetwork.DnsPort), _stop.Token));
        _services.Add(dns.ServeUdpAsync(EgressRelay.BindUdp(GuestNetwork.DnsPort), _stop.Token));
        return null;
    }

    private async Task LinkAgentAsync(IGuest guest) =>
        await _steps.RunAsync(
            StepNames.AgentLink,
            AgentDeadline * _bundle.Spec.TimeScale,
            async token =>
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
                var link = AgentRelay.WaitForAgentAsync(limit.Token);
                if (await Task.WhenAny(link, guest.Exited) != link)
                {
                    await limit.CancelAsync();
                    var exit = await guest.Exited;
                    throw new InvalidOperationException($"the guest ended before its agent answered: {exit.Reason}, {exit.Detail}");
                }

                var attempts = await link;
                _services.Add(new AgentRelay().AcceptAsync(UnixListener.Listen(Bundle.Current.AgentSocket), _stop.Token));
                return $"{attempts} attempts";
            },
            _stop.Token
        );

    private async Task<string?> ExecuteAsync(KeeperCommand command, CancellationToken cancellationToken)
    {
        switch (command)
        {
            case StopGuest stop:
                Stop(stop.DeadlineMs > 0 ? TimeSpan.FromMilliseconds(stop.DeadlineMs) : DefaultStop);
                return null;
            case PauseGuest or ResumeGuest:
                return await _guest.SetPausedAsync(command is PauseGuest, cancellationToken);
            case SaveGuest:
                return await _guest.SaveAsync(cancellationToken) ?? SaveNames(_bundle.Spec.Snapshot?.Directory);
            case ForkGuest fork:
                return await _guest.ForkAsync(fork.Directory, cancellationToken) ?? SaveNames(fork.Directory);
            case ReadCounters:
                return await PublishCountersAsync(cancellationToken);
            default:
                return $"there is no command {command.GetType().Name}";
        }
    }

    /// <summary>
    /// After the machine: its programs may hold answers for names, and the next keeper must not give their addresses to others.
    /// </summary>
    private string? SaveNames(string? directory)
    {
        try
        {
            if (directory is not null)
            {
                _names.Save(new SnapshotDirectory(directory).Names);
            }

            return null;
        }
        catch (IOException e)
        {
            return $"the names that the guest has resolved cannot be saved: {e.Message}";
        }
    }

    private async Task<string?> PublishCountersAsync(CancellationToken cancellationToken)
    {
        try
        {
            var values = (await Firewall.CountersAsync(cancellationToken)).Concat(_counters.Snapshot()).ToDictionary();
            _events.Publish(at => new KeeperCounters(at, values));
            return null;
        }
        catch (InvalidOperationException e)
        {
            return e.Message;
        }
    }

    private async Task StopAsync(TimeSpan deadline)
    {
        if (!await _guest.StopAsync(deadline))
        {
            await _stop.CancelAsync();
        }
    }

    private (GuestExit Exit, int Code) Failure(Exception exception)
    {
        if (_stopping)
        {
            return (new GuestExit(ReasonCodes.Stopped, "stopped before it was running"), 0);
        }

        LastWords.Write(exception);
        var last = string.Join("\n", _events.LastConsoleLines(10));
        var what = exception is KeeperStepException failed ? failed.Message : $"unexpected: {exception.Message}";
        return (new GuestExit(ReasonCodes.StartFailed, last.Length == 0 ? what : $"{what}\n{last}"), 1);
    }

    private async Task EndAsync(GuestExit exit)
    {
        // What was asked of the guest fails with it, and nothing is reported after the last event.
        await _control.AnswerAllAsync(DrainDeadline);
        var last = _events.End(exit.Reason, exit.Detail);
        try
        {
            _bundle.WriteExit(last);
        }
        catch (IOException e)
        {
            // The server that is there hears it all the same.
            LastWords.Write(e);
        }

        File.Delete(Bundle.Current.AgentSocket);
        await _control.DrainAsync(DrainDeadline);
        File.Delete(Bundle.Current.KeeperSocket);
        await _stop.CancelAsync();
    }
}
