using Oriel.WebRtc.Dtls;
using Oriel.WebRtc.Ice;
using Oriel.WebRtc.Video;

namespace Oriel.WebRtc.Sdp;

/// <summary>What both sides agreed on.</summary>
/// <param name="Transport">The section whose transport all of them use.</param>
internal sealed record Negotiated(
    SdpMedia Transport,
    IceCredentials RemoteIce,
    CertificateFingerprint Fingerprint,
    VideoParameters? Video,
    DataParameters? Data
);

/// <summary>The data channels' section (RFC 8841).</summary>
internal sealed record DataParameters(string Mid, ushort SctpPort, long MaxMessageSize);
