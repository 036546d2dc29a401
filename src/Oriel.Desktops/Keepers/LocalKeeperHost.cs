using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Keepers;

/// <summary>Keepers as processes of this host.</summary>
/// <param name="keeperPath">The oriel-keeper executable.</param>
public sealed class LocalKeeperHost(string keeperPath, TimeProvider clock) : IKeeperHost
{
    private static readonly TimeSpan KillDeadline = TimeSpan.FromSeconds(10);
    private readonly KeeperLauncher _launcher = new(keeperPath);

    public long FreeBytes(string directory) => new DriveInfo(directory).AvailableFreeSpace;

    public async Task StartAsync(KeeperSpec spec, CancellationToken cancellationToken)
    {
        try
        {
            await _launcher.StartAsync(spec, cancellationToken);
        }
        catch (KeeperLaunchException e)
        {
            throw new InvalidOperationException(e.Message, e);
        }
    }

    public async Task KillAsync(Bundle bundle, CancellationToken cancellationToken)
    {
        if (bundle.ReadIdentity() is not { } identity)
        {
            return;
        }

        KeeperLiveness.Kill(identity);
        var deadline = clock.GetUtcNow() + KillDeadline;
        while (KeeperLiveness.IsAlive(identity))
        {
            if (clock.GetUtcNow() > deadline)
            {
                throw new InvalidOperationException(
                    $"The keeper {identity.Pid} of {bundle} did not end within {KillDeadline.TotalSeconds:0} s of being killed."
                );
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), clock, cancellationToken);
        }
    }

    public Task RemoveBundleAsync(Bundle bundle, CancellationToken cancellationToken) =>
        BundleRemover.RemoveAsync(bundle, cancellationToken);
}
