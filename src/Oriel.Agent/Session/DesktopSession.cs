using Oriel.Agent.Accounts;
using Oriel.Agent.Boot;
using Oriel.Agent.Screens;
using Oriel.Agent.Variables;
using Oriel.Linux.Polling;
using Oriel.Linux.Processes;
using Oriel.Protocol;

namespace Oriel.Agent.Session;

/// <summary>
/// Owns the desktop's processes: the X server immediately, bus and XFCE when the guest is configured, or immediately in a warm guest, where
/// they start anew if the configuration needs that; tells when one of them ends; ends them in order. What ends by itself is not started
/// again: a desktop that lost its session is failed, and the server decides.
/// </summary>
internal sealed class DesktopSession(
    GuestBoot guest,
    XServer xServer,
    XDisplay display,
    SessionEnvironment environment,
    SessionGate gate,
    SessionCleanup cleanup,
    ChildOutput output,
    GuestEnding ending
) : BackgroundService
{
    private const int SigTerm = 15;
    private static readonly TimeSpan BusDeadline = TimeSpan.FromSeconds(10);

    private readonly Stack<(string Name, Child Process)> _started = new();

    /// <summary>Last started, first ended; what does not end while there is time is killed.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        while (_started.TryPop(out var part))
        {
            await EndAsync(part.Name, part.Process);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The host starts its other services, the listener among them, meanwhile.
        await Task.Yield();
        try
        {
            var user = UserAccounts.Desktop();
            RunStep(StepNames.RuntimeDirs, () => RuntimeDirectories.Create(user));
            if (guest.Options.Headless)
            {
                await gate.Opened.WaitAsync(stoppingToken);
                guest.Steps.Begin(StepNames.Session).Done("none, the image has no desktop");
                return;
            }

            var x = await StartXAsync(user, stoppingToken);
            if (guest.Config.Warm is null)
            {
                await gate.Opened.WaitAsync(stoppingToken);
            }

            for (var mayStartAnew = true; ; mayStartAnew = false)
            {
                var bus = await StartBusAsync(user, stoppingToken);
                var session = StartXfce(user, stoppingToken);
                if (
                    !await IsRenewalWantedAsync(
                        [("X server", x), ("session bus", bus), ("xfce4-session", session)],
                        mayStartAnew,
                        stoppingToken
                    )
                )
                {
                    return;
                }

                await EndSessionAsync(x, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Asked to end.
        }
        catch (IOException e)
        {
            display.Fail(e);
            gate.Fail(e);
            guest.Steps.Begin(StepNames.Session).Fail(e.Message);
        }
    }

    private void RunStep(string name, Action action)
    {
        var step = guest.Steps.Begin(name);
        try
        {
            action();
            step.Done();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            step.Fail(e.Message);
            throw;
        }
    }

    private async Task<Child> StartXAsync(UserAccount user, CancellationToken cancellationToken)
    {
        var step = guest.Steps.Begin(StepNames.XServer);
        try
        {
            var (process, address) = await xServer.StartAsync(user, RuntimeDirectories.Of(user), cancellationToken);
            _started.Push(("X server", process));
            environment.SetDisplay(address);
            if (guest.Config.Warm is { } warm)
            {
                InitialScreenSize.Apply(address, warm.Width, warm.Height);
            }

            display.Announce(address);
            step.Done($"display {address.Name} pid {process.Pid}");
            return process;
        }
        catch (IOException e)
        {
            step.Fail(e.Message);
            throw;
        }
    }

    private async Task<Child> StartBusAsync(UserAccount user, CancellationToken cancellationToken)
    {
        var step = guest.Steps.Begin(StepNames.Dbus);
        var path = $"{RuntimeDirectories.Of(user)}/bus";
        var (ready, readyWriter) = AsyncDescriptor.CreateReader();
        using var reader = ready;
        Child bus;
        var (log, _) = output.Open(StepNames.Dbus, cancellationToken);
        try
        {
            using (log)
            using (readyWriter)
            {
                environment.SetBus($"unix:path={path}");
                bus = guest.Reaper.Spawn(
                    new SpawnSpec(
                        "dbus-daemon",
                        ["--session", "--nofork", "--nopidfile", $"--address=unix:path={path}", "--print-address=3"],
                        environment.For(user),
                        user.Credentials
                    )
                    {
                        Stdout = log,
                        Stderr = log,
                        Inherited = [readyWriter],
                        WorkingDirectory = user.Home,
                    }
                );
            }

            _started.Push(("session bus", bus));
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            deadline.CancelAfter(BusDeadline * guest.Config.TimeScale);
            if (await reader.ReadAsync(new byte[256], deadline.Token) == 0)
            {
                throw new IOException("The session bus ended before it was ready.");
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            step.Fail($"no address within {(BusDeadline * guest.Config.TimeScale).TotalSeconds:0} s");
            throw new IOException("The session bus reported no address.");
        }
        catch (IOException e)
        {
            step.Fail(e.Message);
            throw;
        }

        step.Done($"pid {bus.Pid}");
        return bus;
    }

    private Child StartXfce(UserAccount user, CancellationToken cancellationToken)
    {
        var step = guest.Steps.Begin(StepNames.Session);
        var (log, _) = output.Open(StepNames.Session, cancellationToken);
        using (log)
        {
            var session = guest.Reaper.Spawn(
                new SpawnSpec("xfce4-session", [], environment.For(user), user.Credentials)
                {
                    Stdout = log,
                    Stderr = log,
                    WorkingDirectory = user.Home,
                }
            );
            _started.Push(("xfce4-session", session));
            gate.Started(session);
            step.Done($"xfce4-session pid {session.Pid}");
            return session;
        }
    }

    /// <summary>Waits until a part ends, which is reported, or the session is to start anew.</summary>
    private async Task<bool> IsRenewalWantedAsync(
        (string Name, Child Process)[] parts,
        bool mayStartAnew,
        CancellationToken cancellationToken
    )
    {
        var exits = parts.Select(part => part.Process.Exited);
        var first = await Task.WhenAny(mayStartAnew ? [.. exits, gate.RenewalWanted] : exits).WaitAsync(cancellationToken);
        if (first == gate.RenewalWanted)
        {
            return true;
        }

        var (name, process) = parts.First(part => part.Process.Exited == first);
        var why = $"{name} (pid {process.Pid}) ended: {await process.Exited}";
        gate.Fail(new IOException(why));
        guest.Steps.Begin(StepNames.Session).Fail(why);
        return false;
    }

    private async Task EndSessionAsync(Child x, CancellationToken cancellationToken)
    {
        var step = guest.Steps.Begin(StepNames.SessionEnd);
        try
        {
            step.Done($"{await cleanup.EndAllButAsync(x, cancellationToken)} processes");
        }
        catch (IOException e)
        {
            step.Fail(e.Message);
            throw;
        }

        while (_started.Peek().Process != x)
        {
            _started.Pop();
        }
    }

    private async Task EndAsync(string name, Child process)
    {
        process.SignalGroup(SigTerm);
        try
        {
            await process.Exited.WaitAsync(ending.Left, guest.Clock);
        }
        catch (TimeoutException)
        {
            guest.Console.Write("warn", "agent", $"{name} did not end in time and is killed");
            process.KillSession();
        }
    }
}
