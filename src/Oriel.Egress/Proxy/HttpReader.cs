using System.Buffers;

namespace Oriel.Egress.Proxy;

/// <summary>
/// Reads bounded lines and heads from a stream without losing what follows them. One owner; not safe for concurrent reads.
/// </summary>
internal sealed class HttpReader(Stream stream)
{
    /// <summary>Longest head of a request or response, and of a preamble.</summary>
    public const int MaxHeadBytes = 64 * 1024;

    private byte[] _buffer = new byte[4096];
    private int _start;
    private int _end;

    public Stream Stream => stream;

    /// <summary>Up to and with the empty line that ends a head; null at a clean end of the stream before its first byte.</summary>
    /// <exception cref="HttpFormatException">The head is too long, or the stream ended in it.</exception>
    public Task<byte[]?> ReadHeadAsync(CancellationToken cancellationToken) =>
        ReadThroughAsync("\r\n\r\n"u8.ToArray(), MaxHeadBytes, cancellationToken);

    /// <summary>One line with its final LF; null at a clean end of the stream.</summary>
    public Task<byte[]?> ReadLineAsync(int maxBytes, CancellationToken cancellationToken) =>
        ReadThroughAsync("\n"u8.ToArray(), maxBytes, cancellationToken);

    /// <summary>What is buffered first, then the stream; 0 at its end.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> destination, CancellationToken cancellationToken)
    {
        if (_start == _end)
        {
            return await stream.ReadAsync(destination, cancellationToken);
        }

        var count = Math.Min(destination.Length, _end - _start);
        _buffer.AsSpan(_start, count).CopyTo(destination.Span);
        _start += count;
        return count;
    }

    /// <summary>Whether bytes that were already read wait here.</summary>
    public bool HasBuffered => _start < _end;

    private async Task<byte[]?> ReadThroughAsync(byte[] terminator, int maxBytes, CancellationToken cancellationToken)
    {
        var searched = 0;
        while (true)
        {
            var window = _buffer.AsSpan(_start, _end - _start);
            var at = window[searched..].IndexOf(terminator);
            if (at >= 0)
            {
                var length = searched + at + terminator.Length;
                if (length > maxBytes)
                {
                    throw new HttpFormatException("the head is too long");
                }

                var result = window[..length].ToArray();
                _start += length;
                return result;
            }

            if (window.Length >= maxBytes)
            {
                throw new HttpFormatException("the head is too long");
            }

            searched = Math.Max(0, window.Length - (terminator.Length - 1));
            if (await FillAsync(cancellationToken) == 0)
            {
                return _start == _end ? null : throw new HttpFormatException("the connection ended within the head");
            }
        }
    }

    private async ValueTask<int> FillAsync(CancellationToken cancellationToken)
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
        }

        if (_end == _buffer.Length)
        {
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        var count = await stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
        _end += count;
        return count;
    }
}

/// <summary>The peer sent what is not HTTP/1.1; the message says what.</summary>
internal sealed class HttpFormatException(string message) : IOException(message);
