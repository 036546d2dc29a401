using System.Net;

namespace Oriel.WebRtc.Ice;

/// <summary>A way to one address of one peer: a pair in ICE's words, whose local side is always this endpoint's one socket.</summary>
internal abstract class IcePath
{
    public abstract IPEndPoint Remote { get; }
    public abstract bool IsTcp { get; }

    /// <summary>Time of the last valid check, in microseconds. Only the peer's loop touches it.</summary>
    public long LastCheck { get; set; }

    /// <summary>Sends one packet; may be called from any thread. A packet that cannot go out is lost, as on any network.</summary>
    public abstract void Send(ReadOnlySpan<byte> packet);

    public abstract void Close();

    /// <summary>A valid check has taken the path; at least once, on the peer's loop.</summary>
    public virtual void OnTaken() { }
}
