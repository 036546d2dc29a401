using Oriel.Desktops.Events;
using Oriel.Desktops.Keepers;
using Oriel.Desktops.Lifecycle;
using Oriel.Desktops.Store;
using Oriel.Protocol.Layout;

namespace Oriel.Desktops.Registry;

/// <summary>
/// Ends every desktop of a node that has no server: keeper with its guest, cgroup, bundle, and the record, which is closed with the reason.
/// The caller holds the data directory's lock.
/// </summary>
/// <param name="store">Null where there is no database: then there are no records either.</param>
public sealed class NodeClearance(DesktopStore? store, IKeeperHost keepers, DataLayout layout, TimeProvider clock)
{
    /// <returns>Each desktop's id, and why it could not be ended (null when it was).</returns>
    public async Task<IReadOnlyList<(string Id, string? Problem)>> EndAllAsync(DesktopReason reason, CancellationToken cancellationToken)
    {
        var records = store is null ? [] : await store.LoadAsync(DateTimeOffset.MaxValue, cancellationToken);
        var byId = records.ToDictionary(record => record.Desktop.View.Id.ToString(), record => record.Desktop);
        var ids = layout.Bundles().Select(bundle => bundle.Name).Union(byId.Keys);
        var ended = ids.Select(id => EndAsync(id, byId.GetValueOrDefault(id), reason, cancellationToken));
        return await Task.WhenAll(ended);
    }

    private async Task<(string Id, string? Problem)> EndAsync(
        string id,
        StoredDesktop? record,
        DesktopReason reason,
        CancellationToken cancellationToken
    )
    {
        var bundle = layout.BundleOf(id);
        try
        {
            if (bundle.Exists)
            {
                await BundleRemains.RemoveAsync(keepers, bundle, cancellationToken);
            }

            if (record is not null)
            {
                await CloseAsync(record, reason, cancellationToken);
            }

            return (id, null);
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or UnauthorizedAccessException)
        {
            return (id, e.Message);
        }
    }

    /// <summary>A desktop that was ending already keeps its own reason.</summary>
    private Task CloseAsync(StoredDesktop record, DesktopReason reason, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var why = record.View.State is DesktopState.Failed or DesktopState.Destroying ? record.View.Reason ?? reason : reason;
        var first = Math.Max(1, record.EventCeiling);
        DesktopEvent[] events =
        [
            new(first, "state", now, new StateEvent(DesktopState.Destroyed, why)),
            new(first + 1, "end", now, new EndEvent()),
        ];
        var closed = record.View with { State = DesktopState.Destroyed, Reason = why, EndedAt = now };
        return store!.SaveAsync(record with { View = closed, EventCeiling = first + events.Length }, events, cancellationToken);
    }
}
