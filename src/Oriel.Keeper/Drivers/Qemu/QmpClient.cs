using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Oriel.Linux.Files;

namespace Oriel.Keeper.Drivers.Qemu;

/// <summary>
/// QEMU's machine protocol: one JSON object a line, one command at a time, events in between. Source: docs/interop/qmp-spec.rst of QEMU
/// 7.2. What comes in is bounded: behind it is the process that the guest might have broken into.
/// </summary>
internal sealed class QmpClient : IAsyncDisposable
{
    public const int MaxLineBytes = 64 * 1024;
    private static readonly TimeSpan ConnectPause = TimeSpan.FromMilliseconds(3);

    private readonly Stream _stream;
    private readonly SemaphoreSlim _oneCommand = new(1, 1);
    private readonly CancellationTokenSource _stop = new();
    private readonly Channel<bool> _halts = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );
    private readonly Task _reading;
    private Waiting? _waiting;
    private long _lastId;

    private QmpClient(Stream stream, string version)
    {
        _stream = stream;
        Version = version;
        _reading = ReadAllAsync(_stop.Token);
    }

    /// <summary>Of QEMU, as it greets.</summary>
    public string Version { get; }

    /// <summary>
    /// Why QEMU last said that the machine shut down (<c>guest-shutdown</c>, <c>guest-reset</c>, <c>host-qmp-quit</c>, ...); null before.
    /// </summary>
    public string? ShutdownReason { get; private set; }

    /// <summary>
    /// Has an entry once QEMU has stopped the machine because this host's disk is full; several are one. Completes with QEMU.
    /// </summary>
    public ChannelReader<bool> Halts => _halts.Reader;

    /// <summary>Waits until the socket is there and answers.</summary>
    /// <param name="ended">Completes when there is nobody left to answer.</param>
    /// <exception cref="IOException">It ended, or is no QMP.</exception>
    public static async Task<QmpClient> ConnectAsync(string path, Task ended, CancellationToken cancellationToken)
    {
        while (true)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await SocketFile.ConnectAsync(socket, path, cancellationToken);
                return await GreetAsync(new NetworkStream(socket, ownsSocket: true), cancellationToken);
            }
            catch (SocketException) when (!ended.IsCompleted)
            {
                socket.Dispose();
                await Task.Delay(ConnectPause, cancellationToken);
            }
            catch (SocketException e)
            {
                socket.Dispose();
                throw new IOException("QEMU ended at once; its words are the last lines of the console", e);
            }
        }
    }

    /// <summary>
    /// Waits for the answer as long as the caller does, and no shorter: QEMU answers nobody while it reads a machine's memory or writes
    /// its disks out, which takes what the host's disk takes. The answer to a command that was given up is dropped when it comes.
    /// </summary>
    /// <param name="arguments">JSON; null for none.</param>
    /// <returns>JSON.</returns>
    /// <exception cref="IOException">QEMU refused (its own words), or is gone.</exception>
    /// <exception cref="OperationCanceledException">It was given up, and QEMU may still do it.</exception>
    public async Task<string> ExecuteAsync(string command, CancellationToken cancellationToken, string? arguments = null)
    {
        await _oneCommand.WaitAsync(cancellationToken);
        try
        {
            var waiting = new Waiting(++_lastId);
            Volatile.Write(ref _waiting, waiting);
            if (_reading.IsCompleted)
            {
                throw new IOException("QEMU is gone");
            }

            var given = arguments is null ? "" : $",\"arguments\":{arguments}";
            await _stream.WriteAsync(
                Encoding.ASCII.GetBytes($"{{\"execute\":\"{command}\",\"id\":{waiting.Id}{given}}}\n"),
                cancellationToken
            );
            var (problem, result) = await waiting.Answer.Task.WaitAsync(cancellationToken);
            return problem is null ? result : throw new IOException($"{command}: {problem}");
        }
        finally
        {
            _oneCommand.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _stream.DisposeAsync();
        _oneCommand.Dispose();
        _stop.Dispose();
    }

    private static async Task<QmpClient> GreetAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        try
        {
            var reader = new LineReader(stream, MaxLineBytes);
            using var greeting = JsonDocument.Parse(
                await reader.ReadAsync(cancellationToken) ?? throw new IOException("QEMU closed its socket.")
            );
            var version = greeting.RootElement.GetProperty("QMP").GetProperty("version").GetProperty("qemu");
            var client = new QmpClient(
                stream,
                $"{version.GetProperty("major")}.{version.GetProperty("minor")}.{version.GetProperty("micro")}"
            );
            await client.ExecuteAsync("qmp_capabilities", cancellationToken);
            return client;
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            await stream.DisposeAsync();
            throw new IOException($"What answers is no QMP: {e.Message}", e);
        }
    }

    private async Task ReadAllAsync(CancellationToken cancellationToken)
    {
        var reader = new LineReader(_stream, MaxLineBytes);
        var end = "QEMU is gone";
        try
        {
            while (await reader.ReadAsync(cancellationToken) is { } line)
            {
                Take(line);
            }
        }
        catch (Exception e)
            when (e is IOException or JsonException or InvalidOperationException or KeyNotFoundException or OperationCanceledException)
        {
            end = e.Message;
        }

        _halts.Writer.TryComplete();
        Volatile.Read(ref _waiting)?.Answer.TrySetResult((end, ""));
    }

    private void Take(ReadOnlyMemory<byte> line)
    {
        using var document = JsonDocument.Parse(line);
        var root = document.RootElement;
        if (root.TryGetProperty("return", out var result))
        {
            Answer(root, null, result.GetRawText());
        }
        else if (root.TryGetProperty("error", out var error))
        {
            Answer(root, error.GetProperty("desc").GetString() ?? "refused", "");
        }
        else if (root.TryGetProperty("event", out var happened) && happened.ValueEquals("SHUTDOWN"))
        {
            ShutdownReason = root.GetProperty("data").GetProperty("reason").GetString();
        }
        else if (
            happened.ValueKind == JsonValueKind.String
            && happened.ValueEquals("BLOCK_IO_ERROR")
            && root.GetProperty("data").GetProperty("action").ValueEquals("stop")
        )
        {
            _halts.Writer.TryWrite(true);
        }
    }

    private void Answer(JsonElement root, string? problem, string result)
    {
        var waiting = Volatile.Read(ref _waiting);
        if (waiting is not null && root.TryGetProperty("id", out var id) && id.TryGetInt64(out var of) && of == waiting.Id)
        {
            waiting.Answer.TrySetResult((problem, result));
        }
    }

    /// <summary>Who waits for an answer.</summary>
    /// <param name="Id">The command's, which comes back with its answer.</param>
    private sealed record Waiting(long Id)
    {
        public TaskCompletionSource<(string? Problem, string Result)> Answer { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>Lines of at most so many bytes.</summary>
    private sealed class LineReader(Stream stream, int maxBytes)
    {
        private readonly byte[] _buffer = new byte[maxBytes];
        private int _start;
        private int _end;

        /// <returns>Valid until the next call; null at the end.</returns>
        public async Task<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
        {
            while (true)
            {
                var length = _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n');
                if (length >= 0)
                {
                    var line = _buffer.AsMemory(_start, length);
                    _start += length + 1;
                    return line;
                }

                _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
                (_start, _end) = (0, _end - _start);
                if (_end == _buffer.Length)
                {
                    throw new IOException($"a line of more than {maxBytes} bytes");
                }

                var count = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
                if (count == 0)
                {
                    return null;
                }

                _end += count;
            }
        }
    }
}
