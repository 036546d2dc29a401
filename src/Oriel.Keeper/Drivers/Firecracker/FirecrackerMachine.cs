using System.ComponentModel;
using System.Diagnostics;
using Oriel.Keeper.Drivers.Firecracker.Api;
using Oriel.Keeper.Drivers.Vm;
using Oriel.Keeper.Logs;
using Oriel.Linux.Cgroups;

namespace Oriel.Keeper.Drivers.Firecracker;

/// <summary>One Firecracker process and its interface, from its start to its end.</summary>
internal sealed class FirecrackerMachine : IAsyncDisposable
{
    private static readonly TimeSpan AnswerDeadline = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(2);

    /// <summary>A process that ends closes its sockets before it is seen to have ended.</summary>
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(1);

    private readonly Process _process;
    private readonly ApiTransport _transport;
    private readonly Cgroup? _cgroup;
    private readonly VmmWords _words;

    private FirecrackerMachine(
        Process process,
        VmmOutput output,
        ConsoleLog console,
        VmmWords words,
        ApiTransport transport,
        FirecrackerProbe program,
        Cgroup? cgroup
    )
    {
        (_process, _words, _transport, _cgroup) = (process, words, transport, cgroup);
        (Api, Program) = (new FirecrackerApi(transport, ExplainAsync), program);
        Ended = EndAsync(output, console);
    }

    /// <summary>A request that fails because the VMM has ended says so, and why.</summary>
    public FirecrackerApi Api { get; }

    public FirecrackerProbe Program { get; }

    public int ProcessId => _process.Id;

    /// <summary>Completes with the process, after all that it printed and logged has been read.</summary>
    public Task<GuestExit> Ended { get; }

    /// <summary>Starts a VMM, its own system-call filter on as it is by default, and waits until its interface answers.</summary>
    /// <param name="directory">Has the files that <see cref="MachineFiles"/> names.</param>
    /// <param name="id">What the VMM calls itself in its log.</param>
    /// <param name="output">Disposed of when the VMM has ended.</param>
    /// <param name="console">Takes what the VMM prints, and the guest's serial port where that is on.</param>
    /// <exception cref="InvalidOperationException">It ended or did not answer.</exception>
    public static async Task<FirecrackerMachine> StartAsync(
        FirecrackerProbe program,
        string directory,
        string id,
        VmmOutput output,
        ConsoleLog console,
        Cgroup? cgroup,
        CancellationToken cancellationToken
    )
    {
        var words = new VmmWords();
        output.LineLogged += words.HearLog;
        console.LineWritten += words.HearConsole;
        var process = Programs.Start(
            VmProcess.StartInfo(directory, cgroup, program.Program, ["--api-sock", MachineFiles.Socket, "--id", id], kvm: true)
        );
        var machine = new FirecrackerMachine(
            process,
            output,
            console,
            words,
            new ApiTransport(Path.Combine(directory, MachineFiles.Socket)),
            program,
            cgroup
        );
        try
        {
            await machine.AwaitAnswerAsync(cancellationToken);
            return machine;
        }
        catch
        {
            await machine.DisposeAsync();
            throw;
        }
    }

    public void Kill()
    {
        try
        {
            _process.Kill();
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has ended.
        }
    }

    /// <summary>Kills it where it still is, and keeps the last of its log.</summary>
    public async ValueTask DisposeAsync()
    {
        Kill();
        await Ended;
        _process.Dispose();
    }

    private async Task<GuestExit> EndAsync(VmmOutput output, ConsoleLog console)
    {
        var printed = console.PumpAsync(_process.StandardOutput.BaseStream, CancellationToken.None);
        await _process.WaitForExitAsync();
        await printed;
        console.LineWritten -= _words.HearConsole;
        await output.DisposeAsync();
        return FirecrackerExit.Judge(_process.ExitCode, _cgroup?.OutOfMemoryKills() > 0, _words.Last);
    }

    private async Task AwaitAnswerAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(AnswerDeadline);
        // Refused connections are what its start looks like: not to be explained each.
        var api = new FirecrackerApi(_transport);
        FirecrackerException? last = null;
        try
        {
            while (true)
            {
                try
                {
                    await CheckVersionAsync(api, limit.Token);
                    return;
                }
                catch (FirecrackerException e) when (e.Fault == FirecrackerFault.Unreachable)
                {
                    last = e;
                }
                catch (FirecrackerException e)
                {
                    throw await ExplainAsync(e);
                }

                if (Ended.IsCompleted)
                {
                    throw new InvalidOperationException($"Firecracker ended before it answered: {(await Ended).Detail}");
                }

                await Task.Delay(LookPause, limit.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new InvalidOperationException(
                $"Firecracker's interface did not answer within {AnswerDeadline.TotalSeconds:0} s; last seen: {last?.Message ?? "nothing"}"
            );
        }
    }

    private async Task<FirecrackerException> ExplainAsync(FirecrackerException exception)
    {
        if (!exception.IsOfTheConnection || await Task.WhenAny(Ended, Task.Delay(EndPatience)) != Ended)
        {
            return exception;
        }

        var exit = await Ended;
        return new FirecrackerException(
            exception.Fault,
            exception.Request,
            $"{exception.Why}; Firecracker has ended: {exit.Detail}",
            exception.Status,
            exception.FaultMessage,
            exception
        );
    }

    // The program may have been replaced since it was asked.
    private async Task CheckVersionAsync(FirecrackerApi api, CancellationToken cancellationToken)
    {
        var text = await api.VersionAsync(cancellationToken);
        if (!FirecrackerVersion.TryParse(text, out var version) || version != Program.Version)
        {
            throw new InvalidOperationException(
                $"Firecracker says it is {text}, and said {Program.Version} before: it was replaced meanwhile; try again."
            );
        }
    }
}
