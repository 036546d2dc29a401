using System.Buffers.Binary;
using Org.BouncyCastle.Tls;

namespace Oriel.WebRtc.Dtls;

/// <summary>
/// A client's records one by one, so that nothing that is forged in the clear moves BouncyCastle's state. Called by whoever receives: the
/// handshake's thread, then the peer's loop.
/// </summary>
/// <param name="awaitsFinished">Whether the client's messages in the clear have all been taken.</param>
internal sealed class DtlsRecords(DtlsDatagrams datagrams, Func<bool> awaitsFinished) : DatagramTransport
{
    /// <summary>A flight has five records; one more flight may come before the first is read.</summary>
    private const int MaxHeld = 16;

    private readonly Queue<byte[]> _early = new();
    private ulong _clearSequence;
    private bool _isChanged;

    public bool IsEmpty => _early.Count == 0 && datagrams.IsEmpty;

    public int GetReceiveLimit() => datagrams.GetReceiveLimit();

    public int GetSendLimit() => datagrams.GetSendLimit();

    public int Receive(byte[] buf, int off, int len, int waitMillis) => Receive(buf.AsSpan(off, len), waitMillis);

    public int Receive(Span<byte> buffer, int waitMillis)
    {
        if (!_isChanged && awaitsFinished())
        {
            _isChanged = true;
            return WriteChangeCipherSpec(buffer);
        }

        if (_isChanged && _early.TryDequeue(out var held))
        {
            held.CopyTo(buffer);
            return held.Length;
        }

        var length = datagrams.Receive(buffer, waitMillis);
        if (length <= 0)
        {
            return length;
        }

        if (DtlsRecord.EpochOf(buffer) == 0)
        {
            // A number in the clear is anyone's: a high one would make the replay window refuse all that follow.
            BinaryPrimitives.WriteUInt64BigEndian(buffer[3..], _clearSequence++);
        }
        else if (!_isChanged)
        {
            if (_early.Count < MaxHeld)
            {
                _early.Enqueue(buffer[..length].ToArray());
            }

            return -1;
        }

        return length;
    }

    public void Send(byte[] buf, int off, int len) => datagrams.Send(buf, off, len);

    public void Send(ReadOnlySpan<byte> buffer) => datagrams.Send(buffer);

    public void Close() => datagrams.Close();

    /// <summary>
    /// The client's own may be forged, and one that comes before its last message in the clear would end the handshake; when that message
    /// is there, it is known without being told.
    /// </summary>
    private int WriteChangeCipherSpec(Span<byte> buffer)
    {
        ReadOnlySpan<byte> record = [DtlsRecord.ChangeCipherSpec, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
        record.CopyTo(buffer);
        BinaryPrimitives.WriteUInt64BigEndian(buffer[3..], _clearSequence++);
        return record.Length;
    }
}
