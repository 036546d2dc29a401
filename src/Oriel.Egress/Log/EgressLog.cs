using System.Text.Json.Serialization;
using Oriel.Egress.Policy;

namespace Oriel.Egress.Log;

[JsonConverter(typeof(JsonStringEnumConverter<EgressKind>))]
public enum EgressKind
{
    [JsonStringEnumMemberName("connect")]
    Connect,

    [JsonStringEnumMemberName("http")]
    Http,

    [JsonStringEnumMemberName("transparent")]
    Transparent,
}

[JsonConverter(typeof(JsonStringEnumConverter<EgressVerdict>))]
public enum EgressVerdict
{
    [JsonStringEnumMemberName("allowed")]
    Allowed,

    [JsonStringEnumMemberName("refused")]
    Refused,

    [JsonStringEnumMemberName("failed")]
    Failed,
}

/// <summary>One connection or request of a desktop, as the API and the page show it.</summary>
/// <param name="Reason">Code of an <see cref="EgressReason"/>; null when nothing is wrong.</param>
/// <param name="Rule">What in particular refused: a rule of the policy, a network, a route; null where the reason says it all.</param>
/// <param name="Address">The address that was dialled; null when none was, or when an upstream proxy dials.</param>
public sealed record EgressEntry(
    long Id,
    DateTimeOffset At,
    string Host,
    string? Address,
    int Port,
    EgressKind Kind,
    EgressVerdict Verdict,
    string? Reason,
    string? Rule,
    long BytesUp,
    long BytesDown,
    double DurationMs,
    bool Open
);

/// <summary>The last connections of one desktop, oldest dropped. Safe for concurrent use.</summary>
public sealed class EgressLog(int capacity, TimeProvider clock)
{
    private readonly Lock _lock = new();
    private readonly Queue<EgressRecord> _records = new();
    private long _nextId;

    /// <summary>An entry began, or ended. Raised on the connection's own thread: handlers must not block.</summary>
    public event Action<EgressEntry>? Changed;

    /// <summary>Newest last.</summary>
    public IReadOnlyList<EgressEntry> Snapshot()
    {
        lock (_lock)
        {
            return [.. _records.Select(record => record.ToEntry())];
        }
    }

    internal EgressRecord Begin(EgressKind kind, string host, int port)
    {
        var record = new EgressRecord(Interlocked.Increment(ref _nextId), kind, host, port, clock, Raise);
        lock (_lock)
        {
            _records.Enqueue(record);
            while (_records.Count > capacity)
            {
                _records.Dequeue();
            }
        }

        return record;
    }

    private void Raise(EgressEntry entry) => Changed?.Invoke(entry);
}
