using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Oriel.Protocol.Keeper;
using Oriel.Protocol.Layout;

namespace Oriel.Tests.Server;

/// <summary>Guests that are restored know the key of the one that was kept, as the snapshot's manifest has it.</summary>
internal sealed class RestoringKeepers
{
    private readonly ConcurrentQueue<KeeperSpec> _started = new();

    public RestoringKeepers() => Played = new PlayedKeepers { GuestFor = Make };

    public PlayedKeepers Played { get; }

    public IReadOnlyCollection<KeeperSpec> Started => _started;

    private PlayedGuest Make(KeeperSpec spec)
    {
        _started.Enqueue(spec);
        return spec.Snapshot is { IsRestore: true } from
            ? new PlayedGuest
            {
                FormerKey = Convert.FromBase64String(
                    JsonNode.Parse(File.ReadAllBytes(new SnapshotDirectory(from.Directory).Manifest))!["agentKey"]!.GetValue<string>()
                ),
            }
            : new PlayedGuest();
    }
}
