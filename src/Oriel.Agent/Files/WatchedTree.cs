using Oriel.Linux;
using Oriel.Linux.Files;
using Oriel.Protocol;

namespace Oriel.Agent.Files;

/// <summary>
/// The directories of one watch, by the numbers that the kernel gives them. One that is moved keeps its number, so each knows but its name
/// and the one above it.
/// </summary>
internal sealed class WatchedTree : IDisposable
{
    private const InotifyEvents Wanted =
        InotifyEvents.Modify
        | InotifyEvents.Attributes
        | InotifyEvents.MovedFrom
        | InotifyEvents.MovedTo
        | InotifyEvents.Create
        | InotifyEvents.Delete
        | InotifyEvents.DeleteSelf
        | InotifyEvents.MoveSelf;

    private readonly Inotify _inotify = new();
    private readonly Dictionary<int, Node> _nodes = [];
    private readonly bool _recursive;
    private readonly int _most;

    private WatchedTree(bool recursive, int most) => (_recursive, _most) = (recursive, most);

    public int Root { get; private set; }

    public Inotify Events => _inotify;

    /// <summary>Watches a directory, and all below it where that is asked for.</summary>
    /// <param name="most">Directories that are watched at most.</param>
    /// <exception cref="WatchLimitException">There are more, or the kernel allows no more.</exception>
    /// <exception cref="IOException"/>
    public static WatchedTree Open(string path, bool recursive, int most, CancellationToken cancellationToken)
    {
        var tree = new WatchedTree(recursive, most);
        try
        {
            using var directory = DirectoryHandle.Open(path);
            tree.Root = tree.Add(directory, null, path, (_, _) => { }, cancellationToken);
            return tree;
        }
        catch
        {
            tree.Dispose();
            throw;
        }
    }

    /// <summary>Null of a directory that is not watched any more.</summary>
    public string? PathOf(int watch) => _nodes.TryGetValue(watch, out var node) ? PathOf(node) : null;

    /// <summary>A directory that came to be below a watched one. What was in it before it was watched is told.</summary>
    /// <exception cref="WatchLimitException"/>
    public void Add(int above, string name, Action<string, bool> found, CancellationToken cancellationToken)
    {
        if (!_recursive || !_nodes.TryGetValue(above, out var parent))
        {
            return;
        }

        try
        {
            using var directory = DirectoryHandle.Open($"{PathOf(parent)}/{name}");
            Add(directory, parent, name, found, cancellationToken);
        }
        catch (Exception e) when (IsGone(e))
        {
            // Its removal is told as well, or it is a link now.
        }
    }

    /// <summary>A watched directory has another place below the root.</summary>
    /// <returns>False where it was not watched.</returns>
    public bool Move(int from, string name, int to, string newName)
    {
        var node = _nodes.Values.FirstOrDefault(node => node.Parent?.Watch == from && node.Name == name);
        if (node is null || !_nodes.TryGetValue(to, out var parent))
        {
            return false;
        }

        (node.Parent, node.Name) = (parent, newName);
        return true;
    }

    /// <summary>It was moved out of the tree, with all below it: what happens there is nobody's matter.</summary>
    public void Forget(int above, string name)
    {
        var gone = _nodes.Values.Where(node => IsBelow(node, above, name)).ToList();
        foreach (var node in gone)
        {
            _nodes.Remove(node.Watch);
            _inotify.Remove(node.Watch);
        }
    }

    /// <summary>The kernel's watch has ended.</summary>
    public void Ended(int watch) => _nodes.Remove(watch);

    public void Dispose() => _inotify.Dispose();

    private static bool IsGone(Exception e) =>
        e is SymbolicLinkException or LinuxException { Errno: Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP };

    private static bool IsBelow(Node node, int above, string name)
    {
        for (var at = node; at is not null; at = at.Parent)
        {
            if (at.Parent?.Watch == above && at.Name == name)
            {
                return true;
            }
        }

        return false;
    }

    private static string PathOf(Node node) => node.Parent is { } parent ? $"{PathOf(parent)}/{node.Name}" : node.Name;

    private int Add(
        DirectoryHandle directory,
        Node? parent,
        string name,
        Action<string, bool> found,
        CancellationToken cancellationToken,
        int depth = 0
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        var node = new Node(Watch(directory), parent, name);
        if ((_nodes.Count >= _most && !_nodes.ContainsKey(node.Watch)) || depth > GuestRules.MaxTreeDepth)
        {
            throw new WatchLimitException($"more than {_most} directories, or more than {GuestRules.MaxTreeDepth} deep");
        }

        _nodes[node.Watch] = node;
        if (!_recursive)
        {
            return node.Watch;
        }

        // Watched first: what is made while the names are read may be told twice, and is never missed.
        foreach (var child in directory.Names())
        {
            var isDirectory = directory.TryStatus(child) is { Kind: FileKind.Directory };
            found($"{directory.Path}/{child}", isDirectory);
            if (isDirectory && !GuestRules.IsOfTheSystem($"{directory.Path}/{child}"))
            {
                try
                {
                    using var opened = directory.OpenDirectory(child);
                    Add(opened, node, child, found, cancellationToken, depth + 1);
                }
                catch (Exception e) when (IsGone(e))
                {
                    // As above.
                }
            }
        }

        return node.Watch;
    }

    private int Watch(DirectoryHandle directory)
    {
        try
        {
            return _inotify.Add(directory, Wanted);
        }
        catch (LinuxException e) when (e.Errno == Errno.ENOSPC)
        {
            throw new WatchLimitException("the desktop's programs and watches hold all watches of the kernel");
        }
    }

    private sealed class Node(int watch, Node? parent, string name)
    {
        public int Watch => watch;

        public Node? Parent { get; set; } = parent;

        public string Name { get; set; } = name;
    }
}

/// <summary>There are more directories than can be watched.</summary>
internal sealed class WatchLimitException(string message) : Exception(message);
