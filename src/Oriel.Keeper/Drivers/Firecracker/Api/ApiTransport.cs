using System.Net.Sockets;
using System.Text;
using Oriel.Linux.Files;

namespace Oriel.Keeper.Drivers.Firecracker.Api;

/// <summary>An answer's status and body, the body at most <see cref="ApiTransport.MaxBodyBytes"/>.</summary>
internal readonly record struct ApiAnswer(int Status, ReadOnlyMemory<byte> Body);

/// <summary>
/// HTTP/1.1 over the VMM's unix socket: one connection for each request, the answer bounded in time and size. Of its own, since the
/// runtime's HTTP client is larger than the whole keeper (docs/decisions/0052-firecracker.md).
/// </summary>
internal sealed class ApiTransport(string socketPath)
{
    public const int MaxHeadBytes = 8 * 1024;

    /// <summary>The longest answer of the interface, the whole configuration, is a few KiB.</summary>
    public const int MaxBodyBytes = 64 * 1024;

    private static ReadOnlySpan<byte> HeadEnd => "\r\n\r\n"u8;

    /// <param name="method"><c>GET</c>, <c>PUT</c> or <c>PATCH</c>.</param>
    /// <param name="body">JSON; empty for GET.</param>
    /// <exception cref="FirecrackerException">Unreachable, NoAnswer or BrokenAnswer.</exception>
    public async Task<ApiAnswer> SendAsync(
        string method,
        string path,
        ReadOnlyMemory<byte> body,
        TimeSpan deadline,
        CancellationToken cancellationToken
    )
    {
        var request = $"{method} {path}";
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(deadline);
        var exchange = new Exchange();
        try
        {
            return await exchange.RunAsync(socketPath, Encode(method, path, body.Span), limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new FirecrackerException(
                FirecrackerFault.NoAnswer,
                request,
                $"no answer within {deadline.TotalSeconds:0.###} s; last seen: {exchange.LastSeen}"
            );
        }
        catch (SocketException e)
        {
            var fault = exchange.Connected ? FirecrackerFault.BrokenAnswer : FirecrackerFault.Unreachable;
            throw new FirecrackerException(fault, request, $"{e.Message}; last seen: {exchange.LastSeen}", inner: e);
        }
        catch (FormatException e)
        {
            throw new FirecrackerException(FirecrackerFault.BrokenAnswer, request, e.Message, inner: e);
        }
    }

    private static byte[] Encode(string method, string path, ReadOnlySpan<byte> body)
    {
        var content = body.IsEmpty ? "" : $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n";
        return
        [
            .. Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n{content}\r\n"),
            .. body,
        ];
    }

    /// <summary>One request and its answer, and how far they have come.</summary>
    private sealed class Exchange
    {
        private byte[] _buffer = new byte[MaxHeadBytes];
        private int _length;

        public bool Connected { get; private set; }

        public string LastSeen { get; private set; } = "no connection";

        public async Task<ApiAnswer> RunAsync(string path, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
        {
            using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            await SocketFile.ConnectAsync(socket, path, cancellationToken);
            (Connected, LastSeen) = (true, "connected");
            while (!message.IsEmpty)
            {
                message = message[await socket.SendAsync(message, cancellationToken)..];
            }

            LastSeen = "request sent";
            var bodyStart = await ReadHeadAsync(socket, cancellationToken);
            var head = ResponseHead.Parse(_buffer.AsSpan(0, bodyStart - HeadEnd.Length));
            LastSeen = $"status {head.Status} and {_length} bytes";
            return new ApiAnswer(head.Status, head.HasBody ? await ReadBodyAsync(socket, head, bodyStart, cancellationToken) : default);
        }

        private async Task<int> ReadHeadAsync(Socket socket, CancellationToken cancellationToken)
        {
            int end;
            while ((end = _buffer.AsSpan(0, _length).IndexOf(HeadEnd)) < 0)
            {
                if (_length == MaxHeadBytes)
                {
                    throw new FormatException($"more than {MaxHeadBytes} bytes of headers");
                }

                if (await ReceiveAsync(socket, cancellationToken) == 0)
                {
                    throw new FormatException(
                        _length == 0 ? "the connection ended without an answer" : "the connection ended within the headers"
                    );
                }
            }

            return end + HeadEnd.Length;
        }

        private async Task<ReadOnlyMemory<byte>> ReadBodyAsync(
            Socket socket,
            ResponseHead head,
            int start,
            CancellationToken cancellationToken
        )
        {
            if (head.ContentLength > MaxBodyBytes)
            {
                throw new FormatException($"a body of {head.ContentLength} bytes, more than {MaxBodyBytes}");
            }

            var end = start + (int?)head.ContentLength;
            Array.Resize(ref _buffer, start + MaxBodyBytes + 1);
            while (end is null || _length < end)
            {
                if (_length > start + MaxBodyBytes)
                {
                    throw new FormatException($"a body of more than {MaxBodyBytes} bytes");
                }

                if (await ReceiveAsync(socket, cancellationToken) == 0)
                {
                    return end is null
                        ? _buffer.AsMemory(start, _length - start)
                        : throw new FormatException($"the connection ended after {_length - start} of {head.ContentLength} bytes");
                }
            }

            return _buffer.AsMemory(start, end.Value - start);
        }

        private async Task<int> ReceiveAsync(Socket socket, CancellationToken cancellationToken)
        {
            var count = await socket.ReceiveAsync(_buffer.AsMemory(_length), cancellationToken);
            _length += count;
            LastSeen = $"{_length} bytes of the answer";
            return count;
        }
    }
}
