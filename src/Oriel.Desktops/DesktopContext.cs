using Microsoft.Extensions.Logging;
using Oriel.Desktops.Creation;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Store;
using Oriel.Egress;
using Oriel.Images;

namespace Oriel.Desktops;

/// <summary>What every desktop of this node shares.</summary>
internal sealed record DesktopContext(
    DesktopOptions Options,
    DesktopStore Store,
    IKeeperHost Keepers,
    EgressGateway Egress,
    Snapshots.GoldenSnapshots Snapshots,
    BootSlots Slots,
    ImageStore Images,
    CgroupDelegation Cgroups,
    DesktopMetrics Metrics,
    TimeProvider Clock,
    ILoggerFactory LoggerFactory);
