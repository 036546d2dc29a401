namespace Oriel.WebRtc.Sdp;

/// <summary>
/// The session description is malformed or asks for what this endpoint cannot do: the caller's fault, and the message says which.
/// </summary>
public sealed class SdpException(string message) : Exception(message);
