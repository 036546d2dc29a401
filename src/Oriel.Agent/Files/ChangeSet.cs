using Oriel.Linux.Files;
using Oriel.Protocol;
using Oriel.Protocol.Guest;

namespace Oriel.Agent.Files;

/// <summary>
/// The changes of one gathering, in their order, each file's as one where that says the same: written to many times, or made and then
/// written to.
/// </summary>
/// <param name="most">Changes that it takes; further ones are lost, and it says so.</param>
internal sealed class ChangeSet(WatchedTree tree, int most, CancellationToken cancellationToken)
{
    private readonly List<FileChange> _changes = [];

    /// <summary>The last change of each path.</summary>
    private readonly Dictionary<string, FileChange> _last = new(StringComparer.Ordinal);

    /// <summary>First halves of moves whose second has not come, by their cookies.</summary>
    private readonly Dictionary<uint, (InotifyEvent Event, FileChange? Change)> _leaving = [];

    /// <summary>More happened than is told. The tree is known all the same.</summary>
    public bool IsLossy { get; private set; }

    /// <summary>The kernel dropped events: what the tree is like now is not known.</summary>
    public bool IsBroken { get; private set; }

    /// <summary>The watched directory was removed, moved or unmounted.</summary>
    public bool IsRootGone { get; private set; }

    public void Add(IReadOnlyList<InotifyEvent> events)
    {
        foreach (var happened in events)
        {
            if (IsBroken || IsRootGone)
            {
                return;
            }

            Add(happened);
        }
    }

    /// <summary>What has left and did not come back is removed, as far as anybody here can tell.</summary>
    public IReadOnlyList<FileChange> Complete()
    {
        foreach (var (happened, _) in _leaving.Values)
        {
            tree.Forget(happened.Watch, happened.Name);
        }

        _leaving.Clear();
        return _changes;
    }

    private void Add(InotifyEvent happened)
    {
        if (happened.Kind.HasFlag(InotifyEvents.Overflow))
        {
            IsBroken = true;
        }
        else if (happened.Kind.HasFlag(InotifyEvents.Ignored))
        {
            tree.Ended(happened.Watch);
        }
        else if (tree.PathOf(happened.Watch) is not { } directory)
        {
            // One that was moved out.
        }
        else if (happened.Name.Length == 0)
        {
            AddOfItself(happened, directory);
        }
        else
        {
            Add(happened, $"{directory}/{happened.Name}", happened.Kind.HasFlag(InotifyEvents.Directory));
        }
    }

    private void AddOfItself(InotifyEvent happened, string path)
    {
        const InotifyEvents Gone = InotifyEvents.DeleteSelf | InotifyEvents.MoveSelf | InotifyEvents.Unmount;
        // Of all others the directory above tells.
        if (happened.Watch == tree.Root && (happened.Kind & Gone) != 0)
        {
            IsRootGone = true;
            Tell(FileChangeKind.Removed, path, true);
        }
    }

    private void Add(InotifyEvent happened, string path, bool isDirectory)
    {
        switch (happened.Kind & ~InotifyEvents.Directory)
        {
            case InotifyEvents.Create:
                Tell(FileChangeKind.Created, path, isDirectory);
                AddBelow(happened, isDirectory);
                break;
            case InotifyEvents.Delete:
                Tell(FileChangeKind.Removed, path, isDirectory);
                break;
            case InotifyEvents.MovedFrom:
                _leaving[happened.Cookie] = (happened, Tell(FileChangeKind.Removed, path, isDirectory));
                break;
            case InotifyEvents.MovedTo when _leaving.Remove(happened.Cookie, out var left):
                Tell(left.Change, path, isDirectory);
                if (isDirectory && !tree.Move(left.Event.Watch, left.Event.Name, happened.Watch, happened.Name))
                {
                    AddBelow(happened, isDirectory);
                }

                break;
            case InotifyEvents.MovedTo:
                Tell(FileChangeKind.Created, path, isDirectory);
                AddBelow(happened, isDirectory);
                break;
            case InotifyEvents.Modify or InotifyEvents.Attributes:
                Tell(FileChangeKind.Modified, path, isDirectory);
                break;
        }
    }

    private void AddBelow(InotifyEvent happened, bool isDirectory)
    {
        if (isDirectory)
        {
            tree.Add(
                happened.Watch,
                happened.Name,
                (path, isBelowDirectory) => Tell(FileChangeKind.Created, path, isBelowDirectory),
                cancellationToken
            );
        }
    }

    /// <summary>What left has come to another place.</summary>
    private void Tell(FileChange? left, string path, bool isDirectory)
    {
        if (left is null || path.Length > GuestRules.MaxPathBytes)
        {
            Tell(FileChangeKind.Created, path, isDirectory);
            return;
        }

        _last.Remove(left.Path);
        (left.Kind, left.From, left.Path) = (FileChangeKind.Moved, left.Path, path);
        _last[path] = left;
    }

    /// <returns>The change, or null where it is one that was told already or there are too many.</returns>
    private FileChange? Tell(FileChangeKind kind, string path, bool isDirectory)
    {
        if (
            _last.TryGetValue(path, out var last)
            && (last.Kind == kind || (kind == FileChangeKind.Modified && last.Kind is FileChangeKind.Created or FileChangeKind.Moved))
        )
        {
            return null;
        }

        if (_changes.Count == most || path.Length > GuestRules.MaxPathBytes)
        {
            IsLossy = true;
            return null;
        }

        var change = new FileChange
        {
            Kind = kind,
            Path = path,
            IsDirectory = isDirectory,
        };
        _changes.Add(change);
        _last[path] = change;
        return change;
    }
}
