using Oriel.Egress.Policy;

namespace Oriel.Egress.Log;

/// <summary>The one writer of an entry: a connection counts into it while it is open and completes it once.</summary>
internal sealed class EgressRecord(long id, EgressKind kind, string host, int port, TimeProvider clock, Action<EgressEntry> changed)
{
    private readonly DateTimeOffset _at = clock.GetUtcNow();
    private readonly long _startedAt = clock.GetTimestamp();
    private long _bytesUp;
    private long _bytesDown;
    private double _durationMs;
    private int _ending;
    private int _completed;
    private volatile string? _address;
    private volatile EgressReason? _reason;
    private volatile string? _rule;
    private volatile bool _failed;

    public string Host => host;

    public int Port => port;

    public void CountUp(long bytes) => Interlocked.Add(ref _bytesUp, bytes);

    public void CountDown(long bytes) => Interlocked.Add(ref _bytesDown, bytes);

    public void Dialled(string? address)
    {
        _address = address;
        changed(ToEntry());
    }

    /// <param name="rule">What in particular refused; see <see cref="EgressDecision.Rule"/>.</param>
    public void Refuse(EgressReason reason, string? rule = null) => End(reason, rule, failed: false);

    public void Fail(EgressReason reason) => End(reason, null, failed: true);

    public void Complete() => End(null, null, failed: false);

    /// <summary>Idempotent: the first call ends the entry, and its reason stays.</summary>
    private void End(EgressReason? reason, string? rule, bool failed)
    {
        if (Interlocked.Exchange(ref _ending, 1) == 0)
        {
            _durationMs = clock.GetElapsedTime(_startedAt).TotalMilliseconds;
            _reason = reason;
            _rule = rule;
            _failed = failed;
            Volatile.Write(ref _completed, 1);
            changed(ToEntry());
        }
    }

    public EgressEntry ToEntry()
    {
        var open = Volatile.Read(ref _completed) == 0;
        var reason = _reason;
        var verdict =
            reason is null ? EgressVerdict.Allowed
            : _failed ? EgressVerdict.Failed
            : EgressVerdict.Refused;
        var duration = open ? clock.GetElapsedTime(_startedAt).TotalMilliseconds : _durationMs;
        return new EgressEntry(
            id,
            _at,
            host,
            _address,
            port,
            kind,
            verdict,
            reason?.Code,
            _rule,
            Interlocked.Read(ref _bytesUp),
            Interlocked.Read(ref _bytesDown),
            Math.Round(duration, 1),
            open
        );
    }
}
