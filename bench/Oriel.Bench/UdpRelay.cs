using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Oriel.Bench;

/// <summary>
/// A link made in user space, since the kernel here has no netem: delays each datagram, loses some at random, and lets no more through than
/// a rate with a queue of 200 ms at that rate (what comes beyond is dropped, as a router would).
/// </summary>
internal sealed class UdpRelay : IAsyncDisposable
{
    private readonly Socket _page = Bind();
    private readonly Socket _server = Bind();
    private readonly IPEndPoint _target;
    private readonly CancellationTokenSource _stop = new();
    private readonly Link _toPage;
    private readonly Task[] _tasks;
    private volatile EndPoint? _peer;

    /// <param name="delay">One way.</param>
    /// <param name="loss">0 to 1, on the way to the page only, where the media goes.</param>
    /// <param name="bitsPerSecond">0 = without limit.</param>
    public UdpRelay(int serverPort, TimeSpan delay, double loss, long bitsPerSecond)
    {
        _target = new IPEndPoint(IPAddress.Loopback, serverPort);
        _toPage = new Link(delay, loss, bitsPerSecond);
        var toServer = new Link(delay, 0, 0);
        _tasks =
        [
            ReadAsync(_server, _toPage, learn: false),
            _toPage.DeliverAsync(
                bytes => _peer is { } peer ? _page.SendToAsync(bytes, SocketFlags.None, peer) : Task.CompletedTask,
                _stop.Token
            ),
            ReadAsync(_page, toServer, learn: true),
            toServer.DeliverAsync(bytes => _server.SendToAsync(bytes, SocketFlags.None, _target), _stop.Token),
        ];
    }

    public int Port => ((IPEndPoint)_page.LocalEndPoint!).Port;

    /// <summary>Sent towards the page, lost ones included.</summary>
    public long BytesToPage => _toPage.Offered;

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _page.Dispose();
        _server.Dispose();
        await Task.WhenAll(_tasks);
    }

    private static Socket Bind()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 4 << 20 };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private async Task ReadAsync(Socket from, Link link, bool learn)
    {
        var buffer = new byte[2048];
        try
        {
            while (!_stop.IsCancellationRequested)
            {
                var received = await from.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), _stop.Token);
                if (learn)
                {
                    _peer = received.RemoteEndPoint;
                }

                link.Offer(buffer.AsSpan(0, received.ReceivedBytes));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // The benchmark is over.
        }
    }

    private sealed class Link(TimeSpan delay, double loss, long bitsPerSecond)
    {
        private const double QueueSeconds = 0.2;
        private readonly Channel<(byte[] Bytes, long DueUs)> _queue = Channel.CreateUnbounded<(byte[], long)>();
        private readonly Random _random = new(1);
        private long _freeAtUs,
            _offered;

        public long Offered => Interlocked.Read(ref _offered);

        public void Offer(ReadOnlySpan<byte> datagram)
        {
            var nowUs = NowUs();
            Interlocked.Add(ref _offered, datagram.Length);
            if (loss > 0 && _random.NextDouble() < loss)
            {
                return;
            }

            if (bitsPerSecond > 0)
            {
                _freeAtUs = Math.Max(_freeAtUs, nowUs) + (datagram.Length * 8 * 1_000_000L / bitsPerSecond);
                if (_freeAtUs - nowUs > QueueSeconds * 1_000_000)
                {
                    _freeAtUs -= datagram.Length * 8 * 1_000_000L / bitsPerSecond;
                    return;
                }
            }

            var dueUs = Math.Max(nowUs, _freeAtUs) + (long)delay.TotalMicroseconds;
            _queue.Writer.TryWrite((datagram.ToArray(), dueUs));
        }

        public async Task DeliverAsync(Func<byte[], Task> send, CancellationToken cancellationToken)
        {
            try
            {
                await foreach (var (bytes, dueUs) in _queue.Reader.ReadAllAsync(cancellationToken))
                {
                    var wait = dueUs - NowUs();
                    if (wait > 500)
                    {
                        // The delay is the link's own property, not a wait for something.
                        await Task.Delay(TimeSpan.FromMicroseconds(wait), cancellationToken);
                    }

                    await send(bytes);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                // The benchmark is over.
            }
        }

        private static long NowUs() => System.Diagnostics.Stopwatch.GetTimestamp() / (System.Diagnostics.Stopwatch.Frequency / 1_000_000);
    }
}
