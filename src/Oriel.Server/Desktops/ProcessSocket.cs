using System.Net.WebSockets;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Core;
using Oriel.Desktops.Registry;
using Oriel.Protocol.Guest;

namespace Oriel.Server.Desktops;

/// <summary>
/// Somebody attached to a process. Binary messages begin with a byte that says what they are (0 input, 1 output, 2 error output), texts are
/// JSON: <see cref="ProcessNotice"/> from here, <see cref="ProcessWish"/> from there. Closed with 1000 after the process's exit.
/// </summary>
/// <param name="control">Gives the process something.</param>
internal sealed class ProcessSocket(WebSocket socket, Func<ExecInput, CancellationToken, Task> control)
{
    public const string Protocol = "oriel.process.v1";

    private const byte Input = 0;
    private const int MaxText = 1024;
    private const int MaxReason = 120;

    /// <summary>For the other side's close.</summary>
    private static readonly TimeSpan Goodbye = TimeSpan.FromSeconds(2);

    private static readonly byte[] Output = [1];
    private static readonly byte[] Error = [2];

    /// <summary>
    /// To the process's exit, or until the other side leaves or the token is cancelled. Nothing that the other side sends makes it throw.
    /// </summary>
    /// <param name="outputs">Stands at its first message.</param>
    /// <param name="from">What was asked for: a notice says where it begins otherwise.</param>
    public async Task RunAsync(IAsyncStreamReader<ProcessOutput> outputs, long from, CancellationToken cancellationToken)
    {
        // Two: whoever cancels what a socket does aborts it, and it could not be closed in order.
        using var watched = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var open = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var receiving = ReceiveAsync(open.Token);
        var sending = SendAsync(outputs, from, watched.Token, open.Token);
        await Task.WhenAny(receiving, sending);
        await watched.CancelAsync();
        open.CancelAfter(Goodbye);
        var (status, reason) = await sending;
        if (receiving.IsCompleted)
        {
            (status, reason) = await receiving ?? (status, reason);
        }

        await CloseAsync(status, reason, open.Token);
        await receiving;
    }

    private async Task<(WebSocketCloseStatus Status, string Reason)> SendAsync(
        IAsyncStreamReader<ProcessOutput> outputs,
        long from,
        CancellationToken watched,
        CancellationToken cancellationToken
    )
    {
        try
        {
            do
            {
                var output = outputs.Current;
                if (output.Offset != from)
                {
                    await TellAsync(new ProcessNotice(output.Offset, null), cancellationToken);
                    from = output.Offset;
                }

                if (output.Exit is { } exit)
                {
                    var told = new ProcessExit(exit.ExitCode, exit.TimedOut);
                    await TellAsync(new ProcessNotice(null, told), cancellationToken);
                    return (WebSocketCloseStatus.NormalClosure, "exited");
                }

                var bytes = output.KindCase == ProcessOutput.KindOneofCase.Stderr ? output.Stderr : output.Stdout;
                if (!bytes.IsEmpty)
                {
                    var kind = output.KindCase == ProcessOutput.KindOneofCase.Stderr ? Error : Output;
                    await socket.SendAsync(kind, WebSocketMessageType.Binary, endOfMessage: false, cancellationToken);
                    await socket.SendAsync(bytes.Memory, WebSocketMessageType.Binary, endOfMessage: true, cancellationToken);
                    from += bytes.Length;
                }

                // Output that is there already would keep the thread.
                await Task.Yield();
            } while (await outputs.MoveNext(watched));

            return (WebSocketCloseStatus.EndpointUnavailable, "the desktop ends");
        }
        catch (RpcException e) when (!watched.IsCancellationRequested)
        {
            return (WebSocketCloseStatus.EndpointUnavailable, GuestEndpoints.Of(e).Reason);
        }
        catch (Exception e) when (e is RpcException or WebSocketException or OperationCanceledException or IOException)
        {
            // The other side left, or the server stops.
            return (WebSocketCloseStatus.EndpointUnavailable, "");
        }
    }

