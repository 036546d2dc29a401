using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text.Json;
using System.Threading.Channels;
using Oriel.Keeper.Events;
using Oriel.Linux.Descriptors;
using Oriel.Protocol.Keeper;

namespace Oriel.Keeper.Service;

/// <summary><c>keeper.sock</c>: every event to each connection, commands from it. Who can open the socket (0600) is trusted.</summary>
/// <param name="execute">Does what a command asks for; its result is why it was not done, or null.</param>
internal sealed class ControlServer(EventLog events, Func<KeeperCommand, CancellationToken, Task<string?>> execute)
{
    private const int MaxCommandBytes = 4096;

    private readonly Lock _lock = new();
    private readonly List<Task> _connections = [];
    private readonly ConcurrentDictionary<Task, bool> _answers = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async Task AcceptAsync(Socket listener, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var client = await listener.AcceptNextAsync(cancellationToken);
            lock (_lock)
            {
                _connections.RemoveAll(connection => connection.IsCompleted);
                _connections.Add(ServeAsync(client, cancellationToken));
            }

            _first.TrySetResult();
        }
    }

    /// <summary>
    /// Waits until all that was asked is answered, or <paramref name="deadline"/> has passed: after the last event there are no answers.
    /// </summary>
    public Task AnswerAllAsync(TimeSpan deadline) => Task.WhenAny(Task.WhenAll(_answers.Keys), Task.Delay(deadline));

    /// <summary>
    /// Waits until every connection has got the last event, or <paramref name="deadline"/> has passed; as long for the first one, since a
    /// start may fail before whoever asked for it has connected.
    /// </summary>
    public async Task DrainAsync(TimeSpan deadline)
    {
        await Task.WhenAny(_first.Task, Task.Delay(deadline));
        Task all;
        lock (_lock)
        {
            all = Task.WhenAll(_connections);
        }

        await Task.WhenAny(all, Task.Delay(deadline));
    }

    private async Task ServeAsync(Socket client, CancellationToken cancellationToken)
    {
        await Task.Yield();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var messages = events.Subscribe();
        using (client)
        {
            try
            {
                var commands = ReadCommandsAsync(client, messages.Writer, stop.Token);
                var sending = SendAsync(client, messages.Reader, stop.Token);
                await Task.WhenAny(commands, sending);
                await stop.CancelAsync();
                await Task.WhenAll(commands, sending);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException or IOException)
            {
                // The server went away; the next one gets the replay.
            }
            finally
            {
                events.Unsubscribe(messages);
            }
        }
    }

    private static async Task SendAsync(Socket client, ChannelReader<KeeperMessage> messages, CancellationToken cancellationToken)
    {
        await using var stream = new NetworkStream(client, ownsSocket: false);
        await foreach (var message in messages.ReadAllAsync(cancellationToken))
        {
            var line = JsonSerializer.SerializeToUtf8Bytes(message, KeeperMessageContext.Default.KeeperMessage);
            Array.Resize(ref line, line.Length + 1);
            line[^1] = (byte)'\n';
            await stream.WriteAsync(line, cancellationToken);
        }
    }

    private async Task ReadCommandsAsync(Socket client, ChannelWriter<KeeperMessage> answers, CancellationToken cancellationToken)
    {
        var buffer = new byte[MaxCommandBytes];
        var length = 0;
        while (true)
        {
            var count = await client.ReceiveAsync(buffer.AsMemory(length), SocketFlags.None, cancellationToken);
            if (count == 0)
            {
                // It has no more commands, but may go on listening.
                await Task.Delay(Timeout.Infinite, cancellationToken);
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
                Answer(command, answers, cancellationToken);
            }

            if (length == buffer.Length)
            {
                return;
            }
        }
    }

    /// <summary>Not awaited: what takes long must not hold up the command to stop.</summary>
    private void Answer(KeeperCommand command, ChannelWriter<KeeperMessage> answers, CancellationToken cancellationToken)
    {
        var answer = AnswerAsync();
        _answers[answer] = true;
        _ = answer.ContinueWith(done => _answers.TryRemove(done, out _), TaskScheduler.Default);

        async Task AnswerAsync()
        {
            await Task.Yield();
            string? problem;
            try
            {
                problem = await execute(command, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                problem = "it was given up";
            }

            answers.TryWrite(new KeeperReply(command.Id, problem));
        }
    }

    private static KeeperCommand? Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, KeeperMessageContext.Default.KeeperCommand);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
