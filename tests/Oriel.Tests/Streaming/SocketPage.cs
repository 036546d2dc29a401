using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;

namespace Oriel.Tests.Streaming;

/// <summary>A page's end of the WebSocket fallback.</summary>
internal sealed class SocketPage : IDisposable
{
    private readonly ClientWebSocket _socket = new();
    private readonly Channel<(byte[] Header, byte[] Data)> _frames = Channel.CreateUnbounded<(byte[], byte[])>();
    private readonly ConcurrentQueue<string> _seen = new();
    private readonly Channel<JsonElement> _texts = Channel.CreateUnbounded<JsonElement>();
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _sending = new(1, 1);
    private volatile bool _acknowledgeAll;
    private Task _reading = Task.CompletedTask;

    public int FramesWaiting => _frames.Reader.Count;

    /// <param name="isStalled">It reads nothing until <see cref="Read"/>.</param>
    public static async Task<SocketPage> ConnectAsync(StreamingServer server, bool isStalled = false)
    {
        var page = new SocketPage();
        page._socket.Options.AddSubProtocol("oriel.v1");
        var address = new UriBuilder(server.Address) { Scheme = "ws", Path = server.DesktopPath + "/stream" }.Uri;
        await page._socket.ConnectAsync(address, TestContext.Current.CancellationToken);
        if (!isStalled)
        {
            page.Read();
        }

        return page;
    }

    public void Read() => _reading = ReadAsync();

    public async Task SendAsync(string message)
    {
        await _sending.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            await _socket.SendAsync(
                Encoding.UTF8.GetBytes(message),
                WebSocketMessageType.Text,
                true,
                TestContext.Current.CancellationToken
            );
        }
        finally
        {
            _sending.Release();
        }
    }

    public Task AcknowledgeAsync(byte[] header) =>
        SendAsync($$$"""{"c":"ack","m":{"captureUs":{{{BinaryPrimitives.ReadInt64BigEndian(header.AsSpan(8))}}}}}""");

    /// <summary>From now on acknowledges each frame as it is taken.</summary>
    public void AcknowledgeAll() => _acknowledgeAll = true;

    public async Task<(byte[] Header, byte[] Data)> NextFrameAsync()
    {
        var frame = await WithinAsync(_frames.Reader.ReadAsync, "a frame");
        if (_acknowledgeAll)
        {
            await AcknowledgeAsync(frame.Header);
        }

        return frame;
    }

    /// <summary>The next control message of that type; others before it are passed over.</summary>
    public async Task<JsonElement> NextTextAsync(string type)
    {
        while (true)
        {
            var message = await WithinAsync(_texts.Reader.ReadAsync, type);
            Assert.Equal("control", message.GetProperty("c").GetString());
            if (message.GetProperty("m").GetProperty("t").GetString() == type)
            {
                return message.GetProperty("m");
            }
        }
    }

    /// <summary>Waits for the server to close the connection.</summary>
    public Task EndAsync() => _reading.WaitAsync(TimeSpan.FromSeconds(30));

    public void Dispose()
    {
        _stop.Cancel();
        _socket.Dispose();
    }

    private async Task<T> WithinAsync<T>(Func<CancellationToken, ValueTask<T>> read, string what)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            return await read(deadline.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or ChannelClosedException)
        {
            Assert.Fail($"no {what}; state {_socket.State}, last seen: {string.Join(" | ", _seen.TakeLast(5))}");
            throw;
        }
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[1024 * 1024];
        try
        {
            while (true)
            {
                var length = 0;
                ValueWebSocketReceiveResult part;
                do
                {
                    part = await _socket.ReceiveAsync(buffer.AsMemory(length), _stop.Token);
                    length += part.Count;
                } while (!part.EndOfMessage);
                switch (part.MessageType)
                {
                    case WebSocketMessageType.Binary:
                        _seen.Enqueue($"frame of {length}");
                        _frames.Writer.TryWrite((buffer[..16], buffer[16..length]));
                        break;
                    case WebSocketMessageType.Text:
                        var text = Encoding.UTF8.GetString(buffer, 0, length);
                        _seen.Enqueue(text[..Math.Min(text.Length, 120)]);
                        _texts.Writer.TryWrite(JsonDocument.Parse(text).RootElement);
                        break;
                    default:
                        _texts.Writer.TryComplete();
                        _frames.Writer.TryComplete();
                        return;
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or WebSocketException or ObjectDisposedException)
        {
            _seen.Enqueue(e.Message);
            _texts.Writer.TryComplete();
            _frames.Writer.TryComplete();
        }
    }
}