    /// <returns>Why this side closes; null: the other side left, or the process has ended.</returns>
    private async Task<(WebSocketCloseStatus, string)?> ReceiveAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await TakeAsync(cancellationToken);
        }
        catch (RpcException e) when (!cancellationToken.IsCancellationRequested)
        {
            return (WebSocketCloseStatus.EndpointUnavailable, GuestEndpoints.Of(e).Reason);
        }
        catch (DesktopUnavailableException e)
        {
            return (WebSocketCloseStatus.EndpointUnavailable, e.Message);
        }
        catch (Exception e) when (e is RpcException or WebSocketException or OperationCanceledException or IOException)
        {
            return null;
        }
    }

    private async Task<(WebSocketCloseStatus, string)?> TakeAsync(CancellationToken cancellationToken)
    {
        var buffer = new byte[32 * 1024];
        while (true)
        {
            var first = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
            switch (first.MessageType)
            {
                case WebSocketMessageType.Close:
                    return null;
                case WebSocketMessageType.Text:
                    var length = first.Count;
                    for (var part = first; !part.EndOfMessage && length <= MaxText; length += part.Count)
                    {
                        part = await socket.ReceiveAsync(buffer.AsMemory(length), cancellationToken);
                    }

                    if (length > MaxText)
                    {
                        return (WebSocketCloseStatus.MessageTooBig, $"a text is at most {MaxText} bytes");
                    }

                    if (Read(buffer.AsSpan(0, length), out var input) is { } problem)
                    {
                        return (WebSocketCloseStatus.InvalidPayloadData, problem);
                    }

                    await GiveAsync(input!, cancellationToken);
                    break;
                default:
                    if (first.Count == 0 || buffer[0] != Input)
                    {
                        return (WebSocketCloseStatus.InvalidPayloadData, "a binary message begins with 0, and input follows");
                    }

                    await GiveAsync(buffer.AsMemory(1, first.Count - 1), cancellationToken);
                    for (var part = first; !part.EndOfMessage; )
                    {
                        part = await socket.ReceiveAsync(buffer.AsMemory(), cancellationToken);
                        await GiveAsync(buffer.AsMemory(0, part.Count), cancellationToken);
                    }

                    break;
            }
        }
    }

    /// <returns>What is wrong with it; null: nothing.</returns>
    internal static string? Read(ReadOnlySpan<byte> text, out ExecInput? input)
    {
        input = null;
        ProcessWish? wish;
        try
        {
            wish = JsonSerializer.Deserialize(text, DesktopsApiJsonContext.Default.ProcessWish);
        }
        catch (JsonException)
        {
            return "a text is {\"window\":{\"columns\",\"rows\"}}, {\"signal\"} or {\"end\":true}";
        }

        switch (wish)
        {
            case { Window: { } window, Signal: null, End: null or false }:
                input = new ExecInput
                {
                    Window = new ExecWindow { Columns = (uint)(window.Columns ?? 0), Rows = (uint)(window.Rows ?? 0) },
                };
                return ProcessRules.WindowProblem(window.Columns, window.Rows);
            case { Window: null, Signal: { } signal, End: null or false }:
                input = new ExecInput { Signal = ProcessRules.SignalNumber(signal) ?? 0 };
                return input.Signal == 0 ? "there is no such signal" : null;
            case { Window: null, Signal: null, End: true }:
                input = new ExecInput { EndOfStdin = true };
                return null;
            default:
                return "a text has one of window, signal and end";
        }
    }

    private async Task GiveAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (!bytes.IsEmpty)
        {
            await GiveAsync(new ExecInput { Stdin = ByteString.CopyFrom(bytes.Span) }, cancellationToken);
        }
    }

    private async Task GiveAsync(ExecInput input, CancellationToken cancellationToken)
    {
        try
        {
            await control(input, cancellationToken);
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.FailedPrecondition)
        {
            // It reads no more, or has ended at this moment.
        }
    }

    private ValueTask TellAsync(ProcessNotice notice, CancellationToken cancellationToken) =>
        socket.SendAsync(
            JsonSerializer.SerializeToUtf8Bytes(notice, DesktopsApiJsonContext.Default.ProcessNotice).AsMemory(),
            WebSocketMessageType.Text,
            endOfMessage: true,
            cancellationToken
        );

    private async Task CloseAsync(WebSocketCloseStatus status, string reason, CancellationToken cancellationToken)
    {
        try
        {
            await socket.CloseOutputAsync(status, reason.Length > MaxReason ? reason[..MaxReason] : reason, cancellationToken);
        }
        catch (Exception e)
            when (e is WebSocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            socket.Abort();
        }
    }
}
