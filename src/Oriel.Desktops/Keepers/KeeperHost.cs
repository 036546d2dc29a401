using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Keepers;

/// <summary>How keepers are started on this node, and how what they leave behind is removed.</summary>
public interface IKeeperHost
{
    /// <summary>Room for bundles below this directory, in bytes.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    long FreeBytes(string directory);

    /// <summary>
    /// Starts a keeper that outlives this process; its <c>spec.json</c> and <c>keeper.json</c> are written when this returns.
    /// </summary>
    Task StartAsync(KeeperSpec spec, CancellationToken cancellationToken);

    /// <summary>Kills a keeper, with everything in its namespaces. Nothing happens when it does not live.</summary>
    Task KillAsync(Bundle bundle, CancellationToken cancellationToken);

    /// <summary>Removes a bundle directory, also what belongs to subordinate user ids. Its keeper must have ended.</summary>
    Task RemoveBundleAsync(Bundle bundle, CancellationToken cancellationToken);
}
