using Grpc.Core;
using Oriel.Linux.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Files;

/// <summary>
/// Tells what changes below a directory. Changes are gathered for a moment and told together, those of one file as one. Where there are
/// more than a caller is told at a time, or the kernel had to drop some, it is told that there was an overflow: a look at the directory
/// after that word misses nothing.
/// </summary>
internal sealed class FileWatch(TimeProvider clock)
{
    private static readonly TimeSpan Gathering = TimeSpan.FromMilliseconds(100);

    /// <summary>After the kernel's queue was full: all is looked at again, which costs more.</summary>
    private static readonly TimeSpan Calming = TimeSpan.FromSeconds(1);

    /// <summary>Each of some hundred events.</summary>
    private const int MostReads = 64;

    private int _watches;

    /// <summary>Changes that are told of each gathering: ten times as many a second.</summary>
    public int MostChanges { get; init; } = 500;

    public int MostDirectories { get; init; } = GuestRules.MaxWatchedDirectories;

    /// <summary>Until the directory itself is gone, or the caller.</summary>
    /// <exception cref="RpcException">
    /// NotFound. FailedPrecondition: no directory, or more directories than can be watched, also later. ResourceExhausted: too many
    /// watches.
    /// </exception>
    public async Task FollowAsync(WatchFilesRequest request, Func<FileChange, Task> tell, CancellationToken cancellationToken)
    {
        FileFaults.CheckPath(request.Path);
        try
        {
            if (Interlocked.Increment(ref _watches) > GuestRules.MaxFileWatches)
            {
                throw FileFaults.TooMuch($"{GuestRules.MaxFileWatches} watches are open");
            }

            // Not held open: the kernel tells of a removal when nobody holds the directory any more.
            DirectoryHandle.OpenFollowing(request.Path, out var resolved).Dispose();
            FileFaults.CheckPath(resolved);
            for (var first = FileChangeKind.Watching; ; first = FileChangeKind.Overflow)
            {
                using var tree = WatchedTree.Open(resolved, request.Recursive, MostDirectories, cancellationToken);
                await tell(new FileChange { Kind = first, Path = request.Path });
                if (await FollowAsync(tree, change => tell(Shown(change, resolved, request.Path)), cancellationToken))
                {
                    return;
                }

                await Task.Delay(Calming, clock, cancellationToken);
            }
        }
        catch (WatchLimitException e)
        {
            throw FileFaults.Unfit($"{request.Path}: {e.Message}");
        }
        catch (IOException e)
        {
            throw FileFaults.Of(e);
        }
        finally
        {
            Interlocked.Decrement(ref _watches);
        }
    }

    /// <returns>True: the directory is gone. False: the kernel dropped events, so that nobody knows what the tree is like.</returns>
    private async Task<bool> FollowAsync(WatchedTree tree, Func<FileChange, Task> tell, CancellationToken cancellationToken)
    {
        var root = tree.PathOf(tree.Root)!;
        while (true)
        {
            var changes = new ChangeSet(tree, MostChanges, cancellationToken);
            changes.Add(await tree.Events.ReadAsync(cancellationToken));
            await Task.Delay(Gathering, clock, cancellationToken);
            for (var reads = 0; reads < MostReads && tree.Events.TryRead() is { Count: > 0 } more; reads++)
            {
                changes.Add(more);
            }

            foreach (var change in changes.Complete())
            {
                await tell(change);
            }

            if (changes.IsRootGone || changes.IsBroken)
            {
                return changes.IsRootGone;
            }

            if (changes.IsLossy)
            {
                await tell(new FileChange { Kind = FileChangeKind.Overflow, Path = root });
            }
        }
    }

    /// <summary>As the caller named the directory, which may be through links.</summary>
    private static FileChange Shown(FileChange change, string resolved, string asked)
    {
        change.Path = FileFaults.Shown(asked + change.Path[resolved.Length..]);
        change.From = change.From.Length > 0 ? FileFaults.Shown(asked + change.From[resolved.Length..]) : "";
        return change;
    }
}
