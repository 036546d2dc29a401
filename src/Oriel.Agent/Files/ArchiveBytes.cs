using Grpc.Core;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Files;

/// <summary>
/// The bytes of a tar that is sent. While a reader looks for the next entry they are judged, block by block: it reserves what a header
/// claims to be long (POSIX pax: types x and g; GNU: L and K), so that a claim beyond reason must not reach it.
/// </summary>
internal sealed class ArchiveBytes(IAsyncStreamReader<PutArchiveChunk> chunks) : ForwardStream
{
    /// <summary>Of all headers of one entry: names of 4,096 bytes, and attributes that nobody reads.</summary>
    public const int MaxHeaderBytes = 256 * 1024;

    private const int BlockBytes = 512;
    private const int SizeField = 124;
    private const int SizeBytes = 12;
    private const int SumField = 148;
    private const int SumBytes = 8;
    private const int TypeField = 156;

    private readonly byte[] _block = new byte[BlockBytes];
    private ReadOnlyMemory<byte> _chunk;
    private ReadOnlyMemory<byte> _judged;
    private bool _inHeaders;
    private long _unjudged;
    private int _allowed;

    public override bool CanRead => true;

    /// <summary>The next that is read are an entry's headers.</summary>
    /// <param name="padding">Bytes before them, behind the content of the entry before.</param>
    public void BeginHeaders(int padding) => (_inHeaders, _unjudged, _allowed) = (true, padding, MaxHeaderBytes);

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            return 0;
        }

        if (_judged.IsEmpty && _inHeaders && _unjudged == 0)
        {
            var length = await ReadBlockAsync(cancellationToken);
            _judged = _block.AsMemory(0, length);
            if (length == BlockBytes)
            {
                Judge();
            }
        }

        if (!_judged.IsEmpty)
        {
            return Take(ref _judged, buffer);
        }

        if (_inHeaders && _unjudged > 0)
        {
            buffer = buffer[..(int)Math.Min(buffer.Length, _unjudged)];
        }

        if (!await FillAsync(cancellationToken))
        {
            return 0;
        }

        var read = Take(ref _chunk, buffer);
        _unjudged = _inHeaders ? _unjudged - read : 0;
        return read;
    }

    private static int Take(ref ReadOnlyMemory<byte> from, Memory<byte> to)
    {
        var length = Math.Min(from.Length, to.Length);
        from[..length].CopyTo(to);
        from = from[length..];
        return length;
    }

    private async Task<int> ReadBlockAsync(CancellationToken cancellationToken)
    {
        var length = 0;
        while (length < BlockBytes && await FillAsync(cancellationToken))
        {
            length += Take(ref _chunk, _block.AsMemory(length));
        }

        return length;
    }

    private async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        while (_chunk.IsEmpty)
        {
            if (!await chunks.MoveNext(cancellationToken))
            {
                return false;
            }

            _chunk =
                chunks.Current.KindCase == PutArchiveChunk.KindOneofCase.Data
                    ? chunks.Current.Data.Memory
                    : throw FileFaults.Invalid("only data may follow the header");
        }

        return true;
    }

    private void Judge()
    {
        // A block of zeros is one of the two that end an archive.
        if (!_block.AsSpan().ContainsAnyExcept((byte)0))
        {
            return;
        }

        // The reader takes a header without a checksum for the end.
        if (Size(_block.AsSpan(SumField, SumBytes)) != Sum())
        {
            throw new InvalidDataException("a header whose checksum is wrong");
        }

        if ((char)_block[TypeField] is not ('x' or 'g' or 'L' or 'K'))
        {
            _inHeaders = false;
            return;
        }

        var size = Size(_block.AsSpan(SizeField, SizeBytes));
        _allowed -= BlockBytes + size;
        if (_allowed < 0)
        {
            throw new InvalidDataException($"an entry has headers of more than {MaxHeaderBytes} bytes");
        }

        _unjudged = (size + BlockBytes - 1) / BlockBytes * BlockBytes;
    }

    /// <summary>Of all bytes, with blanks in the checksum's own place (POSIX pax, ustar).</summary>
    private int Sum()
    {
        var sum = SumBytes * ' ';
        for (var at = 0; at < BlockBytes; at++)
        {
            sum += at is >= SumField and < SumField + SumBytes ? 0 : _block[at];
        }

        return sum;
    }

    /// <summary>Octal digits with blanks or NULs around; what is greater than all that is allowed, or is no number, is one more.</summary>
    private static int Size(ReadOnlySpan<byte> field)
    {
        var size = 0;
        foreach (var digit in field.Trim(" \0"u8))
        {
            size = digit is >= (byte)'0' and <= (byte)'7' ? (size * 8) + digit - '0' : MaxHeaderBytes + 1;
            if (size > MaxHeaderBytes)
            {
                return MaxHeaderBytes + 1;
            }
        }

        return size;
    }
}
