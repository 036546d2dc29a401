namespace Oriel.WebRtc.Sctp;

/// <summary>
/// Decides when a SACK is due (RFC 9260 section 6.2): immediately for every second packet, for gaps and at the peer's request, otherwise
/// after a delay.
/// </summary>
internal sealed class Acknowledgement(SctpOptions options, InboundData inbound)
{
    private int _packets;
    private bool _dataInPacket;
    private bool _now;

    public double Deadline { get; private set; } = double.PositiveInfinity;

    public void BeginPacket() => _dataInPacket = false;

    public void NoteData(bool atOnce)
    {
        _dataInPacket = true;
        _now |= atOnce;
    }

    public void EndPacket(double now)
    {
        if (_dataInPacket)
        {
            _now |= ++_packets >= 2 || inbound.HasGaps;
            Deadline = Math.Min(Deadline, now + options.DelayedAck.TotalMilliseconds);
        }
    }

    public void SendIfDue(double now, PacketWriter writer)
    {
        if (_now || now >= Deadline)
        {
            inbound.WriteSack(writer);
            _now = false;
            _packets = 0;
            Deadline = double.PositiveInfinity;
        }
    }
}
