using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text.Json;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Node;
using Oriel.Linux.Machine;
using Oriel.Linux.Processes;
using Oriel.Protocol;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Server;

/// <summary>
/// A second implementation of the keeper's side of the border, for what a real one cannot be made to do at will: a real process with a
/// real identity file and socket, whose events the test decides. There is no guest behind it.
/// </summary>
internal sealed class PlayedKeepers : IKeeperHost, IAsyncDisposable
{
    /// <summary>Of machines that can be kept, restored and forked.</summary>
    public static DesktopDriver Driver { get; } =
        new("played", DesktopDriver.MicroVm, null, NeedsDisks: false, TimeScale: 1, Vmm: "/bin/true");

    private readonly ConcurrentDictionary<Bundle, Played> _running = new();
    private volatile bool _ended;

    /// <summary>What each keeper says on its socket from the start.</summary>
    public IReadOnlyList<KeeperEvent> Script { get; set; } = [new KeeperStep(1, StepNames.Namespaces, KeeperStepState.Done, 500)];

    /// <summary>
    /// What answers behind each keeper; none unless given. The keeper says that it runs before anything in <see cref="Script"/>.
    /// </summary>
    public Func<PlayedGuest>? Guest { get; init; }

    /// <summary>The same by what each keeper is to do.</summary>
    public Func<KeeperSpec, PlayedGuest>? GuestFor { get; set; }

    /// <summary>Says something else on each connection, in place of <see cref="Script"/>.</summary>
    public Func<Socket, Task>? Speech { get; set; }

    public long Free { get; set; } = long.MaxValue;

    public long FreeBytes(string directory) => Free;

    /// <summary>Why it does not copy a guest; null = it says that it did.</summary>
    public string? ForkProblem { get; set; }

    /// <summary>Comes before each command is obeyed; null = it obeys, else it ends in the middle of it.</summary>
    public Func<string, Task<PlayedEnd?>> Ending { get; set; } = _ => Task.FromResult<PlayedEnd?>(null);

    /// <summary>Fills the directory of a guest that is to be kept, and tells why it could not; null = it has done so.</summary>
    public Func<KeeperSpec, Task<string?>> Keeping { get; set; } =
        async spec =>
        {
            var snapshot = new SnapshotDirectory(spec.Snapshot!.Directory);
            foreach (var path in (string[])[snapshot.Memory, snapshot.State, snapshot.Scratch])
            {
                await File.WriteAllTextAsync(path, Path.GetFileName(path));
            }

            return null;
        };

    public int Running => _running.Count;

    public async Task StartAsync(KeeperSpec spec, CancellationToken cancellationToken)
    {
        // It reads what never comes, and so ends with this program, by whatever end.
        var process = Process.Start(new ProcessStartInfo("cat") { RedirectStandardInput = true })!;
        try
        {
            await StartAsync(process, spec, cancellationToken);
        }
        catch
        {
            // A start that was given up leaves nothing behind, as a real one.
            process.Kill();
            throw;
        }
    }

    private async Task StartAsync(Process process, KeeperSpec spec, CancellationToken cancellationToken)
    {
        Assert.True(ProcessTable.TryRead(process.Id, out var entry));
        var bundle = new Bundle(spec.Bundle);
        await File.WriteAllBytesAsync(
            bundle.Spec,
            JsonSerializer.SerializeToUtf8Bytes(spec, KeeperJsonContext.Default.KeeperSpec),
            cancellationToken
        );
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(bundle.KeeperSocket));
        listener.Listen();
        var guest = GuestFor?.Invoke(spec) ?? Guest?.Invoke();
        if (guest is not null)
        {
            await guest.ListenAsync(spec, cancellationToken);
        }

        IReadOnlyList<KeeperEvent> script = guest is null ? Script : [new GuestRunning(0), .. Script];
        var played = new Played(
            process,
            listener,
            guest,
            Speech ?? (socket => SayAsync(socket, script)),
            () => ForkProblem,
            () => Keeping(spec),
            () => KillAsync(bundle, CancellationToken.None)
        )
        {
            Ending = command => Ending(command),
            End = end => EndAsync(spec.DesktopId, end.Reason, end.Detail),
        };
        _running[bundle] = played;
        if (_ended)
        {
            await KillAsync(bundle, CancellationToken.None);
        }

