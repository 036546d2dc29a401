using System.Diagnostics.Metrics;

namespace Oriel.Streaming.Settings;

/// <summary>Sums over all peers, including those that have left.</summary>
internal readonly record struct PeerTotals(long Drops, long Nacks, long Resends, long Bytes)
{
    public static PeerTotals operator +(PeerTotals a, PeerTotals b) =>
        new(a.Drops + b.Drops, a.Nacks + b.Nacks, a.Resends + b.Resends, a.Bytes + b.Bytes);
}

/// <summary>Counters of the meter <c>Oriel.Streaming</c>.</summary>
public sealed class StreamingMetrics : IDisposable
{
    public const string MeterName = "Oriel.Streaming";
    private readonly Meter _meter = new(MeterName);

    public StreamingMetrics()
    {
        Viewers = _meter.CreateUpDownCounter<int>("oriel.streaming.viewers", "{viewer}", "Connected pages.");
        Frames = _meter.CreateCounter<long>("oriel.streaming.frames", "{frame}", "Frames from encoders.");
        Bytes = _meter.CreateCounter<long>("oriel.streaming.frame_bytes", "By", "Bytes of frames from encoders.");
        KeyFrames = _meter.CreateCounter<long>("oriel.streaming.key_frames", "{frame}", "Key frames from encoders.");
        KeyFramesAsked = _meter.CreateCounter<long>("oriel.streaming.key_frames_asked", "{request}", "Key frames requested from encoders.");
        BadMessages = _meter.CreateCounter<long>(
            "oriel.streaming.bad_messages",
            "{message}",
            "Messages from pages that were not understood."
        );
        Input = _meter.CreateCounter<long>("oriel.streaming.input_events", "{event}", "Input events handed to agents.");
        AgentBreaks = _meter.CreateCounter<long>(
            "oriel.streaming.agent_breaks",
            "{break}",
            "Calls to agents that broke and were made again."
        );
    }

    public UpDownCounter<int> Viewers { get; }

    public Counter<long> Frames { get; }

    public Counter<long> Bytes { get; }

    public Counter<long> KeyFrames { get; }

    public Counter<long> KeyFramesAsked { get; }

    public Counter<long> BadMessages { get; }

    public Counter<long> Input { get; }

    public Counter<long> AgentBreaks { get; }

    /// <summary>Reads the peers' own counters when the meter is read.</summary>
    internal void Observe(Func<PeerTotals> totals, Func<IEnumerable<double>> roundTrips)
    {
        _meter.CreateObservableCounter("oriel.streaming.drops", () => totals().Drops, "{frame}", "Frames not sent to a viewer.");
        _meter.CreateObservableCounter("oriel.streaming.nacks", () => totals().Nacks, "{nack}", "Packets that viewers asked for again.");
        _meter.CreateObservableCounter("oriel.streaming.resends", () => totals().Resends, "{packet}", "Packets sent again.");
        _meter.CreateObservableCounter("oriel.streaming.sent_bytes", () => totals().Bytes, "By", "Bytes of media sent to viewers.");
        _meter.CreateObservableGauge(
            "oriel.streaming.round_trip",
            () => roundTrips().DefaultIfEmpty().Max(),
            "s",
            "Longest round trip of a viewer."
        );
    }

    public void Dispose() => _meter.Dispose();
}
