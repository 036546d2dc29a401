using System.ComponentModel;
using System.Diagnostics;
using Oriel.Keeper.Drivers.Firecracker.Api;
using Oriel.Keeper.Drivers.Vm;
using Oriel.Keeper.Hosting;
using Oriel.Linux.Cgroups;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>One Firecracker process and its interface, from its start to its end.</summary>
internal sealed class FirecrackerMachine : IAsyncDisposable
{
    private static readonly TimeSpan AnswerDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(2);

    private readonly Process _process;
    private readonly VmmOutput _output;
    private readonly Task _console;

    private FirecrackerMachine(Process process, VmmOutput output, Task console, FirecrackerApi api, FirecrackerProbe program)
    {
        (_process, _output, _console) = (process, output, console);
        (Api, Program) = (api, program);
    }

    public FirecrackerApi Api { get; }

    public FirecrackerProbe Program { get; }

    public int ProcessId => _process.Id;

    /// <summary>Starts a VMM, its own system-call filter on as it is by default, and waits until its interface answers.</summary>
    /// <param name="directory">Has the files that <see cref="MachineFiles"/> names; short enough for a socket's address, so usually relative.</param>
    /// <param name="id">What the VMM calls itself in its log.</param>
    /// <param name="console">Takes what the VMM prints, and the guest's serial port where that is on.</param>
    /// <exception cref="InvalidOperationException">It ended or did not answer.</exception>
    public static async Task<FirecrackerMachine> StartAsync(
        FirecrackerProbe program, string directory, string id, VmmOutput output, ConsoleLog console, Cgroup? cgroup, CancellationToken cancellationToken)
    {
        var process = Process.Start(VmProcess.StartInfo(directory, cgroup, program.Program, ["--api-sock", MachineFiles.Socket, "--id", id]))!;
        var api = new FirecrackerApi(new ApiTransport(Path.Combine(directory, MachineFiles.Socket)));
        var machine = new FirecrackerMachine(process, output, console.PumpAsync(process.StandardOutput.BaseStream, CancellationToken.None), api, program);
        try
        {
            await machine.AwaitAnswerAsync(cancellationToken).ConfigureAwait(false);
            return machine;
        }
        catch
        {
            await machine.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Ends with the process, and after all that it printed has been read.</summary>
    /// <returns>Its exit code; 128 and the signal where one ended it.</returns>
    public async Task<int> WaitForExitAsync()
    {
        await _process.WaitForExitAsync().ConfigureAwait(false);
        await _console.ConfigureAwait(false);
        return _process.ExitCode;
    }

    public void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (Exception exception) when (exception is InvalidOperationException or Win32Exception)
        {
            // It has ended.
        }
    }

    /// <summary>Kills it where it still is, and keeps the last of its log.</summary>
    public async ValueTask DisposeAsync()
    {
        Kill();
        await WaitForExitAsync().ConfigureAwait(false);
        await _output.DisposeAsync().ConfigureAwait(false);
        _process.Dispose();
    }

    private async Task AwaitAnswerAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(AnswerDeadline);
        FirecrackerException? last = null;
        try
        {
            while (true)
            {
                try
                {
                    await CheckVersionAsync(limit.Token).ConfigureAwait(false);
                    return;
                }
                catch (FirecrackerException exception) when (exception.Fault == FirecrackerFault.Unreachable)
                {
                    last = exception;
                }

                if (_process.HasExited)
                {
                    throw new InvalidOperationException($"Firecracker ended before it answered: {FirecrackerExit.Explain(await WaitForExitAsync().ConfigureAwait(false))}; its words are the last lines of the console");
                }

                await Task.Delay(LookPause, limit.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException($"Firecracker's interface did not answer within {AnswerDeadline.TotalSeconds:0} s; last seen: {last?.Message ?? "nothing"}");
        }
    }

    // The program may have been replaced since it was asked.
    private async Task CheckVersionAsync(CancellationToken cancellationToken)
    {
        var text = await Api.VersionAsync(cancellationToken).ConfigureAwait(false);
        if (!FirecrackerVersion.TryParse(text, out var version) || version != Program.Version)
        {
            throw new InvalidOperationException($"Firecracker says it is {text}, and said {Program.Version} before: it was replaced meanwhile; try again.");
        }
    }
}
