using Org.BouncyCastle.Tls;

namespace Oriel.WebRtc.Dtls;

/// <summary>BouncyCastle's view of a peer's path: a bounded queue in, the selected path out.</summary>
internal sealed class DtlsDatagrams(Action<ReadOnlySpan<byte>> send) : DatagramTransport
{
    // 1200 bytes of UDP payload fit every path a browser uses (libwebrtc has the same limit).
    private const int SendLimit = 1200;
    private const int ReceiveLimit = 2048;
    private const int MaxQueued = 64;

    private readonly Queue<byte[]> _queue = new();
    private readonly object _monitor = new();
    private bool _isClosed;

    /// <summary>True after the handshake: receiving from an empty queue then ends immediately instead of waiting.</summary>
    public bool IsPolled { get; set; }

    /// <summary>BouncyCastle also closes it, once it has read the peer's close_notify.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_monitor)
            {
                return _isClosed;
            }
        }
    }

    public bool IsEmpty
    {
        get
        {
            lock (_monitor)
            {
                return _queue.Count == 0;
            }
        }
    }

    public void Enqueue(ReadOnlySpan<byte> datagram)
    {
        lock (_monitor)
        {
            if (_queue.Count < MaxQueued && !_isClosed)
            {
                _queue.Enqueue(datagram.ToArray());
                Monitor.Pulse(_monitor);
            }
        }
    }

    public int GetReceiveLimit() => ReceiveLimit;

    public int GetSendLimit() => SendLimit;

    public int Receive(byte[] buf, int off, int len, int waitMillis) => Receive(buf.AsSpan(off, len), waitMillis);

    public int Receive(Span<byte> buffer, int waitMillis)
    {
        lock (_monitor)
        {
            if (_queue.Count == 0 && !_isClosed && !IsPolled)
            {
                Monitor.Wait(_monitor, waitMillis <= 0 ? Timeout.Infinite : waitMillis); // 0 means forever in BouncyCastle
            }

            if (_isClosed)
            {
                throw new TlsFatalAlert(AlertDescription.user_canceled);
            }

            if (!_queue.TryDequeue(out var datagram))
            {
                // BouncyCastle would loop until its time is up. The exception leaves immediately and does no harm.
                return IsPolled ? throw new TlsTimeoutException() : -1;
            }

            var length = Math.Min(buffer.Length, datagram.Length);
            datagram.AsSpan(0, length).CopyTo(buffer);
            return length;
        }
    }

    public void Send(byte[] buf, int off, int len) => send(buf.AsSpan(off, len));

    public void Send(ReadOnlySpan<byte> buffer) => send(buffer);

    public void Close()
    {
        lock (_monitor)
        {
            _isClosed = true;
            Monitor.PulseAll(_monitor);
        }
    }
}
