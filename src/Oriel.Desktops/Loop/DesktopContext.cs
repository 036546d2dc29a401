using Microsoft.Extensions.Logging;
using Oriel.Desktops.Resources;
using Oriel.Desktops.Store;

namespace Oriel.Desktops.Loop;

/// <summary>What every desktop of this node shares.</summary>
internal sealed record DesktopContext(NodeServices Node, DesktopStore Store, DesktopMetrics Metrics, ILoggerFactory LoggerFactory)
{
    public TimeProvider Clock => Node.Clock;
}