        var identity = new KeeperIdentity(process.Id, entry.StartTicks, BootId.Read(), KeeperIdentity.CurrentVersion);
        await File.WriteAllBytesAsync(
            bundle.Identity,
            JsonSerializer.SerializeToUtf8Bytes(identity, KeeperJsonContext.Default.KeeperIdentity),
            cancellationToken
        );
    }

    public async Task KillAsync(Bundle bundle, CancellationToken cancellationToken)
    {
        if (_running.TryRemove(bundle, out var played))
        {
            await played.DisposeAsync();
        }
    }

    public Task RemoveBundleAsync(Bundle bundle, CancellationToken cancellationToken)
    {
        if (bundle.Exists)
        {
            Directory.Delete(bundle.Path, recursive: true);
        }

        return Task.CompletedTask;
    }

    /// <summary>As kill -9 would: process and sockets go, nothing is said.</summary>
    public Task DieAsync(string id) => KillAsync(_running.Keys.Single(bundle => bundle.Name == id), CancellationToken.None);

    /// <summary>The guest ended: the keeper leaves its last word in the bundle, and goes.</summary>
    public async Task EndAsync(string id, string reason, string detail)
    {
        var bundle = _running.Keys.Single(bundle => bundle.Name == id);
        var last = new KeeperExit(long.MaxValue, reason, detail);
        await File.WriteAllBytesAsync(bundle.Exit, JsonSerializer.SerializeToUtf8Bytes(last, KeeperMessageContext.Default.KeeperMessage));
        await KillAsync(bundle, CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        _ended = true;
        foreach (var bundle in _running.Keys)
        {
            await KillAsync(bundle, CancellationToken.None);
        }
    }

    /// <summary>As a keeper tells it.</summary>
    public static async Task SayAsync(Socket socket, IEnumerable<KeeperMessage> script)
    {
        foreach (var item in script)
        {
            await socket.SendAsync(
                (byte[])[.. JsonSerializer.SerializeToUtf8Bytes(item, KeeperMessageContext.Default.KeeperMessage), (byte)'\n']
            );
        }
    }

    private sealed class Played : IAsyncDisposable
    {
        private readonly Process _process;
        private readonly Socket _listener;
        private readonly PlayedGuest? _guest;
        private readonly Func<Task> _stop;
        private readonly Func<string?> _forkProblem;
        private readonly Func<Task<string?>> _keep;
        private readonly ConcurrentBag<Socket> _accepted = [];
        private readonly Task _accepting;

        public Played(
            Process process,
            Socket listener,
            PlayedGuest? guest,
            Func<Socket, Task> speech,
            Func<string?> forkProblem,
            Func<Task<string?>> keep,
            Func<Task> stop
        )
        {
            (_process, _listener, _guest, _forkProblem, _keep, _stop) = (process, listener, guest, forkProblem, keep, stop);
            _accepting = AcceptAsync(speech);
        }

        public required Func<string, Task<PlayedEnd?>> Ending { get; init; }

        public required Func<PlayedEnd, Task> End { get; init; }

        public async ValueTask DisposeAsync()
        {
            _process.Kill();
            await _process.WaitForExitAsync();
            _process.Dispose();
            _listener.Dispose();
            await _accepting;
            if (_guest is not null)
            {
                await _guest.DisposeAsync();
            }

            foreach (var socket in _accepted)
            {
                socket.Dispose();
            }
        }

        /// <summary>Ends when it is told to stop, and says that it paused or resumed; nothing runs here that could be.</summary>
        private async Task ObeyAsync(Socket socket)
        {
            try
            {
                using var reader = new StreamReader(new NetworkStream(socket));
                while (await reader.ReadLineAsync() is { } line)
                {
                    var command = JsonSerializer.Deserialize(line, KeeperMessageContext.Default.KeeperCommand)!;
                    // Not awaited, as in a real one: what takes long does not hold up the command to stop.
                    _ = ObeyAsync(socket, command);
                }
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                // Killed.
            }
        }

        private async Task ObeyAsync(Socket socket, KeeperCommand command)
        {
            var name = command switch
            {
                StopGuest => "stop",
                PauseGuest => "pause",
                ResumeGuest => "resume",
                SaveGuest => "save",
                ForkGuest => "fork",
                _ => "counters",
            };
            try
            {
                if (await Ending(name) is { } end)
                {
                    if (end.IsAnswered)
                    {
                        await SayAsync(socket, [new KeeperReply(command.Id)]);
                    }

                    await End(end);
                    return;
                }

                var at = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1000;
                KeeperMessage[] said = command switch
                {
                    PauseGuest => [new MachineReport(at, MachineState.Paused), new KeeperReply(command.Id)],
                    ResumeGuest => [new MachineReport(at, MachineState.Running), new KeeperReply(command.Id)],
                    SaveGuest => [new KeeperReply(command.Id, await _keep())],
                    ForkGuest => [new KeeperReply(command.Id, _forkProblem())],
                    _ => [new KeeperReply(command.Id)],
                };
                await SayAsync(socket, said);
                if (command is StopGuest)
                {
                    await _stop();
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Killed.
            }
        }

        private async Task AcceptAsync(Func<Socket, Task> speech)
        {
            try
            {
                while (true)
                {
                    var socket = await _listener.AcceptAsync();
                    _accepted.Add(socket);
                    _ = ObeyAsync(socket);
                    try
                    {
                        await speech(socket);
                    }
                    catch (SocketException)
                    {
                        // It has heard enough; it may come again.
                    }
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Killed.
            }
        }
    }
}

/// <summary>How a played keeper ends in the middle of a command.</summary>
/// <param name="Reason">As a keeper tells it.</param>
/// <param name="IsAnswered">It says that it has done what it was told, and ends at once.</param>
internal sealed record PlayedEnd(string Reason, string Detail, bool IsAnswered = false);
