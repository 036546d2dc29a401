using Microsoft.Extensions.Logging;

namespace Oriel.WebRtc.Ice;

internal static partial class IceLog
{
    [LoggerMessage(LogLevel.Error, "A packet could not be handled")]
    public static partial void PacketFault(this ILogger logger, Exception exception);
}
