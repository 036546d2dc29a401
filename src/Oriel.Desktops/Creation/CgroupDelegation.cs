using Microsoft.Extensions.Logging;

namespace Oriel.Desktops.Creation;

/// <summary>
/// The part of the cgroup v2 tree that was delegated to this user, if any: each desktop gets a group of its own there, by which it is paused
/// and limited as far as controllers were delegated with it. The server moves itself into a leaf first, because a group with processes
/// cannot give controllers to its children (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint").
/// </summary>
public sealed class CgroupDelegation
{
    private const string Leaf = "oriel-server";
    private static readonly string[] Wanted = ["cpu", "memory", "pids"];

    /// <summary>The directory of the group that this process was given, whether or not a server has moved it into its leaf; null without cgroup v2.</summary>
    /// <param name="proc">Where the mounts and the group of this process are told.</param>
    public static string? FindRoot(string proc = "/proc/self")
    {
        var mount = File.ReadLines(Path.Combine(proc, "mounts")).Select(line => line.Split(' ')).FirstOrDefault(fields => fields is [_, _, "cgroup2", ..])?[1];
        var own = File.ReadLines(Path.Combine(proc, "cgroup")).FirstOrDefault(line => line.StartsWith("0::", StringComparison.Ordinal))?[3..];
        if (mount is null || own is null)
        {
            return null;
        }

        return Path.GetFileName(own) == Leaf ? Path.GetDirectoryName(mount + own) : mount + own;
    }

    /// <summary>The controllers of that group.</summary>
    /// <param name="missing">Those that limits need and that are not among them.</param>
    public static string[] ControllersOf(string root, out string[] missing)
    {
        var file = Path.Combine(root, "cgroup.controllers");
        var controllers = File.Exists(file) ? File.ReadAllText(file).Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) : [];
        missing = [.. Wanted.Except(controllers)];
        return controllers;
    }

    private readonly string? _root;

    private CgroupDelegation(string? root, string? problem)
    {
        _root = root;
        Problem = problem;
    }

    /// <summary>Why desktops lack limits, or null.</summary>
    public string? Problem { get; }

    public static CgroupDelegation None { get; } = new(null, "cgroups are not used");

    public static CgroupDelegation Detect(ILogger logger)
    {
        CgroupDelegation found;
        try
        {
            found = Open();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            found = new CgroupDelegation(null, e.Message);
        }

        if (found.Problem is { } problem)
        {
            logger.LogWarning("Desktops are not limited in all of memory, CPU and processes: {Problem}", problem);
        }

        return found;
    }

    /// <returns>The new group's directory, or null where cgroups are not delegated.</returns>
    internal string? Create(string name)
    {
        if (_root is null)
        {
            return null;
        }

        var path = Path.Combine(_root, name);
        Directory.CreateDirectory(path);
        return path;
    }

    /// <summary>Kills what is still in the group and removes it.</summary>
    internal static async Task RemoveAsync(string path)
    {
        if (!Directory.Exists(path))
        {
            return;
        }

        await File.WriteAllTextAsync(Path.Combine(path, "cgroup.kill"), "1");
        for (var wait = TimeSpan.FromMilliseconds(5); ; wait *= 2)
        {
            try
            {
                // Groups below were made by the keeper; a cgroup directory is removed by rmdir alone, its files go with it.
                foreach (var inner in Directory.EnumerateDirectories(path, "*", SearchOption.AllDirectories).OrderByDescending(d => d.Length))
                {
                    Directory.Delete(inner);
                }

                Directory.Delete(path);
                return;
            }
            catch (IOException) when (wait < TimeSpan.FromSeconds(2))
            {
                await Task.Delay(wait);
            }
        }
    }

    private static CgroupDelegation Open()
    {
        if (FindRoot() is not { } root)
        {
            return new CgroupDelegation(null, "there is no cgroup v2 here");
        }

        // Throws where the group is somebody else's.
        var leaf = Directory.CreateDirectory(Path.Combine(root, Leaf)).FullName;
        File.WriteAllText(Path.Combine(leaf, "cgroup.procs"), "0");
        var controllers = ControllersOf(root, out var missing);
        File.WriteAllText(Path.Combine(root, "cgroup.subtree_control"), string.Join(' ', Wanted.Intersect(controllers).Select(c => "+" + c)));
        return new CgroupDelegation(root, missing.Length == 0 ? null : $"{root} has no controller {string.Join(", ", missing)}");
    }
}
