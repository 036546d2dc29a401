using System.Collections.Concurrent;
using Oriel.Egress.Dns;
using Oriel.Keeper.Drivers;
using Oriel.Keeper.Drivers.Container;
using Oriel.Keeper.Drivers.Firecracker;
using Oriel.Keeper.Drivers.Qemu;
using Oriel.Keeper.Events;
using Oriel.Keeper.Network;
using Oriel.Keeper.Relays;
using Oriel.Linux.Namespaces;
using Oriel.Linux.Processes;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Hosting;

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

    private readonly Bundle _bundle;
    private readonly EventLog _events = new(TimeProvider.System);
    private readonly StepLog _steps;
    private readonly RelayCounters _counters = new();
    private readonly SyntheticNames _names = new();
    private readonly ControlServer _control;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<Task> _services = [];

    /// <summary>What is being asked of the guest.</summary>
    private readonly ConcurrentDictionary<Task, bool> _asked = new();
    private readonly Lock _stopGate = new();
    private IGuest? _guest;
    private bool _stopping;

    /// <summary>Its memory is a snapshot's now: it must not run another instruction.</summary>
    private volatile bool _isKept;

    public DesktopKeeper(Bundle bundle)
    {
        _bundle = bundle;
        _steps = new StepLog(_events, TimeProvider.System);
        _control = new ControlServer(_events, ExecuteAsync);
    }

    /// <returns>The exit code: 0 where the guest was started, whatever became of it.</returns>
    public async Task<int> RunAsync(KeeperIdentity identity)
    {
        using var controlListener = UnixListener.Listen(BundleLayout.KeeperSocket);
        using var control = new CancellationTokenSource();
        _services.Add(_control.AcceptAsync(controlListener, control.Token));
        // Last: who reads it finds the socket answering.
        _bundle.WriteIdentity(identity);
        // Until here whoever started this listens at standard error; from here on it may go away.
        StandardStreams.JoinErrorToOutput();
        using var console = new ConsoleLog(_bundle.PathOf(BundleLayout.ConsoleLog), _events);
        GuestExit exit;
        var code = 0;
        try
        {
            exit = await StartAsync(console).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            (exit, code) = Failure(exception);
        }

        await EndAsync(exit).ConfigureAwait(false);
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
        await _steps.RunAsync(StepNames.Namespaces, deadline, _ => PrepareNamespaces(driver), _stop.Token).ConfigureAwait(false);
        await _steps.RunAsync(StepNames.Network, deadline, token => StartNetworkAsync(driver, token), _stop.Token).ConfigureAwait(false);
        await _steps.RunAsync(StepNames.Scratch, deadline, driver.PrepareScratchAsync, _stop.Token).ConfigureAwait(false);
        _guest = await driver.StartAsync(_steps, console, _stop.Token).ConfigureAwait(false);
        _services.Add(_guest.FollowHaltsAsync(halted => _events.Publish("halt", state: halted ? "running" : "done"), _stop.Token));
        await LinkAgentAsync(_guest).ConfigureAwait(false);
        _events.Publish("running");
        return await _guest.Exited.ConfigureAwait(false);
    }

    private static IDriver CreateDriver(KeeperSpec spec) => spec.Driver switch
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
        await driver.CreateLinkAsync(cancellationToken).ConfigureAwait(false);
        // Rules first: there is no moment in which the link is up without them.
        await Firewall.ApplyAsync(cancellationToken).ConfigureAwait(false);
        await GatewayLink.ConfigureAsync(cancellationToken).ConfigureAwait(false);
        var egress = new EgressRelay(_bundle.Spec, _names, _counters);
        _services.Add(egress.AcceptProxyAsync(EgressRelay.Listen(GuestNetwork.ProxyPort), _stop.Token));
        _services.Add(egress.AcceptTransparentAsync(EgressRelay.Listen(GuestNetwork.TransparentPort), _stop.Token));
        var dns = new DnsServer(new DnsResponder(_names), _counters.Dns);
        _services.Add(dns.ServeTcpAsync(EgressRelay.Listen(GuestNetwork.DnsPort), _stop.Token));
        _services.Add(dns.ServeUdpAsync(EgressRelay.BindUdp(GuestNetwork.DnsPort), _stop.Token));
        return null;
    }

    private async Task LinkAgentAsync(IGuest guest) => await _steps.RunAsync(StepNames.AgentLink, AgentDeadline * _bundle.Spec.TimeScale, async token =>
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
        var link = AgentRelay.WaitForAgentAsync(limit.Token);
        if (await Task.WhenAny(link, guest.Exited).ConfigureAwait(false) != link)
        {
            await limit.CancelAsync().ConfigureAwait(false);
            var exit = await guest.Exited.ConfigureAwait(false);
            throw new InvalidOperationException($"the guest ended before its agent answered: {exit.Reason}, {exit.Detail}");
        }

        var attempts = await link.ConfigureAwait(false);
        _services.Add(new AgentRelay().AcceptAsync(UnixListener.Listen(BundleLayout.AgentSocket), _stop.Token));
        return $"{attempts} attempts";
    }, _stop.Token).ConfigureAwait(false);

    private async Task ExecuteAsync(KeeperCommand command, CancellationToken cancellationToken)
    {
        switch (command.Type)
        {
            case "stop":
                Stop(command.DeadlineMs > 0 ? TimeSpan.FromMilliseconds(command.DeadlineMs) : DefaultStop);
                break;
            case "pause":
                await AnswerAsync(SetPausedAsync(true, cancellationToken)).ConfigureAwait(false);
                break;
            case "resume":
                await AnswerAsync(SetPausedAsync(false, cancellationToken)).ConfigureAwait(false);
                break;
            case "snapshot":
                await AnswerAsync(WriteAsync("snapshot", guest => guest.CanSnapshot, guest => KeepAsync(guest, cancellationToken))).ConfigureAwait(false);
                break;
            case "fork":
                await AnswerAsync(WriteAsync("fork", guest => guest.CanFork, guest => guest.ForkAsync(command.Directory ?? "", cancellationToken))).ConfigureAwait(false);
                break;
            case "counters":
                await PublishCountersAsync(cancellationToken).ConfigureAwait(false);
                break;
        }
    }

    /// <summary>An answer that the end must not overtake.</summary>
    private async Task AnswerAsync(Task answer)
    {
        _asked[answer] = true;
        try
        {
            await answer.ConfigureAwait(false);
        }
        finally
        {
            _asked.TryRemove(answer, out _);
        }
    }

    private async Task SetPausedAsync(bool paused, CancellationToken cancellationToken)
    {
        var name = paused ? "pause" : "resume";
        if (_isKept)
        {
            _events.Publish("step", name, "failed", detail: "it was kept as a snapshot, and does not go on");
            return;
        }

        if (_guest is not { CanPause: true } guest)
        {
            _events.Publish("step", name, "failed", detail: $"this host offers no cgroup to freeze; {KeeperAdvice.Cgroup}");
            return;
        }

        try
        {
            await guest.SetPausedAsync(paused, cancellationToken).ConfigureAwait(false);
            _events.Publish("step", name, "done");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ObjectDisposedException)
        {
            _events.Publish("step", name, "failed", detail: WordsOf(exception));
        }
    }

    // Before anybody is told of it: from then on nothing may have it go on.
    private async Task KeepAsync(IGuest guest, CancellationToken cancellationToken)
    {
        await guest.SnapshotAsync(cancellationToken).ConfigureAwait(false);
        _isKept = true;
    }

    /// <summary>Has the guest written down, and says whether it was.</summary>
    /// <param name="name">Of the step.</param>
    private async Task WriteAsync(string name, Func<IGuest, bool> can, Func<IGuest, Task> write)
    {
        try
        {
            var guest = _guest is { } running && can(running) && !_isKept ? running : throw new IOException("this guest cannot be copied");
            await write(guest).ConfigureAwait(false);
            _events.Publish("step", name, "done");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or OperationCanceledException or ObjectDisposedException)
        {
            _events.Publish("step", name, "failed", detail: WordsOf(exception));
        }
    }

    private static string WordsOf(Exception exception) => exception is ObjectDisposedException ? "the guest has ended" : exception.Message;

    private async Task PublishCountersAsync(CancellationToken cancellationToken)
    {
        try
        {
            foreach (var (name, value) in (await Firewall.CountersAsync(cancellationToken).ConfigureAwait(false)).Concat(_counters.Snapshot()))
            {
                _events.Publish("counter", name, value: value);
            }
        }
        catch (InvalidOperationException exception)
        {
            _events.Publish("step", "counters", "failed", detail: exception.Message);
        }
    }

    private async Task StopAsync(TimeSpan deadline)
    {
        if (_guest is not { } guest)
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            return;
        }

        if (_isKept)
        {
            guest.Kill();
            return;
        }

        using var limit = new CancellationTokenSource(deadline);
        try
        {
            if (guest.CanPause)
            {
                // What stands still hears nothing.
                await guest.SetPausedAsync(false, limit.Token).ConfigureAwait(false);
            }

            await guest.RequestStopAsync(limit.Token).ConfigureAwait(false);
            await guest.Exited.WaitAsync(limit.Token).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            guest.Kill();
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
        var what = exception is StepFailedException failed ? failed.Message : $"unexpected: {exception.Message}";
        return (new GuestExit(ReasonCodes.StartFailed, last.Length == 0 ? what : $"{what}\n{last}"), 1);
    }

    private async Task EndAsync(GuestExit exit)
    {
        // What was asked of the guest fails with it, and nothing is told after the last event.
        await Task.WhenAny(Task.WhenAll(_asked.Keys), Task.Delay(DrainDeadline)).ConfigureAwait(false);
        var last = _events.End(exit.Reason, exit.Detail);
        try
        {
            _bundle.WriteExit(last);
        }
        catch (IOException exception)
        {
            // The server that is there hears it all the same.
            LastWords.Write(exception);
        }

        File.Delete(BundleLayout.AgentSocket);
        await _control.DrainAsync(DrainDeadline).ConfigureAwait(false);
        File.Delete(BundleLayout.KeeperSocket);
        await _stop.CancelAsync().ConfigureAwait(false);
    }
}
