namespace Oriel.WebRtc.Sctp;

/// <summary>Slow start, congestion avoidance and fast recovery (RFC 9260 section 7.2), in bytes. Not safe for concurrent use.</summary>
internal sealed class CongestionWindow(int packetSize)
{
    private double _threshold;
    private double _partialBytesAcked;
    private uint _recoveryExit;

    public double Size { get; private set; }

    public bool InRecovery { get; private set; }

    public void Start(uint peerWindow)
    {
        Size = Math.Min(4 * packetSize, Math.Max(2 * packetSize, 4380));
        _threshold = peerWindow;
        _partialBytesAcked = 0;
        InRecovery = false;
    }

    /// <summary>The cumulative acknowledgement has moved.</summary>
    public void OnAdvance(uint cumulative)
    {
        if (InRecovery && !Serial.Less(cumulative, _recoveryExit))
        {
            InRecovery = false;
        }
    }

    /// <summary>Whether a chunk was outstanding when fast recovery began.</summary>
    public bool IsBeforeRecoveryExit(uint tsn) => Serial.Less(tsn, _recoveryExit);

    public void Grow(long acked, long flightBefore, long flight)
    {
        if (InRecovery)
        {
            return;
        }

        var filled = flightBefore + packetSize > Size;
        if (Size <= _threshold)
        {
            Size += filled ? Math.Min(acked, packetSize) : 0;
            return;
        }

        _partialBytesAcked += acked;
        if (_partialBytesAcked >= Size && filled)
        {
            _partialBytesAcked -= Size;
            Size += packetSize;
        }

        if (flight == 0)
        {
            _partialBytesAcked = 0;
        }
    }

    /// <summary>Loss detected from gaps: halves the window once until everything sent so far is acknowledged.</summary>
    public void OnLoss(uint lastTsn)
    {
        if (InRecovery)
        {
            return;
        }

        InRecovery = true;
        _recoveryExit = lastTsn;
        _threshold = Math.Max(Size / 2, 4 * packetSize);
        Size = _threshold;
        _partialBytesAcked = 0;
    }

    public void OnTimeout()
    {
        _threshold = Math.Max(Size / 2, 4 * packetSize);
        Size = packetSize;
        _partialBytesAcked = 0;
        InRecovery = false;
    }
}
