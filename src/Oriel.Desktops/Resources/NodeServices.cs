using Oriel.Desktops.Keepers;
using Oriel.Desktops.Node;
using Oriel.Desktops.Snapshots;
using Oriel.Egress;

namespace Oriel.Desktops.Resources;

/// <summary>What desktops take their resources from.</summary>
/// <param name="Memories">Of the snapshots that machines are restored from.</param>
internal sealed record NodeServices(
    DesktopOptions Options,
    IKeeperHost Keepers,
    EgressGateway Egress,
    SharedMemories Memories,
    CgroupDelegation Cgroups,
    TimeProvider Clock
);
