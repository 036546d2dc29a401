using System.Net;

namespace Oriel.WebRtc.Ice;

/// <summary>A path to one address of one peer: an ICE candidate pair whose local side is always this endpoint's socket.</summary>
internal abstract class IcePath
{
    public abstract IPEndPoint Remote { get; }
    public abstract bool IsTcp { get; }

    /// <summary>Time of the last valid check, in microseconds. Only the peer's loop touches it.</summary>
    public long LastCheck { get; set; }

    /// <summary>Sends one packet; may be called from any thread. A packet that cannot go out is lost, as on any network.</summary>
    public abstract void Send(ReadOnlySpan<byte> packet);

    public abstract void Close();

    /// <summary>A valid check has claimed the path. Called on the peer's loop, possibly more than once.</summary>
    public virtual void OnTaken() { }
}
