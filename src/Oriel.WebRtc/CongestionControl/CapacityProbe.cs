namespace Oriel.WebRtc.CongestionControl;

/// <summary>
/// Measures the bottleneck's rate from packets sent back to back: the gap between two arrivals is the time the bottleneck needed for one
/// packet. Every frame of more than a few packets is such a train, so no probing traffic is needed. Bytes and times of the latest trains
/// are summed, so long trains weigh most: a receiver that wakes late sees a train that is too short, which must not count as a fast path.
/// </summary>
internal sealed class CapacityProbe
{
    private const long LargestSendGap = 500;
    private const int MinPackets = 4;
    private const int Trains = 8;
    private const int FewestTrains = 4;

    // One train of so many packets tells enough to begin with, such as the first of a key frame.
    private const int LongTrain = 8;

    // Arrival times have a resolution of 250 µs, and a receiver reads several packets at once.
    private const long ShortestSpan = 500;

    private readonly long[] _bytesOf = new long[Trains];
    private readonly long[] _spanOf = new long[Trains];
    private int _trains;
    private ushort _lastSequence;
    private long _lastSent;
    private long _firstArrived;
    private long _lastArrived;
    private long _bytes;
    private int _packets;

    /// <summary>Bits per second; 0 before the first trains.</summary>
    public double Capacity { get; private set; }

    public void Add(in SentPackets.Entry packet, long arrived)
    {
        var continues =
            _packets > 0
            && packet.Sequence == (ushort)(_lastSequence + 1)
            && packet.At - _lastSent <= LargestSendGap
            && arrived >= _lastArrived;
        if (!continues)
        {
            Finish();
            (_packets, _bytes, _firstArrived) = (0, 0, arrived);
        }
        else
        {
            _bytes += packet.Bytes; // not the first packet's: its time at the bottleneck is unknown
        }

        _packets++;
        (_lastSequence, _lastSent, _lastArrived) = (packet.Sequence, packet.At, arrived);
    }

    /// <summary>Ends the current train.</summary>
    public void Finish()
    {
        if (_packets >= MinPackets)
        {
            var slot = _trains++ % Trains;
            (_bytesOf[slot], _spanOf[slot]) = (_bytes, Math.Max(ShortestSpan, _lastArrived - _firstArrived));
            if (_trains >= FewestTrains || _packets >= LongTrain)
            {
                Capacity = _bytesOf.Sum() * 8e6 / _spanOf.Sum();
            }
        }

        _packets = 0;
    }

    /// <summary>Caps the capacity at a rate the path did not exceed. Only new trains can raise it again.</summary>
    public void Limit(double rate)
    {
        Capacity = Capacity == 0 ? rate : Math.Min(Capacity, rate);
        _trains = 0;
        Array.Clear(_bytesOf);
        Array.Clear(_spanOf);
    }
}
