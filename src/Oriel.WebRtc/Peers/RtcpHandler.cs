using Oriel.WebRtc.Rtcp;

namespace Oriel.WebRtc.Peers;

/// <summary>Handles the peer's RTCP.</summary>
internal sealed class RtcpHandler(PeerTransport transport, PeerClock clock)
{
    private readonly ushort[] _lost = new ushort[1024];
    private readonly List<Arrival> _arrivals = [];

    /// <summary>Microseconds; 0 before the first report.</summary>
    public long RoundTrip { get; private set; }
    public double Loss { get; private set; }
    public long Remb { get; private set; }
    public long KeyFramesAsked { get; private set; }

    /// <summary>The highest media sequence number in the peer's last report; -1 before the first.</summary>
    public int HighestReceived { get; private set; } = -1;

    /// <summary>When the peer last reported missing packets.</summary>
    public long LastNack { get; private set; } = long.MinValue / 2;

    public void Handle(ReadOnlySpan<byte> compound, long now)
    {
        var reader = new RtcpReader(compound);
        while (reader.TryRead(out var packet))
        {
            switch (packet.Type)
            {
                case RtcpType.SenderReport or RtcpType.ReceiverReport:
                    OnReport(packet, now);
                    break;
                case RtcpType.TransportFeedback when packet.Count == Feedback.Nack:
                    var count = Feedback.ReadNack(packet, _lost);
                    if (Feedback.MediaSsrc(packet) == transport.Sender?.Ssrc)
                    {
                        LastNack = now;
                        transport.Sender.OnNack(_lost.AsSpan(0, count), now, RoundTrip);
                    }

                    break;
                case RtcpType.TransportFeedback when packet.Count == Feedback.TransportWide:
                    _arrivals.Clear();
                    if (TransportFeedback.TryRead(packet, _arrivals))
                    {
                        transport.Bandwidth.OnFeedback(_arrivals, now);
                    }

                    break;
                case RtcpType.PayloadFeedback:
                    OnPayloadFeedback(packet);
                    break;
                default:
                    break;
            }
        }
    }

    private void OnPayloadFeedback(in RtcpPacket packet)
    {
        if (transport.Sender is not { } sender)
        {
            return;
        }

        switch (packet.Count)
        {
            case Feedback.Pli when Feedback.MediaSsrc(packet) == sender.Ssrc:
            case Feedback.Fir when Feedback.FirNames(packet, sender.Ssrc):
                KeyFramesAsked++;
                transport.AskKeyFrame();
                break;
            case Feedback.ApplicationLayer when Feedback.TryReadRemb(packet, out var bitrate):
                Remb = bitrate;
                transport.Bandwidth.OnRemb(bitrate);
                break;
            default:
                break;
        }
    }

    private void OnReport(in RtcpPacket packet, long now)
    {
        for (var i = 0; ReportBlock.TryRead(packet, i, out var block); i++)
        {
            if (block.Ssrc != transport.Sender?.Ssrc)
            {
                continue;
            }

            Loss = block.FractionLost / 256.0;
            HighestReceived = (ushort)block.HighestSequence;
            if (block.LastReport != 0)
            {
                // In units of 1/65536 s (RFC 3550 section 6.4.1).
                var trip = (uint)(clock.Ntp >> 16) - block.LastReport - block.DelaySinceLastReport;
                if (trip < 0x8000_0000)
                {
                    RoundTrip = (long)trip * 1_000_000 / 65536;
                }
            }
        }
    }
}
