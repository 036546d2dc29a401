using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json;
using Grpc.Core;
using Oriel.Agents;
using Oriel.Protocol.Boot;
using Oriel.Protocol.Guest;

namespace Oriel.Linux.Tests.Guest;

/// <summary>
/// A real guest: the published agent as PID 1 over an image's root file system, in namespaces of its own, reached by a unix socket.
/// Needs ORIEL_TEST_ROOTFS and ORIEL_TEST_APP (or, while developing, ORIEL_TEST_AGENT); without them the test is skipped.
/// </summary>
internal sealed class GuestUnderTest : IAsyncDisposable
{
    /// <summary>A guest's start takes 2 s alone; this is for a machine that is busy with other tests.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(90);

    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(20);

    private readonly Process _process;
    private readonly string _directory;
    private readonly List<string> _console = [];

    private GuestUnderTest(Process process, string directory, byte[] key) => (_process, _directory, Key) = (process, directory, key);

    public byte[] Key { get; }

    public string SocketPath => Path.Combine(_directory, "run/agent.sock");

    public int ProcessId => _process.Id;

    public string Console
    {
        get
        {
            lock (_console)
            {
                return string.Join('\n', _console);
            }
        }
    }

    public static GuestUnderTest Start()
    {
        var rootfs = Environment.GetEnvironmentVariable("ORIEL_TEST_ROOTFS");
        var agent =
            Environment.GetEnvironmentVariable("ORIEL_TEST_AGENT")
            ?? (Environment.GetEnvironmentVariable("ORIEL_TEST_APP") is { Length: > 0 } app ? Path.Combine(app, "oriel-agent") : null);
        Assert.SkipWhen(string.IsNullOrEmpty(rootfs), "ORIEL_TEST_ROOTFS names no image's root file system.");
        Assert.SkipWhen(agent is null || !File.Exists(agent), "ORIEL_TEST_APP has no published oriel-agent.");
        Assert.SkipWhen(Environment.UserName == "root", "Run as an unprivileged user with subordinate ids.");

        var directory = Directory.CreateTempSubdirectory("og-").FullName;
        Directory.CreateDirectory(Path.Combine(directory, "run"));
        Directory.CreateDirectory(Path.Combine(directory, "disk"));
        var key = RandomNumberGenerator.GetBytes(32);
        File.WriteAllText(
            Path.Combine(directory, "run/boot.json"),
            JsonSerializer.Serialize(new BootConfig("d-aaaaaaaaaa", key, "before"), BootJsonContext.Default.BootConfig)
        );
        var start = new ProcessStartInfo("unshare")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (
            var argument in (string[])
                [
                    "--user",
                    "--map-root-user",
                    "--map-auto",
                    "--net",
                    "--mount",
                    "--uts",
                    "--ipc",
                    "--pid",
                    "--fork",
                    "--kill-child",
                    "sh",
                    Path.Combine(AppContext.BaseDirectory, "Guest/guest.sh"),
                    directory,
                    rootfs!,
                    agent!,
                ]
        )
        {
            start.ArgumentList.Add(argument);
        }

        var process = new Process { StartInfo = start };
        var guest = new GuestUnderTest(process, directory, key);
        process.OutputDataReceived += guest.AddLine;
        process.ErrorDataReceived += guest.AddLine;
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return guest;
    }

    /// <summary>Waits until the agent answers.</summary>
    public async Task<AgentConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        await WaitForSocketAsync(cancellationToken);
        return await AgentConnection.OpenAsync(SocketPath, Key, cancellationToken);
    }

    public async Task WaitForSocketAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(Deadline);
        while (true)
        {
            Assert.False(_process.HasExited, $"The guest ended:\n{Console}");
            try
            {
                using var socket = new System.Net.Sockets.Socket(
                    System.Net.Sockets.AddressFamily.Unix,
                    System.Net.Sockets.SocketType.Stream,
                    0
                );
                await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(SocketPath), deadline.Token);
                return;
            }
            catch (System.Net.Sockets.SocketException)
            {
                try
                {
                    // There is no event for "somebody listens"; each turn looks again until the deadline.
                    await Task.Delay(LookAgain, deadline.Token);
                }
                catch (OperationCanceledException)
                {
                    Assert.Fail($"The agent did not listen within {Deadline}:\n{Console}");
                }
            }
        }
    }

    /// <summary>The first event of this step in this state; its predecessors are in the failure when there is none.</summary>
    public async Task<GuestStep> WaitForStepAsync(AgentConnection agent, string name, StepState state, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(Deadline);
        List<string> seen = [];
        try
        {
            using var call = agent.Guest.WatchSteps(new WatchStepsRequest(), cancellationToken: deadline.Token);
            await foreach (var step in call.ResponseStream.ReadAllAsync(deadline.Token))
            {
                seen.Add($"{step.Name} {step.State} {step.Detail}");
                if (step.Name == name && step.State == state)
                {
                    return step;
                }
            }
        }
        catch (Exception e) when (e is RpcException or OperationCanceledException && deadline.IsCancellationRequested)
        {
            // Told below.
        }

        Assert.Fail($"{name} was not {state}; seen: {string.Join("; ", seen)}\n{Console}");
        throw new InvalidOperationException();
    }

    /// <returns>The exit code of the guest's init.</returns>
    public async Task<int> WaitForEndAsync(CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(Deadline);
        await _process.WaitForExitAsync(deadline.Token);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            // --kill-child: the guest's init dies with unshare, and with it everything of its PID namespace.
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        _process.Dispose();
        try
        {
            Directory.Delete(_directory, recursive: true);
        }
        catch (UnauthorizedAccessException)
        {
            // The socket's directory may hold a file of a mapped id; the temporary directory is swept by the test run.
        }
    }

    private void AddLine(object sender, DataReceivedEventArgs e)
    {
        lock (_console)
        {
            if (e.Data is not null && _console.Count < 2000)
            {
                _console.Add(e.Data);
            }
        }
    }
}
