using Microsoft.Extensions.Logging;
using Oriel.Protocol.Keeper;

namespace Oriel.Desktops.Node;

/// <summary>
/// The part of the cgroup v2 tree that was delegated to this user, if any: each desktop gets a group of its own there, by which it is
/// paused and limited as far as controllers were delegated with it. The server moves itself into a leaf first, because a group with
/// processes cannot give controllers to its children (Documentation/admin-guide/cgroup-v2.rst, "No Internal Process Constraint").
/// </summary>
public sealed class CgroupDelegation
{
    /// <summary>Delegation gives a group no controller that a cgroup v1 hierarchy holds.</summary>
    private const string OlderAdvice =
        "this host has its controllers in cgroup v1: start it with systemd.unified_cgroup_hierarchy=1 on the kernel's command line";

    /// <summary>./oriel has asked systemd for a group, and says here why it got none.</summary>
    private const string ScopeProblem = "ORIEL_SCOPE_PROBLEM";

    private const string Leaf = "oriel-server";
    private static readonly string[] Wanted = ["cpu", "memory", "pids"];

    /// <summary>
    /// The directory of the group that this process was given, whether or not a server has moved it into its leaf; null without cgroup v2.
    /// </summary>
    /// <param name="proc">The directory that lists the mounts and the group of this process.</param>
    public static string? FindRoot(string proc = "/proc/self")
    {
        var mount = File.ReadLines(Path.Combine(proc, "mounts"))
            .Select(line => line.Split(' '))
            .FirstOrDefault(fields => fields is [_, _, "cgroup2", ..])
            ?[1];
        var own = File.ReadLines(Path.Combine(proc, "cgroup"))
            .FirstOrDefault(line => line.StartsWith("0::", StringComparison.Ordinal))
            ?[3..];
        if (mount is null || own is null)
        {
            return null;
        }

        return Path.GetFileName(own) == Leaf ? Path.GetDirectoryName(mount + own) : mount + own;
    }

    /// <summary>What to do where that group, or a controller of it, is missing.</summary>
    /// <param name="proc">As for <see cref="FindRoot"/>.</param>
    public static string Advice(string proc = "/proc/self") =>
        Environment.GetEnvironmentVariable(ScopeProblem) is { Length: > 0 } problem ? problem
        : File.ReadLines(Path.Combine(proc, "mounts")).Any(line => line.Split(' ') is [_, _, "cgroup", ..]) ? OlderAdvice
        : KeeperAdvice.Cgroup;

    /// <summary>The controllers of that group.</summary>
    /// <param name="missing">Those that limits need and that are not among them.</param>
    public static string[] ControllersOf(string root, out string[] missing)
    {
        var file = Path.Combine(root, "cgroup.controllers");
        var controllers = File.Exists(file)
            ? File.ReadAllText(file).Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            : [];
        missing = [.. Wanted.Except(controllers)];
        return controllers;
    }

    private const string NoGroups = "Desktops cannot be paused, nor limited in memory, CPU and processes";
    private const string NoLimits = "Desktops are not limited in all of memory, CPU and processes";

    private readonly string? _root;

    private CgroupDelegation(string? root, string? problem)
    {
        _root = root;
        Problem = problem;
    }

    /// <summary>Why desktops lack limits, or null.</summary>
    public string? Problem { get; }

    public static CgroupDelegation None { get; } = new(null, "cgroups are not used");

    /// <param name="proc">As for <see cref="FindRoot"/>.</param>
    public static CgroupDelegation Detect(ILogger logger, string proc = "/proc/self")
    {
        CgroupDelegation found;
        try
        {
            found = Open(proc);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            found = new CgroupDelegation(null, e.Message);
        }

        if (found.Problem is { } problem)
        {
            logger.LogWarning("{Lack}: {Problem}; {Advice}", found._root is null ? NoGroups : NoLimits, problem, Advice(proc));
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

    /// <summary>
    /// Kills what is still in the group and removes it. Others may remove it too: systemd does with a scope whose last process has
    /// ended.
    /// </summary>
    internal static async Task RemoveAsync(string path)
    {
        for (var wait = TimeSpan.FromMilliseconds(5); Directory.Exists(path); wait *= 2)
        {
            try
            {
                await File.WriteAllTextAsync(Path.Combine(path, "cgroup.kill"), "1");

                // Groups below were made by the keeper; a cgroup directory is removed by rmdir alone, its files go with it.
                foreach (
                    var inner in Directory.EnumerateDirectories(path, "*", SearchOption.AllDirectories).OrderByDescending(d => d.Length)
                )
                {
                    Directory.Delete(inner);
                }

                Directory.Delete(path);
            }
            catch (IOException) when (!Directory.Exists(path))
            {
                return;
            }
            catch (IOException) when (wait < TimeSpan.FromSeconds(2))
            {
                await Task.Delay(wait);
            }
        }
    }

    /// <summary>
    /// Removes the leaf that a server which has ended moved itself into, with no desktop left. Who removes it may have been put there too:
    /// a leaf is empty only then, and the group above takes a process only when it gives its children no controllers.
    /// </summary>
    /// <param name="root">As <see cref="FindRoot"/> found it for the server.</param>
    /// <returns>Whether it is gone: not where another server of this group lives, nor where root has made it.</returns>
    public static bool TryRemoveLeaf(string root)
    {
        var leaf = Path.Combine(root, Leaf);
        if (!Directory.Exists(leaf))
        {
            return true;
        }

        try
        {
            string[] inside = [.. File.ReadAllLines(Path.Combine(leaf, "cgroup.procs"))];
            if (
                Directory.EnumerateDirectories(root).Any(group => group != leaf)
                || inside.Any(process => process != $"{Environment.ProcessId}")
            )
            {
                return false;
            }

            if (inside.Length > 0)
            {
                File.WriteAllText(
                    Path.Combine(root, "cgroup.subtree_control"),
                    string.Join(' ', Wanted.Intersect(GivenBy(root)).Select(c => "-" + c))
                );
                File.WriteAllText(Path.Combine(root, "cgroup.procs"), "0");
            }

            Directory.Delete(leaf);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string[] GivenBy(string root) =>
        File.ReadAllText(Path.Combine(root, "cgroup.subtree_control"))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static CgroupDelegation Open(string proc)
    {
        if (FindRoot(proc) is not { } root)
        {
            return new CgroupDelegation(null, "there is no cgroup v2 here");
        }

        var leaf = Path.Combine(root, Leaf);
        try
        {
            Directory.CreateDirectory(leaf);
            File.WriteAllText(Path.Combine(leaf, "cgroup.procs"), "0");
        }
        catch (UnauthorizedAccessException)
        {
            return new CgroupDelegation(null, $"{root} is not this user's to divide");
        }

        var controllers = ControllersOf(root, out var missing);
        File.WriteAllText(
            Path.Combine(root, "cgroup.subtree_control"),
            string.Join(' ', Wanted.Intersect(controllers).Select(c => "+" + c))
        );
        return new CgroupDelegation(root, missing.Length == 0 ? null : $"{root} has no controller {string.Join(", ", missing)}");
    }
}
