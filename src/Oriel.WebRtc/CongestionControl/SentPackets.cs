namespace Oriel.WebRtc.CongestionControl;

/// <summary>Sent packets by transport-wide sequence number, held until feedback arrives. Times are in microseconds.</summary>
internal sealed class SentPackets
{
    private const int Size = 8192; // a power of two; 6 s at 12 Mbit/s
    private const int Mask = Size - 1;
    private const long FeedbackTimeout = 2_000_000;

    private readonly Entry[] _entries = new Entry[Size];
    private long _bytesSent;
    private long _bytesAnswered;
    private long _waitingSince;

    /// <summary>Whether the peer has sent transport-wide feedback.</summary>
    public bool HasFeedback { get; private set; }

    public void Add(ushort sequence, int bytes, long now)
    {
        if (_bytesSent == _bytesAnswered)
        {
            _waitingSince = now;
        }

        _bytesSent += bytes;
        _entries[sequence & Mask] = new Entry(sequence, bytes, now, _bytesSent, false);
    }

    /// <summary>Finds the entry of a packet named in feedback. False when it is unknown, too old or already answered.</summary>
    public bool TryAnswer(ushort sequence, out Entry entry)
    {
        ref var slot = ref _entries[sequence & Mask];
        entry = slot;
        if (slot.Bytes == 0 || slot.Sequence != sequence || slot.IsAnswered)
        {
            return false;
        }

        _bytesAnswered = Math.Max(_bytesAnswered, slot.SentUpTo);
        slot = slot with { IsAnswered = true };
        return true;
    }

    public void OnFeedback(long now)
    {
        HasFeedback = true;
        _waitingSince = now;
    }

    /// <summary>Bytes the peer has not reported on yet; 0 when it has been silent so long that the number is meaningless.</summary>
    public long InFlight(long now) => IsSilent(now, FeedbackTimeout) ? 0 : _bytesSent - _bytesAnswered;

    /// <summary>True when packets were sent and no feedback has arrived for <paramref name="limit"/>.</summary>
    public bool IsSilent(long now, long limit) => _bytesSent > _bytesAnswered && now - _waitingSince > limit;

    internal readonly record struct Entry(ushort Sequence, int Bytes, long At, long SentUpTo, bool IsAnswered);
}
