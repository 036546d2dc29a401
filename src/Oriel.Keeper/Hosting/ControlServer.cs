using System.Net.Sockets;
using System.Text.Json;
using System.Threading.Channels;
using Oriel.Keeper.Events;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Hosting;

/// <summary><c>keeper.sock</c>: every event to each connection, commands from it. Who can open the socket (0600) is trusted.</summary>
internal sealed class ControlServer(EventLog events, Func<KeeperCommand, CancellationToken, Task> execute)
{
    private const int MaxCommandBytes = 4096;

    private readonly Lock _gate = new();
    private readonly List<Task> _connections = [];
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async Task AcceptAsync(Socket listener, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var client = await listener.AcceptAsync(cancellationToken).ConfigureAwait(false);
            lock (_gate)
            {
                _connections.RemoveAll(connection => connection.IsCompleted);
                _connections.Add(ServeAsync(client, cancellationToken));
            }

            _first.TrySetResult();
        }
    }

    /// <summary>
    /// Waits until every connection has got the last event, or <paramref name="deadline"/> has passed; as long for the first one, since a start
    /// may fail before whoever asked for it has connected.
    /// </summary>
    public async Task DrainAsync(TimeSpan deadline)
    {
        await Task.WhenAny(_first.Task, Task.Delay(deadline)).ConfigureAwait(false);
        Task all;
        lock (_gate)
        {
            all = Task.WhenAll(_connections);
        }

        await Task.WhenAny(all, Task.Delay(deadline)).ConfigureAwait(false);
    }

    private async Task ServeAsync(Socket client, CancellationToken cancellationToken)
    {
        await Task.Yield();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var reader = events.Subscribe();
        using (client)
        {
            try
            {
                var commands = ReadCommandsAsync(client, stop.Token);
                var sending = SendEventsAsync(client, reader, stop.Token);
                await Task.WhenAny(commands, sending).ConfigureAwait(false);
                await stop.CancelAsync().ConfigureAwait(false);
                await Task.WhenAll(commands, sending).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is SocketException or OperationCanceledException or IOException)
            {
                // The server went away; the next one gets the replay.
            }
            finally
            {
                events.Unsubscribe(reader);
            }
        }
    }

    private static async Task SendEventsAsync(Socket client, ChannelReader<KeeperEvent> reader, CancellationToken cancellationToken)
    {
        await using var stream = new NetworkStream(client, ownsSocket: false);
        await foreach (var happened in reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            var line = JsonSerializer.SerializeToUtf8Bytes(happened, KeeperJsonContext.Default.KeeperEvent);
            Array.Resize(ref line, line.Length + 1);
            line[^1] = (byte)'\n';
            await stream.WriteAsync(line, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task ReadCommandsAsync(Socket client, CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxCommandBytes];
        var length = 0;
        while (true)
        {
            var count = await client.ReceiveAsync(buffer.AsMemory(length), SocketFlags.None, cancellationToken).ConfigureAwait(false);
            if (count == 0)
            {
                // It has no more commands, but may go on listening.
                await Task.Delay(Timeout.Infinite, cancellationToken).ConfigureAwait(false);
            }

            length += count;
            int end;
            while ((end = buffer.AsSpan(0, length).IndexOf((byte)'\n')) >= 0)
            {
                if (Parse(buffer.AsSpan(0, end)) is not { } command)
                {
                    return;
                }

                buffer.AsSpan(end + 1, length - end - 1).CopyTo(buffer);
                length -= end + 1;
                await execute(command, cancellationToken).ConfigureAwait(false);
            }

            if (length == buffer.Length)
            {
                return;
            }
        }
    }

    private static KeeperCommand? Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, KeeperJsonContext.Default.KeeperCommand);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
