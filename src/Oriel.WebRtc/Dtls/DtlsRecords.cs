using System.Buffers.Binary;
using Org.BouncyCastle.Tls;

namespace Oriel.WebRtc.Dtls;

/// <summary>
/// Passes a client's records on one by one, so that forged unencrypted records cannot change BouncyCastle's state. Used by the handshake's
/// thread, then by the peer's loop.
/// </summary>
/// <param name="awaitsFinished">Whether all of the client's unencrypted messages have been processed.</param>
internal sealed class DtlsRecords(DtlsDatagrams datagrams, Func<bool> awaitsFinished) : DatagramTransport
{
    /// <summary>A flight has five records, and one more flight may arrive before the first is read.</summary>
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
            // An unencrypted sequence number may be forged. A high one would make the replay window reject all later records.
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
    /// Replaces the client's change_cipher_spec, which may be forged: one that arrives before the client's last unencrypted message would
    /// end the handshake. Once that message has arrived, the change is implied.
    /// </summary>
    private int WriteChangeCipherSpec(Span<byte> buffer)
    {
        ReadOnlySpan<byte> record = [DtlsRecord.ChangeCipherSpec, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
        record.CopyTo(buffer);
        BinaryPrimitives.WriteUInt64BigEndian(buffer[3..], _clearSequence++);
        return record.Length;
    }
}
