using Oriel.WebRtc.Rtcp;

namespace Oriel.WebRtc.CongestionControl;

/// <summary>
/// Estimates the bandwidth of the path to one peer. With transport-wide feedback, the estimate comes from the standing queue, loss and the
/// dispersion of packet trains; without it, the peer's own estimate (REMB) is followed. Decision 0011 has the measurements.
/// </summary>
internal sealed class BandwidthEstimator(int start, int min, int max)
{
    private const double RembShare = 0.9;
    private const double CapacityShare = 0.85;
    private const double BlindPacingFactor = 2.5;
    private const double PacingFactor = 1.2;
    private const double PacingCapacityShare = 0.95;

    // Bits per second. Trains cannot measure more than this: arrival times have a resolution of 250 µs.
    private const double FastestPacing = 200e6;

    private const long OveruseQueue = 40_000;
    private const long CalmQueue = 15_000;
    private const double DecreaseTo = 0.85;

    // At 0.85, a half-second queue takes three seconds to drain, and the picture lags the whole time.
    private const long LongQueue = 150_000;
    private const double DrainTo = 0.6;
    private const double LargestDecrease = 0.5;
    private const double HeavyLoss = 0.10;
    private const long HoldAfterDecrease = 800_000;

    // Two packets in five hundred: a single loss may be chance.
    private const double LossyPath = 0.003;
    private const double RepeatShare = 0.6;
    private const long SilenceLimit = 1_000_000;

    // Bytes. A router's queue holds at least this much. While the path is unknown it may be thin, and its queue short: the first bytes of a
    // key frame tell, and the rest of it follows.
    private const int SmallestWindow = 32 * 1024;
    private const long WindowTime = 150_000;

    private readonly SentPackets _sent = new();
    private readonly DelayTracker _delay = new();
    private readonly CapacityProbe _probe = new();
    private readonly DeliveryRate _delivered = new();
    private double _target = Math.Clamp(start, min, max);
    private double _loss;
    private bool _isMeasured;
    private long _lastDecrease = long.MinValue / 2;
    private long _lastUpdate;
    private long _roundTrip = 100_000;

    /// <summary>The encoder's target, in bits per second.</summary>
    public int Target => (int)_target;

    /// <summary>The rate at which packets leave, in bits per second.</summary>
    public long PacingRate =>
        _probe.Capacity == 0
            ? (long)(_target * BlindPacingFactor)
            : (long)Math.Min(FastestPacing, Math.Max(_target * PacingFactor, _probe.Capacity * PacingCapacityShare));

    /// <summary>The path's capacity measured from packet trains, in bits per second; 0 before the first trains.</summary>
    public double Capacity => _probe.Capacity;

    /// <summary>The recent delay that does not drain, in microseconds.</summary>
    public long StandingQueue => _delay.StandingQueue;

    /// <summary>The share of packets lost according to feedback, 0 to 1.</summary>
    public double Loss => _loss;

    /// <summary>Microseconds from sending to feedback. Follows a drop immediately and a rise slowly.</summary>
    public long RoundTrip => _roundTrip;

    /// <summary>Whether transport-wide feedback was negotiated.</summary>
    public bool ExpectsFeedback { get; set; }

    /// <summary>Whether the path has lost more than a single packet recently.</summary>
    public bool IsLossy => _delivered.RecentLoss > LossyPath;

    /// <summary>Whether all media may be sent twice: the path is lossy and has room for twice the media rate.</summary>
    public bool MayRepeat(double mediaBitsPerSecond, long now) =>
        IsLossy
        && _loss <= HeavyLoss
        && now - _lastDecrease > HoldAfterDecrease
        && _delay.StandingQueue < CalmQueue
        && 2 * mediaBitsPerSecond < _probe.Capacity * RepeatShare;

    /// <summary>False while so much is in flight that more would only queue up.</summary>
    public bool MaySend(long now) =>
        !ExpectsFeedback || _sent.InFlight(now) <= Math.Max(SmallestWindow, _probe.Capacity / 8e6 * (_roundTrip + WindowTime));

    public void OnSent(ushort transportSequence, int bytes, long now) => _sent.Add(transportSequence, bytes, now);

    public void OnFeedback(List<Arrival> arrivals, long now)
    {
        _sent.OnFeedback(now);
        long newestSent = 0;
        foreach (var arrival in arrivals)
        {
            if (!_sent.TryAnswer(arrival.Sequence, out var packet))
            {
                continue;
            }

            newestSent = Math.Max(newestSent, packet.At);
            if (!arrival.Received)
            {
                _delivered.OnLost();
                continue;
            }

            _delivered.OnReceived(packet.Bytes, arrival.Microseconds);
            _delay.Add(packet.At, arrival.Microseconds);
            _probe.Add(packet, arrival.Microseconds);
        }

        if (newestSent != 0)
        {
            var trip = now - newestSent;
            _roundTrip = Math.Min(trip, _roundTrip + (trip - _roundTrip) / 8);
            Update(now);
        }
    }

    /// <summary>Lowers the target when feedback stops. Call it periodically.</summary>
    public void OnTick(long now)
    {
        if (ExpectsFeedback && _sent.IsSilent(now, SilenceLimit) && now - _lastDecrease > SilenceLimit)
        {
            Decrease(_target * LargestDecrease, now);
        }
    }

    /// <summary>Takes the peer's own estimate. Ignored when the peer sends transport-wide feedback.</summary>
    public void OnRemb(long bitrate)
    {
        if (!_sent.HasFeedback)
        {
            _target = Math.Clamp(bitrate * RembShare, min, max);
        }
    }

    private void Update(long now)
    {
        var elapsed = Math.Clamp((now - _lastUpdate) / 1e6, 0, 0.2);
        _lastUpdate = now;
        _loss = _delivered.TakeLoss() ?? _loss;
        var queue = _delay.StandingQueue;
        var delivered = _delivered.BitsPerSecond;
        if (_probe.Capacity != 0 && !_isMeasured)
        {
            _isMeasured = true;
            _target = Math.Clamp(Math.Min(_target, _probe.Capacity * CapacityShare), min, max);
        }

        var mayDecrease = now - _lastDecrease > _roundTrip + 200_000;
        if (queue > OveruseQueue)
        {
            if (mayDecrease)
            {
                // The delivery rate says little while little is sent.
                _probe.Limit(delivered);
                Decrease(
                    Math.Max(
                        delivered * (queue > LongQueue ? DrainTo : DecreaseTo),
                        _delivered.IsContinuous ? 0 : _target * LargestDecrease
                    ),
                    now
                );
            }
        }
        else if (_loss > HeavyLoss)
        {
            if (mayDecrease)
            {
                Decrease(_target * (1 - (_loss / 2)), now);
            }
        }
        else if (queue < CalmQueue && now - _lastDecrease > HoldAfterDecrease)
        {
            Increase(delivered, elapsed);
        }
    }

    private void Decrease(double to, long now)
    {
        _target = Math.Clamp(Math.Min(_target, to), min, max);
        _lastDecrease = now;
    }

    private void Increase(double delivered, double elapsed)
    {
        var known = _probe.Capacity * CapacityShare;
        if (known > _target)
        {
            _target = Math.Min(known, _target * (1 + (2.5 * elapsed))); // up by half in 200 ms
        }
        else if (delivered > _target * 0.6)
        {
            _target += ((_target * 0.08) + 50_000) * elapsed; // beyond what trains show: probe slowly
        }

        _target = Math.Clamp(_target, min, max);
    }
}
