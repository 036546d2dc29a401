using System.Buffers.Binary;

namespace Oriel.Agents;

/// <summary>
/// The connection to an agent, on which HTTP/2 frames that carry nothing are counted: they cost CPU, some of them an answer, and the
/// client's stack bears most kinds without end (RFC 9113 section 10.5). More of them than any agent sends ends the connection.
/// </summary>
internal sealed class FrameGuard : Stream
{
    private const int HeaderBytes = 9;
    private const byte EndOfStream = 1;

    private readonly Stream _inner;
    private readonly Action<AgentUntrustedException> _broken;
    private readonly PrefixScanner _frames;
    private readonly Bucket _idle;

    /// <summary>One for each half of a window that this side has sent, and two or three for each call.</summary>
    private readonly Bucket _flow;
    private readonly CancellationTokenRegistration _ending;

    /// <param name="broken">Told of a flood before the connection fails.</param>
    /// <param name="ended">Closes it: the client's stack can forget a connection that the other side spoiled, and leaves it open.</param>
    public FrameGuard(Stream inner, TimeProvider clock, Action<AgentUntrustedException> broken, CancellationToken ended)
    {
        _inner = inner;
        _broken = broken;
        _frames = new PrefixScanner(HeaderBytes, Judge);
        _idle = new Bucket(clock, most: 200, perSecond: 20);
        _flow = new Bucket(clock, most: 20_000, perSecond: 5_000);
        _ending = ended.UnsafeRegister(static guard => ((FrameGuard)guard!).Dispose(), this);
    }

    private enum Frame : byte
    {
        Data = 0,
        Headers = 1,
        ResetStream = 3,
        WindowUpdate = 8,
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await _inner.ReadAsync(buffer, cancellationToken);
        _frames.Scan(buffer.Span[..count]);
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count)
    {
        count = _inner.Read(buffer, offset, count);
        _frames.Scan(buffer.AsSpan(offset, count));
        return count;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        _inner.WriteAsync(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        _inner.WriteAsync(buffer, offset, count, cancellationToken);

    public override void Write(byte[] buffer, int offset, int count) => _inner.Write(buffer, offset, count);

    public override void Flush() => _inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => _inner.FlushAsync(cancellationToken);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _ending.Unregister();
            _inner.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <returns>The length of the frame that it is in front of (RFC 9113 section 4.1).</returns>
    private long Judge(ReadOnlySpan<byte> header)
    {
        var length = BinaryPrimitives.ReadUInt32BigEndian(header) >> 8;
        var frame = (Frame)header[3];
        var bucket = frame switch
        {
            Frame.Data when length > 0 || (header[4] & EndOfStream) != 0 => null,
            Frame.Headers or Frame.WindowUpdate or Frame.ResetStream => _flow,
            _ => _idle,
        };
        if (bucket?.Take() == false)
        {
            var fault = new AgentUntrustedException(
                $"The agent sent what no agent sends: a flood of HTTP/2 frames that carry nothing, of type {(byte)frame}."
            );
            _broken(fault);
            throw new IOException(fault.Message, fault);
        }

        return length;
    }

    /// <summary>So many at once, and so many in a second.</summary>
    private sealed class Bucket(TimeProvider clock, double most, double perSecond)
    {
        private double _taken;
        private long _at = clock.GetTimestamp();

        public bool Take()
        {
            var now = clock.GetTimestamp();
            _taken = Math.Max(0, _taken - (clock.GetElapsedTime(_at, now).TotalSeconds * perSecond)) + 1;
            _at = now;
            return _taken <= most;
        }
    }
}
