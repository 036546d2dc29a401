using System.Security.Cryptography;
using System.Text.Json;
using Oriel.Linux.Machine;
using Oriel.Linux.Processes;
using Oriel.Protocol;
using Oriel.Protocol.Boot;

namespace Oriel.Agent.Boot;

/// <summary>What exists before the first service: the console, the reaper, the machine's mounts and the boot configuration.</summary>
internal sealed class GuestBoot : IDisposable
{
    private const int MaxBootConfigBytes = 64 * 1024;

    /// <summary>On the kernel's command line, put there by the driver of a VMM that ends when its guest resets.</summary>
    private const string EndByReset = "oriel_end=reboot";

    private const int SigTerm = 15;
    private const int SigKill = 9;
    private static readonly TimeSpan LeftoversDeadline = TimeSpan.FromSeconds(1);

    private GuestBoot(
        TimeProvider clock,
        GuestConsole console,
        StepJournal steps,
        ChildReaper reaper,
        AgentOptions options,
        BootConfig config
    ) => (Clock, Console, Steps, Reaper, Options, Config) = (clock, console, steps, reaper, options, config);

    public TimeProvider Clock { get; }

    public GuestConsole Console { get; }

    public StepJournal Steps { get; }

    public ChildReaper Reaper { get; }

    public AgentOptions Options { get; }

    public BootConfig Config { get; }

    public bool IsInit { get; } = Environment.ProcessId == 1;

    /// <returns>Null when the guest cannot be started; the console has the reason.</returns>
    public static GuestBoot? Start()
    {
        var clock = TimeProvider.System;
        var console = new GuestConsole(clock);
        var steps = new StepJournal(clock, console);
        try
        {
            var options = AgentOptions.FromEnvironment();
            if (Environment.ProcessId == 1)
            {
                var mounts = steps.Begin(StepNames.Mounts);
                mounts.Done(MachineMounts.MountMissing());
                AskForControlAltDelete();
            }

            var boot = steps.Begin(StepNames.BootConfig);
            var config = ReadConfig(options.BootConfigPath);
            if (config.Warm is not null && GuestMachine.OwnsKernel())
            {
                // A container's is set from outside. A session that starts before its desktop is configured must not start with the
                // kernel's "(none)".
                GuestMachine.SetHostname(config.Hostname);
            }

            boot.Done($"desktop {config.DesktopId}");
            var reaper = ChildReaper.Start();
            return new GuestBoot(clock, console, steps, reaper, options, config);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or FormatException)
        {
            steps.Begin(StepNames.Boot).Fail(e.Message);
            console.Dispose();
            return null;
        }
    }

    /// <summary>Runs until SIGTERM or the Shutdown call, then ends what is left of the guest.</summary>
    public async Task<int> RunAsync(WebApplication app)
    {
        try
        {
            await app.RunAsync();
            return 0;
        }
        catch (IOException e)
        {
            // The listener's address is taken or not there.
            Console.Write("error", "agent", e.Message);
            return 1;
        }
        finally
        {
            if (IsInit)
            {
                // What the session left: programs of their own sessions, and what exec started.
                ChildReaper.SignalAll(SigTerm);
                await Reaper.Childless.WaitAsync(LeftoversDeadline).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                ChildReaper.SignalAll(SigKill);
            }

            GuestMachine.Sync();
            Console.Write("info", "agent", "guest ended");
            Console.Dispose();
            if (IsInit && GuestMachine.OwnsKernel())
            {
                End();
            }
        }
    }

    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(Config.AgentKey);
        Console.Dispose();
    }

    /// <summary>These keys, by which a VMM can ask a guest to end, are SIGINT to the first process then, and not an end at once.</summary>
    private static void AskForControlAltDelete()
    {
        if (GuestMachine.OwnsKernel())
        {
            File.WriteAllText("/proc/sys/kernel/ctrl-alt-del", "0");
        }
    }

    private static void End()
    {
        if (File.ReadAllText("/proc/cmdline").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Contains(EndByReset))
        {
            GuestMachine.Reset();
        }
        else
        {
            GuestMachine.PowerOff();
        }
    }

    private static BootConfig ReadConfig(string path)
    {
        using var file = File.OpenRead(path);
        if (file.Length > MaxBootConfigBytes)
        {
            throw new FormatException($"{path} is larger than {MaxBootConfigBytes} bytes.");
        }

        var config = JsonSerializer.Deserialize(file, BootJsonContext.Default.BootConfig);
        return config is { AgentKey.Length: 32, DesktopId.Length: > 0 }
            ? config
            : throw new FormatException($"{path} lacks a desktop id or a 32-byte agent key.");
    }
}
