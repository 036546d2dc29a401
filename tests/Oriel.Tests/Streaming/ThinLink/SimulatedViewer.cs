using System.Buffers.Binary;
using Oriel.WebRtc.Rtcp;
using Oriel.WebRtc.Srtp;

namespace Oriel.Tests.Streaming.ThinLink;

/// <summary>
/// A page's receiver, as Chromium's: shows each frame as soon as it and all before it are there, asks for what is missing, and reports when
/// each packet came every 50 ms. Times are microseconds.
/// </summary>
/// <param name="firstOfKeyFrame">A key frame's first sequence number by its RTP timestamp; null for other frames.</param>
internal sealed class SimulatedViewer(SrtpContext srtp, uint mediaSsrc, Func<uint, ushort?> firstOfKeyFrame)
{
    private const long FeedbackInterval = 50_000,
        AskAgainAfter = 60_000,
        AskAfter = 8_000,
        DecodeTime = 4_000,
        FirstKeyFrameWait = 200_000,
        FrameWait = 3_000_000;
    private const int TransportSequenceAt = 16 + 4 + 1;

    private readonly SortedDictionary<long, (uint Timestamp, bool Marker)> _packets = [];
    private readonly SortedDictionary<long, long> _transport = [];
    private readonly Dictionary<long, long> _asked = [];
    private long _next = -1,
        _highest = -1,
        _reportedTo = -1,
        _lastReport,
        _lastShown,
        _lastPli;

    /// <summary>RTP timestamp of each frame, when it was shown.</summary>
    public List<(uint Timestamp, long At)> Shown { get; } = [];

    public void Receive(ReadOnlySpan<byte> packet, long now)
    {
        var copy = packet.ToArray();
        Assert.True(srtp.UnprotectRtp(copy, out var length));
        var transport = Extend(
            BinaryPrimitives.ReadUInt16BigEndian(copy.AsSpan(TransportSequenceAt)),
            _transport.Count == 0 ? -1 : _transport.Keys.Last()
        );
        _transport[transport] = now;
        var isResend = BinaryPrimitives.ReadUInt32BigEndian(copy.AsSpan(8)) != mediaSsrc;
        var header = 16 + 4 * BinaryPrimitives.ReadUInt16BigEndian(copy.AsSpan(14));
        var number = BinaryPrimitives.ReadUInt16BigEndian(copy.AsSpan(isResend ? header : 2));
        var sequence = Extend(number, _highest);
        _highest = Math.Max(_highest, sequence);
        if (_next < 0)
        {
            _next = sequence;
        }

        if (sequence >= _next)
        {
            _packets[sequence] = (BinaryPrimitives.ReadUInt32BigEndian(copy.AsSpan(4)), (copy[1] & 0x80) != 0);
        }

        ShowWhole(now);
    }

    /// <summary>What is missing and has not been asked for lately.</summary>
    public ushort[] Missing(long now)
    {
        List<ushort> missing = [];
        for (var sequence = _next; sequence >= 0 && sequence < _highest; sequence++)
        {
            if (_packets.ContainsKey(sequence))
            {
                continue;
            }

            if (!_asked.TryGetValue(sequence, out var at))
            {
                _asked[sequence] = now - AskAgainAfter + AskAfter;
            }
            else if (now - at >= AskAgainAfter)
            {
                _asked[sequence] = now;
                missing.Add((ushort)sequence);
            }
        }

        return [.. missing];
    }

    /// <summary>
    /// Whether a key frame is asked for now: without a first one after 200 ms, later after three seconds without a frame.
    /// </summary>
    public bool AsksKeyFrame(long now)
    {
        var wait = Shown.Count == 0 ? FirstKeyFrameWait : FrameWait;
        if (_next < 0 || now - Math.Max(_lastShown, _lastPli) < wait)
        {
            return false;
        }

        _lastPli = now;
        return true;
    }

    /// <summary>The report that is due, or null.</summary>
    public List<Arrival>? Report(long now)
    {
        if (now - _lastReport < FeedbackInterval || _transport.Count == 0)
        {
            return null;
        }

        _lastReport = now;
        List<Arrival> arrivals = [];
        var from = _reportedTo < 0 ? _transport.Keys.First() : _reportedTo + 1;
        var to = _transport.Keys.Last();
        for (var sequence = from; sequence <= to; sequence++)
        {
            var received = _transport.TryGetValue(sequence, out var at);
            arrivals.Add(new Arrival((ushort)sequence, received, at / 250 * 250));
        }

        _reportedTo = Math.Max(_reportedTo, to);
        foreach (var old in _transport.Keys.TakeWhile(key => key < to).ToList())
        {
            _transport.Remove(old);
        }

        return arrivals.Count == 0 ? null : arrivals;
    }

    private void ShowWhole(long now)
    {
        while (true)
        {
            var end = _next;
            while (_packets.TryGetValue(end, out var packet) && !packet.Marker)
            {
                end++;
            }

            if (!_packets.TryGetValue(end, out var last))
            {
                if (SkipToKeyFrame())
                {
                    continue;
                }

                return;
            }

            Shown.Add((last.Timestamp, now + DecodeTime));
            _lastShown = now;
            for (; _next <= end; _next++)
            {
                _packets.Remove(_next);
                _asked.Remove(_next);
            }
        }
    }

    /// <summary>What is missing before a key frame that is whole is given up.</summary>
    private bool SkipToKeyFrame()
    {
        foreach (var (sequence, packet) in _packets)
        {
            if (packet.Marker && firstOfKeyFrame(packet.Timestamp) is { } number)
            {
                var first = Extend(number, sequence);
                if (first > _next && Enumerable.Range(0, (int)(sequence - first)).All(i => _packets.ContainsKey(first + i)))
                {
                    for (; _next < first; _next++)
                    {
                        _packets.Remove(_next);
                        _asked.Remove(_next);
                    }

                    return true;
                }
            }
        }

        return false;
    }

    private static long Extend(ushort number, long near)
    {
        if (near < 0)
        {
            return number;
        }

        return near + (short)(number - (ushort)near);
    }
}
