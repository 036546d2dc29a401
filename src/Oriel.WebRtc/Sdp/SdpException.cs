namespace Oriel.WebRtc.Sdp;

/// <summary>
/// The session description is malformed or asks for something this endpoint cannot do. The caller is at fault; the message says why.
/// </summary>
public sealed class SdpException(string message) : Exception(message);
