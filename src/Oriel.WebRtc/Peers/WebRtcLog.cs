using Microsoft.Extensions.Logging;

namespace Oriel.WebRtc.Peers;

internal static partial class WebRtcLog
{
    [LoggerMessage(LogLevel.Information, "WebRTC on UDP and TCP port {Port}")]
    public static partial void Listening(this ILogger logger, int port);

    [LoggerMessage(LogLevel.Debug, "Peer {Peer}: {State}")]
    public static partial void StateChanged(this ILogger logger, string peer, PeerState state);

    [LoggerMessage(LogLevel.Information, "Peer {Peer} closed: {Reason}")]
    public static partial void PeerClosed(this ILogger logger, string peer, CloseReason reason);

    [LoggerMessage(LogLevel.Information, "Peer {Peer}: DTLS failed: {Reason}")]
    public static partial void DtlsFailed(this ILogger logger, string peer, string reason);

    [LoggerMessage(LogLevel.Debug, "Peer {Peer}: DTLS done, {Profile}")]
    public static partial void DtlsDone(this ILogger logger, string peer, string profile);

    [LoggerMessage(LogLevel.Error, "Peer {Peer}: fault in its loop")]
    public static partial void PeerFault(this ILogger logger, Exception exception, string peer);

    [LoggerMessage(LogLevel.Debug, "Peer {Peer}: sends over {Transport} to {Remote}")]
    public static partial void PathChosen(this ILogger logger, string peer, string transport, string remote);

    [LoggerMessage(LogLevel.Error, "Peer {Peer}: a subscriber threw")]
    public static partial void SubscriberFault(this ILogger logger, Exception exception, string peer);
}
