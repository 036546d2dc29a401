using System.Buffers.Binary;

namespace Oriel.Agents;

/// <summary>
/// The connection to an agent, on which HTTP/2 frames that carry nothing are counted: they cost CPU, some of them an answer, and the
/// client's stack bears most kinds without end (RFC 9113 section 10.5). More of them than any agent sends ends the connection.
/// </summary>
/// <param name="broken">Told of it before the connection fails.</param>
internal sealed class FrameGuard(Stream inner, TimeProvider clock, Action<AgentUntrustedException> broken) : Stream
{
    private const int HeaderBytes = 9;
    private const byte EndOfStream = 1;

    private readonly byte[] _header = new byte[HeaderBytes];
    private readonly Bucket _idle = new(clock, most: 200, perSecond: 20);

    /// <summary>One for each half of a window that this side has sent, and two or three for each call.</summary>
    private readonly Bucket _flow = new(clock, most: 20_000, perSecond: 5_000);
    private int _have;
    private int _left;

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
        var count = await inner.ReadAsync(buffer, cancellationToken);
        Judge(buffer.Span[..count]);
        return count;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count)
    {
        count = inner.Read(buffer, offset, count);
        Judge(buffer.AsSpan(offset, count));
        return count;
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        inner.WriteAsync(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        inner.WriteAsync(buffer, offset, count, cancellationToken);

    public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Judge(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_left > 0)
            {
                var rest = Math.Min(_left, bytes.Length);
                _left -= rest;
                bytes = bytes[rest..];
                continue;
            }

            var part = Math.Min(HeaderBytes - _have, bytes.Length);
            bytes[..part].CopyTo(_header.AsSpan(_have));
            _have += part;
            bytes = bytes[part..];
            if (_have == HeaderBytes)
            {
                _have = 0;
                _left = (int)(BinaryPrimitives.ReadUInt32BigEndian(_header) >> 8);
                Count((Frame)_header[3], _header[4]);
            }
        }
    }

    private void Count(Frame frame, byte flags)
    {
        var bucket = frame switch
        {
            Frame.Data when _left > 0 || (flags & EndOfStream) != 0 => null,
            Frame.Headers or Frame.WindowUpdate or Frame.ResetStream => _flow,
            _ => _idle,
        };
        if (bucket?.Take() == false)
        {
            var fault = new AgentUntrustedException(
                $"The agent sent what no agent sends: a flood of HTTP/2 frames that carry nothing, of type {(byte)frame}."
            );
            broken(fault);
            throw new IOException(fault.Message, fault);
        }
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
